//! The report: one page of HTML with everything in it, for a reader who has not seen the code. It is well-formed XML too.
//! Not here: the plots (`plot`).

use super::error::Result;
use super::plot;
use super::point::{Axis, bytes_text};
use super::survey::Survey;
use super::text;
use std::fmt::Write;

const STYLE: &str = "\
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; font-size: 14px; margin: 1rem 0; }
th, td { border: 1px solid #ccc; padding: 2px 8px; text-align: left; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
pre { background: #f4f4f4; padding: 1rem; overflow-x: auto; }
svg { max-width: 100%; height: auto; }";

const READING: &str = "\
<p>A <em>base point</em> stands for the default configuration under a plain load. From there one thing is changed at a \
time; each section below is one such change. Every point ran on a data directory of its own, which was removed afterwards. \
A point keeps a fixed number of appends without an acknowledgement and sends the next one when an answer comes; the latency \
is the time from the append to its acknowledgement, inside the engine: no network and no client library is in it. The first \
fifth of each point warms up and does not count.</p>\
<p>In the plots a point to the right is faster, a point further down answers sooner; the scale of the latency is \
logarithmic. p50 is the latency that half of the appends stay below, p99 and p99.9 are those that 99 and 99.9 of a hundred \
stay below. The grey band is where the base point lay in its runs over the whole time: points inside it do not differ from \
the base by more than the machine differs from itself. For a short run p99.9 rests on few appends.</p>";

/// The page.
pub(super) fn render(survey: &Survey) -> Result<String> {
    let mut page = String::new();
    let title = "Headwater: tuning report";
    push(
        &mut page,
        format_args!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"/><title>{title}</title>\n\
         <style>\n{STYLE}\n</style></head>\n<body>\n<h1>{title}</h1>\n"
        ),
    );
    machine(&mut page, survey);
    recommendation(&mut page, survey);
    push(&mut page, format_args!("<h2>How to read this</h2>\n{READING}\n"));
    push(
        &mut page,
        format_args!("<p>Base point: {}.</p>\n", escape(&survey.base.point.description())),
    );
    push(
        &mut page,
        format_args!(
            "<p>The size of a frame, the group of messages that is compressed and checked as one, is no setting of the engine, \
         so it is not here.</p>\n"
        ),
    );
    for axis in Axis::ALL {
        push(
            &mut page,
            format_args!(
                "<h2 id=\"{}\">By {}</h2>\n<p>{}</p>\n",
                axis.name().replace(' ', "-"),
                axis.name(),
                escape(axis.meaning()),
            ),
        );
        if survey.along(axis).len() > 1 {
            push(&mut page, format_args!("<figure>{}</figure>\n", plot::draw(survey, axis)?));
        } else {
            push(&mut page, format_args!("<p>Only the base could be measured.</p>\n"));
        }
    }
    table(&mut page, survey);
    page.push_str("</body>\n</html>\n");
    Ok(page)
}

fn machine(page: &mut String, survey: &Survey) {
    let machine = &survey.machine;
    let directory = survey.directory.display().to_string();
    let rows = [
        ("measured", format!("{}, {:.2} s a point", machine.time, survey.seconds_per_point)),
        ("directory", directory),
        ("file system", format!("{} on {}", machine.file_system, machine.device)),
        ("processor", format!("{}, {} cores", machine.processor, machine.cores)),
        ("memory", bytes_text(machine.memory_bytes >> 20 << 20)),
        ("kernel", format!("Linux {}", machine.kernel)),
        ("load before the run", machine.load_average.clone()),
        ("engine", survey.base.figures.disk_method.clone()),
        ("version", machine.version.to_owned()),
    ];
    page.push_str("<h2>What was measured, and where</h2>\n<table>");
    for (name, value) in rows {
        push(page, format_args!("<tr><th>{name}</th><td>{}</td></tr>\n", escape(&value)));
    }
    page.push_str("</table>\n");
    for skipped in &survey.measurements.skipped {
        push(page, format_args!("<p>Skipped: {}</p>\n", escape(skipped)));
    }
}

fn recommendation(page: &mut String, survey: &Survey) {
    page.push_str("<h2>Recommendation</h2>\n");
    push(page, format_args!("<pre>{}</pre>\n<ul>\n", escape(&survey.configuration)));
    for reason in &survey.measurements.recommendation.reasons {
        push(
            page,
            format_args!(
                "<li><strong>{}</strong>: {}</li>\n",
                escape(reason.about),
                escape(&reason.text)
            ),
        );
    }
    page.push_str("</ul>\n");
}

fn table(page: &mut String, survey: &Survey) {
    page.push_str(
        "<h2>All figures</h2>\n<p>\"Disk alone\" is a plain loop of synced overwrites of a file, one after the other, without the \
         engine: what the disk itself can do. An append with nothing else in flight cannot be much faster than one such \
         write. The last column sets a point beside the middle run of the base where the load is the same.</p>\n<table>\n<tr>",
    );
    for name in text::COLUMNS {
        push(page, format_args!("<th>{name}</th>"));
    }
    page.push_str("</tr>\n");
    for row in text::rows(survey) {
        page.push_str("<tr>");
        for (index, cell) in row.iter().enumerate() {
            let class = if index < 2 { "" } else { " class=\"number\"" };
            push(page, format_args!("<td{class}>{}</td>", escape(cell)));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table>\n");
}

/// Appends to text, which cannot fail.
fn push(page: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = page.write_fmt(text);
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}
