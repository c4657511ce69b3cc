//! Curves and bars of the page, as SVG.
//! Not here: tables (`page`).

use crate::Run;
use crate::page::measured;
use crate::plan::{Group, LARGE_CELLS, STREAM_CELLS, Who, append_cell};
use crate::results::Spread;
use crate::runner::name;
use anyhow::{Result, anyhow};
use plotters::prelude::*;
use std::path::Path;

/// Size of a picture.
const SIZE: (u32, u32) = (900, 460);
/// Width of the names beside the curves.
const LEGEND_WIDTH: u32 = 200;
/// Font of all text.
const FONT: (&str, u32) = ("sans-serif", 15);
/// Room above and below what is shown, as a factor of the axis.
const ROOM: f64 = 1.6;

/// One curve: its name and its points.
type Curve = (&'static str, Vec<(f64, f64)>);

/// A picture: what the axes are and the places that have words below them.
struct Picture<'a> {
    file: &'a str,
    title: &'a str,
    x: &'a str,
    y: &'a str,
    places: Vec<(f64, String)>,
}

/// Draws all pictures.
pub(crate) fn draw(run: &Run, folder: &Path) -> Result<()> {
    let rate = "appends_per_s";
    let in_flight: Vec<_> = [1, 64, 2048]
        .map(|count| (f64::from(count), append_cell(count as usize, 128), rate))
        .into();
    let picture = Picture {
        file: "append.svg",
        title: "Durable appends of 128 B",
        x: "in flight",
        y: "appends per second",
        places: in_flight.iter().map(|(x, ..)| (*x, x.to_string())).collect(),
    };
    picture.draw(folder, &curves(run, Group::Append, &in_flight))?;

    let streams: Vec<_> = STREAM_CELLS[1..]
        .iter()
        .map(|(cell, streams, _)| (f64::from(*streams), (*cell).to_owned(), rate))
        .collect();
    let picture = Picture {
        file: "streams.svg",
        title: "Durable appends of 128 B, one in flight for each stream",
        x: "streams",
        y: "appends per second",
        places: streams.iter().map(|(x, ..)| (*x, x.to_string())).collect(),
    };
    picture.draw(folder, &curves(run, Group::Streams, &streams))?;

    let large: Vec<_> = LARGE_CELLS
        .iter()
        .map(|(cell, in_flight)| (*in_flight as f64, (*cell).to_owned(), "bytes_per_s"))
        .collect();
    let picture = Picture {
        file: "large.svg",
        title: "Commits of 1 MiB",
        x: "in flight",
        y: "bytes per second",
        places: large.iter().map(|(x, ..)| (*x, x.to_string())).collect(),
    };
    picture.draw(folder, &curves(run, Group::Large, &large))?;

    let cell = append_cell(64, 1024);
    let percentiles: Vec<_> = [(1.0, "p50_us"), (10.0, "p99_us"), (100.0, "p999_us")]
        .map(|(x, value)| (x, cell.clone(), value))
        .into();
    let words = ["50 %", "99 %", "99.9 %"];
    let picture = Picture {
        file: "latency.svg",
        title: "Acknowledged within so long, 1 KiB, 64 in flight",
        x: "part of the appends",
        y: "microseconds",
        places: percentiles.iter().zip(words).map(|((x, ..), word)| (*x, word.into())).collect(),
    };
    picture.draw(folder, &curves(run, Group::Latency, &percentiles))
}

/// The medians of everybody who was measured, at the places of some cells and values.
fn curves(run: &Run, group: Group, cells: &[(f64, String, &str)]) -> Vec<Curve> {
    let mut all: Vec<Who> = Vec::new();
    for (_, cell, _) in cells {
        let new = measured(run, group, cell).into_iter().filter(|who| !all.contains(who));
        all.extend(new.collect::<Vec<_>>());
    }
    let curve = |who: Who| {
        let points = cells.iter().filter_map(|(x, cell, value)| {
            let spread = Spread::of(run.figures.rounds(group, cell, who, value))?;
            Some((*x, spread.median))
        });
        (name(who), points.collect())
    };
    all.into_iter().map(curve).collect()
}

impl Picture<'_> {
    fn draw(&self, folder: &Path, curves: &[Curve]) -> Result<()> {
        let path = folder.join(self.file);
        self.draw_at(&path, curves).map_err(|error| anyhow!("{}: {error}", path.display()))
    }

    fn draw_at(&self, path: &Path, curves: &[Curve]) -> Result<(), Box<dyn std::error::Error>> {
        let root = SVGBackend::new(path, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let (chart, legend) = root.split_horizontally(SIZE.0 - LEGEND_WIDTH);
        let points = || curves.iter().flat_map(|(_, points)| points);
        let low = points().map(|(_, y)| *y).fold(f64::INFINITY, f64::min);
        let high = points().map(|(_, y)| *y).fold(1.0, f64::max);
        let first = self.places.first().map_or(1.0, |(x, _)| *x);
        let last = self.places.last().map_or(1.0, |(x, _)| *x);
        let x_range = (first / ROOM..last * ROOM).log_scale();
        let y_range = (low.min(high) / ROOM..high * ROOM).log_scale();
        let mut chart = ChartBuilder::on(&chart)
            .margin(12)
            .caption(self.title, FONT)
            .x_label_area_size(52)
            .y_label_area_size(88)
            .build_cartesian_2d(x_range, y_range)?;
        chart
            .configure_mesh()
            .x_desc(self.x)
            .y_desc(self.y)
            .x_labels(0)
            .y_label_formatter(&|y| short(*y))
            .label_style(FONT)
            .axis_desc_style(FONT)
            .light_line_style(WHITE)
            .draw()?;
        let floor = low.min(high) / ROOM;
        chart.draw_series(self.places.iter().map(|(x, word)| {
            let style = TextStyle::from(FONT.into_font());
            EmptyElement::at((*x, floor)) + Text::new(word.clone(), (-10, 6), style)
        }))?;
        for (index, (name, points)) in curves.iter().enumerate() {
            let color = Palette99::pick(index).to_rgba();
            let width = if index <= 1 { 3 } else { 1 };
            let style = color.stroke_width(width);
            chart.draw_series(LineSeries::new(points.iter().copied(), style))?;
            chart.draw_series(points.iter().map(|point| Circle::new(*point, 4, color.filled())))?;
            let y = 48 + 24 * index as i32;
            legend.draw(&PathElement::new(vec![(0, y), (24, y)], style))?;
            legend.draw(&Text::new(*name, (32, y - 8), FONT.into_font()))?;
        }
        root.present()?;
        Ok(())
    }
}

/// A number with a letter for its thousands.
fn short(number: f64) -> String {
    match number {
        1e9.. => format!("{}G", number / 1e9),
        1e6.. => format!("{}M", number / 1e6),
        1e3.. => format!("{}k", number / 1e3),
        _ => format!("{number}"),
    }
}
