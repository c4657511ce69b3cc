//! What the terminal shows at the end: the machine, the table, the recommendation.
//! Not here: the page (`page`).

use super::point::{Axis, bytes_text};
use super::survey::{Measured, Part, Survey};
use crate::bench::{Grouped, Micros};
use crate::cli::table::Table;
use std::fmt;

/// Of the table; "messages" are writes where the disk is alone.
pub(super) const COLUMNS: [&str; 8] =
    ["What", "Value", "Messages/s", "MB/s", "p50", "p99", "p99.9", "Of the base"];

/// A survey for a terminal.
#[derive(Debug)]
pub(super) struct Summary<'a>(pub(super) &'a Survey);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let survey = self.0;
        let machine = &survey.machine;
        writeln!(
            f,
            "{}, {} cores, {} memory, Linux {}, {} on {}, {:.2} s a point\nBase: {}\n",
            machine.processor,
            machine.cores,
            bytes_text(machine.memory_bytes >> 20 << 20),
            machine.kernel,
            machine.file_system,
            machine.device,
            survey.seconds_per_point,
            survey.base.point.description(),
        )?;
        let mut table = Table::new("Tuning", &COLUMNS);
        for row in rows(survey) {
            table.add(row);
        }
        writeln!(f, "{table}")?;
        survey.measurements.skipped.iter().try_for_each(|text| writeln!(f, "Skipped {text}"))?;
        writeln!(f, "\nRecommended:\n\n{}", survey.configuration)?;
        let reasons = &survey.measurements.recommendation.reasons;
        reasons.iter().try_for_each(|reason| writeln!(f, "{}: {}", reason.about, reason.text))
    }
}

/// The table, for the terminal and for the page.
pub(super) fn rows(survey: &Survey) -> Vec<[String; 8]> {
    let raw = survey.measurements.raw.iter().map(|raw| {
        [
            "disk alone".into(),
            format!("{} synced", bytes_text(raw.bytes as u64)),
            Grouped(raw.writes_per_second.round() as u64).to_string(),
            format!("{:.1}", raw.megabytes_per_second),
            Micros(raw.p50_us).to_string(),
            Micros(raw.p99_us).to_string(),
            String::new(),
            String::new(),
        ]
    });
    let points = &survey.measurements.points;
    let of = |wanted: fn(Part) -> bool| points.iter().filter(move |found| wanted(found.part));
    let row = |name: &str, label: String, found: &Measured| measured(survey, name, label, found);
    let base = of(|part| part == Part::Base);
    let mut rows: Vec<_> = raw.collect();
    rows.extend(base.enumerate().map(|(n, found)| row("base", format!("run {}", n + 1), found)));
    for axis in Axis::ALL {
        let others = survey.along(axis).into_iter().filter(|found| found.part != Part::Base);
        rows.extend(others.map(|found| row(axis.name(), axis.label(&found.point), found)));
    }
    for found in of(|part| matches!(part, Part::DiskLoad | Part::Again | Part::Together)) {
        let name = match found.part {
            Part::Again => "again",
            Part::Together => "together",
            _ => "combination",
        };
        rows.push(row(name, found.point.difference(&survey.base.point), found));
    }
    rows
}

/// One row. A point with other messages is not set beside the base.
fn measured(survey: &Survey, name: &str, label: String, found: &Measured) -> [String; 8] {
    let figures = &found.figures;
    let ratio = figures.messages_per_second / survey.base.figures.messages_per_second;
    let is_same_load = found.point.payload_bytes == survey.base.point.payload_bytes
        && found.point.inflight == survey.base.point.inflight;
    [
        name.to_owned(),
        label,
        Grouped(figures.messages_per_second.round() as u64).to_string(),
        format!("{:.1}", figures.megabytes_per_second),
        Micros(figures.p50_us).to_string(),
        Micros(figures.p99_us).to_string(),
        Micros(figures.p999_us).to_string(),
        if is_same_load { format!("{:.0} %", ratio * 100.0) } else { String::new() },
    ]
}
