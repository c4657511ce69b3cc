//! One axis drawn: throughput to the right, latency upwards, a line for each percentile. SVG, by plotters.
//! Not here: the page around it (`page`).

use super::error::{Result, TuneError};
use super::load::Figures;
use super::point::Axis;
use super::survey::{Part, Survey};
use crate::bench::{Grouped, Micros};
use plotters::prelude::*;

const SIZE: (u32, u32) = (860, 420);
const BAND: RGBColor = RGBColor(205, 205, 205);

/// A line of the plot: its name, its colour, and what it takes of the figures.
type Percentile = (&'static str, RGBColor, fn(&Figures) -> f64);

const PERCENTILES: [Percentile; 3] = [
    ("p50", RGBColor(30, 110, 180), |figures| figures.p50_us),
    ("p99", RGBColor(220, 120, 20), |figures| figures.p99_us),
    ("p99.9", RGBColor(190, 40, 60), |figures| figures.p999_us),
];

/// What stands to the right: payload where its size changes, else messages.
fn throughput(axis: Axis, figures: &Figures) -> f64 {
    match axis {
        Axis::MessageSize => figures.megabytes_per_second,
        _ => figures.messages_per_second,
    }
}

/// The axis as an SVG image.
pub(super) fn draw(survey: &Survey, axis: Axis) -> Result<String> {
    let mut svg = String::new();
    draw_into(&mut svg, survey, axis).map_err(|error| TuneError::Report(error.to_string()))?;
    Ok(svg)
}

fn draw_into(
    svg: &mut String,
    survey: &Survey,
    axis: Axis,
) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let points = survey.along(axis);
    let right = points.iter().map(|found| throughput(axis, &found.figures)).fold(1.0, f64::max);
    let latencies =
        || points.iter().flat_map(|found| PERCENTILES.map(|(.., part)| part(&found.figures)));
    let low = latencies().fold(f64::MAX, f64::min).max(0.1);
    let high = latencies().fold(low, f64::max);

    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(76)
        .build_cartesian_2d(0.0..right * 1.12, (low / 1.6..high * 1.6).log_scale())?;
    // Where the base lay in its runs: what falls into the band does not differ from it.
    let bases = survey.measurements.points.iter().filter(|found| found.part == Part::Base);
    let bases: Vec<_> = bases.map(|found| throughput(axis, &found.figures)).collect();
    let (least, most) =
        (bases.iter().copied().fold(right, f64::min), bases.iter().copied().fold(0.0, f64::max));
    let band = [(least, low / 1.6), (most, high * 1.6)];
    chart.draw_series([Rectangle::new(band, BAND.mix(0.45).filled())])?;
    let unit = match axis {
        Axis::MessageSize => "payload, MB/s",
        _ => "messages/s",
    };
    chart
        .configure_mesh()
        .x_desc(unit)
        .y_desc("latency")
        .x_label_formatter(&|value| Grouped(value.round() as u64).to_string())
        .y_label_formatter(&|value| Micros(*value).to_string())
        .light_line_style(TRANSPARENT)
        .draw()?;
    for (name, colour, part) in PERCENTILES {
        let at = |found: &&super::survey::Measured| {
            (throughput(axis, &found.figures), part(&found.figures))
        };
        let line: Vec<_> = points.iter().map(at).collect();
        chart
            .draw_series(LineSeries::new(line.clone(), colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        chart.draw_series(line.iter().map(|place| Circle::new(*place, 4, colour.filled())))?;
    }
    // The labels stand above the highest line, one step higher each, as points may lie close together.
    for (index, found) in points.iter().enumerate() {
        let lift = if index.is_multiple_of(2) { -18 } else { -32 };
        let place = (throughput(axis, &found.figures), found.figures.p999_us);
        let text = Text::new(axis.label(&found.point), (4, lift), ("sans-serif", 13).into_font());
        chart.draw_series([EmptyElement::at(place) + text])?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BAND)
        .draw()?;
    area.present()?;
    Ok(())
}
