//! What the engine is to reach, and whether it did.
//! Not here: how it was measured (`plan`, `job`).

use crate::Run;
use crate::page::{table, two_places};
use crate::plan::{Group, LARGE_CELLS, STREAM_CELLS, Who, append_cell, count_text};
use crate::results::{Spread, ratio};
use crate::stores::Contestant;

/// Largest time of an append with nothing else in flight, in times of one synced overwrite of 4 KiB.
const LONE_MAX: f64 = 1.3;
/// Least rate of 1,000 streams with one in flight each, in rates of one stream with 1,000.
const STREAMS_MIN: f64 = 0.5;
/// Least rate of large commits, in rates of synced sequential writes.
const LARGE_MIN: f64 = 0.45;
/// Largest time to open 10 M messages, in seconds.
const OPEN_MAX_S: f64 = 1.0;

/// A table of the goals.
pub(crate) fn goals(run: &Run) -> String {
    let rounds = |group, cell: &str, who, value| run.figures.rounds(group, cell, who, value);
    let headwater = Who::Store(Contestant::Headwater);
    let rate = "appends_per_s";
    let lone = append_cell(1, 128);
    let disk = rounds(Group::Append, &lone, Who::Disk, rate);
    let mine = rounds(Group::Append, &lone, headwater, rate);
    let [(one, ..), .., (many, ..)] = STREAM_CELLS;
    let stream = |cell| rounds(Group::Streams, cell, headwater, rate);
    let [.., (large, _)] = LARGE_CELLS;
    let bytes = |who| rounds(Group::Large, large, who, "bytes_per_s");
    let mut rows = vec![
        row(
            "one in flight, 128 B: within 1.3 times one synced 4 KiB overwrite (`pwritev2`)",
            ratio(disk, mine),
            |found| found <= LONE_MAX,
        ),
        row(
            "1,000 streams, one in flight each: at least half of one stream with 1,000 in flight",
            ratio(stream(many), stream(one)),
            |found| found >= STREAMS_MIN,
        ),
        row(
            "large commits, 4 in flight: at least 45 % of synced sequential writes of 1 MiB",
            ratio(bytes(headwater), bytes(Who::Disk)),
            |found| found >= LARGE_MIN,
        ),
    ];
    if let Some(records) = run.scale.open_large {
        let cell = format!("{} records of 128 B", count_text(records));
        let times = rounds(Group::Open, &cell, headwater, "s");
        rows.push(row(
            "opening 10 M messages after a kill: under 1 s",
            Spread::of(times),
            |found| found < OPEN_MAX_S,
        ));
    }
    if run.patience.is_in_vain() {
        for [.., verdict] in &mut rows {
            "undecided".clone_into(verdict);
        }
    }
    table(["goal", "measured", "reached"], rows)
}

fn row(goal: &str, found: Option<Spread>, reached: impl Fn(f64) -> bool) -> [String; 3] {
    let verdict = match found {
        None => "not measured",
        Some(Spread { median, .. }) if reached(median) => "yes",
        Some(_) => "**no**",
    };
    let text = found.map(two_places).unwrap_or_default();
    [goal.to_owned(), text, verdict.to_owned()]
}
