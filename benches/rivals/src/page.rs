//! The page: a text with tables put into it.
//! Not here: the prose (`page.md`), the curves (`plot`), what a ratio is (`results`).

use crate::Run;
use crate::goals::goals;
use crate::plan::{Group, STREAM_CELLS, Who, count_text};
use crate::results::{Spread, ratio};
use crate::runner::name;
use crate::stores::Contestant;

/// Who the others are compared with.
const HEADWATER: Who = Who::Store(Contestant::Headwater);

/// What is said of a run that other work disturbed.
const IN_VAIN: &str = "\n**Other work disturbed this run so much that it decides nothing**: it shows how all of them do on a machine \
    whose processors are busy, where a thread that a finished write wakes waits for the next tick of the clock. Make it again on a \
    quiet machine.\n";

/// How a value is written.
#[derive(Clone, Copy)]
enum Unit {
    /// A whole number.
    Count,
    /// Megabytes of bytes.
    Megabytes,
    /// Up to three places after the point.
    Small,
}

impl Unit {
    fn text(self, value: f64) -> String {
        match self {
            Self::Count => count_text(value.round() as u64),
            Self::Megabytes => format!("{} MB", count_text((value / 1e6).round() as u64)),
            Self::Small if value >= 100.0 => count_text(value.round() as u64),
            Self::Small if value >= 10.0 => format!("{value:.1}"),
            Self::Small => format!("{value:.3}"),
        }
    }

    fn spread(self, Spread { median, min, max }: Spread) -> String {
        format!("{} ({}..{})", self.text(median), self.text(min), self.text(max))
    }
}

/// A table in Markdown.
pub(crate) fn table<const COLUMNS: usize>(
    head: [&str; COLUMNS],
    rows: impl IntoIterator<Item = [String; COLUMNS]>,
) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&head.map(str::to_owned));
    text.push_str(&line(&head.map(|_| "---".to_owned())));
    rows.into_iter().for_each(|row| text.push_str(&line(&row)));
    text.trim_end().to_owned()
}

/// The whole page.
pub(crate) fn page(run: &Run) -> String {
    let mut page = include_str!("page.md").to_owned();
    for (place, text) in [
        ("date", run.date.clone()),
        ("rounds", run.scale.rounds.to_string()),
        ("time", run.scale.time_ms.to_string()),
        ("longer", run.scale.latency_ms.to_string()),
        (
            "machine",
            table(
                ["machine", ""],
                run.machine.lines(&run.load_average_after).map(|(name, text)| [name.into(), text]),
            ),
        ),
        ("disturbed", run.patience.disturbed.to_string()),
        ("kept", run.patience.kept.to_string()),
        ("vain", if run.patience.is_in_vain() { IN_VAIN } else { "" }.to_owned()),
        ("goals", goals(run)),
        ("profiles", profiles(run)),
        ("disk", disk(run)),
        ("append", comparisons(run, Group::Append, "appends_per_s", Unit::Count)),
        ("streams", streams(run)),
        ("large", comparisons(run, Group::Large, "bytes_per_s", Unit::Megabytes)),
        ("latency", latencies(run)),
        ("tail", tail(run)),
        ("scan", comparisons(run, Group::Scan, "ms", Unit::Small)),
        ("filters", filters()),
        ("open", comparisons(run, Group::Open, "s", Unit::Small)),
        ("memory", memory(run)),
        ("failures", failures(run)),
    ] {
        page = page.replace(&format!("{{{{{place}}}}}"), &text);
    }
    page
}

/// Everybody who was measured in a cell, in the order of the plan.
pub(crate) fn measured(run: &Run, group: Group, cell: &str) -> Vec<Who> {
    let stores = Contestant::ALL.map(Who::Store);
    let [first, rest @ ..] = stores;
    let all = [Who::Disk, first, Who::HeadwaterBatch].into_iter().chain(rest);
    all.filter(|who| {
        run.figures
            .0
            .iter()
            .any(|figure| figure.group == group && figure.cell == cell && figure.who == *who)
    })
    .collect()
}

/// One table for each cell of a group.
fn comparisons(run: &Run, group: Group, value: &str, unit: Unit) -> String {
    let tables = run.figures.cells(group).into_iter().map(|cell| {
        let reference = run.figures.rounds(group, cell, HEADWATER, value);
        let rows = measured(run, group, cell).into_iter().filter_map(|who| {
            let rounds = run.figures.rounds(group, cell, who, value);
            let compared = match ratio(reference, rounds) {
                Some(spread) if who != HEADWATER => two_places(spread),
                _ => String::new(),
            };
            Some([name(who).to_owned(), unit.spread(Spread::of(rounds)?), compared])
        });
        table([cell, "median (least..greatest)", "Headwater is"], rows)
    });
    tables.collect::<Vec<_>>().join("\n\n")
}

/// A ratio as it is written.
pub(crate) fn two_places(Spread { median, min, max }: Spread) -> String {
    format!("{median:.2} ({min:.2}..{max:.2})")
}

fn profiles(run: &Run) -> String {
    let rows = Contestant::ALL.map(|who| {
        let profile = who.profile();
        let version = profile.version().unwrap_or_default();
        let mut calls: Vec<_> = calls(run, who).into_iter().collect();
        if who == Contestant::Headwater {
            let without = self::calls(run, Contestant::HeadwaterPosix);
            calls.extend(without.map(|calls| format!("without the ring: {calls}")));
        }
        let calls = if calls.is_empty() { "not counted".to_owned() } else { calls.join("; ") };
        let name = format!("{} ({} {version})", profile.name, profile.package);
        [name, profile.setting.to_owned(), calls, profile.stream.to_owned()]
    });
    table(
        ["name", "synced by, and many by", "synced calls an append", "what stands for a stream"],
        rows,
    )
}

fn calls(run: &Run, who: Contestant) -> Option<String> {
    let found = run.system_calls.iter().find(|calls| calls.who == who)?;
    let counts = found.per_append.iter().map(|(name, count)| format!("{count:.2} {name}"));
    let opened = found.opens_synced.then(|| "files opened with `O_SYNC`".to_owned());
    Some(counts.chain(opened).collect::<Vec<_>>().join(", "))
}

fn disk(run: &Run) -> String {
    let rows = run.figures.cells(Group::Disk).into_iter().map(|cell| {
        let text = |value, unit: Unit| {
            let rounds = run.figures.rounds(Group::Disk, cell, Who::Disk, value);
            Spread::of(rounds).map(|spread| unit.spread(spread)).unwrap_or_default()
        };
        [cell.to_owned(), text("appends_per_s", Unit::Count), text("bytes_per_s", Unit::Megabytes)]
    });
    table(["disk", "writes per second", "bytes per second"], rows)
}

fn streams(run: &Run) -> String {
    let mut text = comparisons(run, Group::Streams, "appends_per_s", Unit::Count);
    let rounds = |cell: &str| run.figures.rounds(Group::Streams, cell, HEADWATER, "appends_per_s");
    let [(one, ..), .., (many, ..)] = STREAM_CELLS;
    if let Some(spread) = ratio(rounds(many), rounds(one)) {
        let spread = two_places(spread);
        text.push_str(&format!("\n\nHeadwater, {many}, over {one}: {spread}."));
    }
    text
}

fn latencies(run: &Run) -> String {
    let group = Group::Latency;
    let cells = run.figures.cells(group);
    let tables = cells.into_iter().map(|cell| {
        let reference = run.figures.rounds(group, cell, HEADWATER, "p999_us");
        let rows = measured(run, group, cell).into_iter().map(|who| {
            let text = |value| {
                let rounds = run.figures.rounds(group, cell, who, value);
                Spread::of(rounds).map(|spread| Unit::Count.spread(spread)).unwrap_or_default()
            };
            let rounds = run.figures.rounds(group, cell, who, "p999_us");
            let compared = ratio(reference, rounds).filter(|_| who != HEADWATER);
            [
                name(who).to_owned(),
                text("p50_us"),
                text("p99_us"),
                text("p999_us"),
                text("appends_per_s"),
                compared.map(two_places).unwrap_or_default(),
            ]
        });
        let head = [cell, "p50", "p99", "p99.9", "appends per second", "Headwater is"];
        table(head, rows)
    });
    tables.collect::<Vec<_>>().join("\n\n")
}

fn tail(run: &Run) -> String {
    let cells = run.figures.cells(Group::Tail);
    let rows = cells.iter().flat_map(|cell| {
        [("acknowledged", "acked_"), ("seen by the tail", "seen_")].map(|(words, prefix)| {
            let text = |part: &str| {
                let value = format!("{prefix}{part}");
                let rounds = run.figures.rounds(Group::Tail, cell, HEADWATER, &value);
                Spread::of(rounds).map(|spread| Unit::Count.spread(spread)).unwrap_or_default()
            };
            [words.to_owned(), text("p50_us"), text("p99_us"), text("p999_us")]
        })
    });
    table(["Headwater", "p50", "p99", "p99.9"], rows)
}

fn filters() -> String {
    let rows = Contestant::ALL.map(|who| {
        let profile = who.profile();
        [profile.name.to_owned(), profile.filter.to_owned()]
    });
    table(["name", "by"], rows)
}

fn memory(run: &Run) -> String {
    let cells = run.figures.cells(Group::Memory);
    let rounds = |cell: &str| run.figures.rounds(Group::Memory, cell, HEADWATER, "bytes");
    let rows = cells.iter().filter_map(|cell| {
        Some([(*cell).to_owned(), Unit::Megabytes.spread(Spread::of(rounds(cell))?)])
    });
    let mut text = table(["Headwater", "anonymous memory of the process"], rows);
    if let [one, many] = cells.as_slice() {
        let subjects = f64::from(run.scale.subjects);
        let differences =
            rounds(many).iter().zip(rounds(one)).map(|(many, one)| (many - one) / subjects);
        let each: Vec<_> = differences.collect();
        if let Some(spread) = Spread::of(&each) {
            let spread = Unit::Count.spread(spread);
            text.push_str(&format!(
                "\n\nSo a subject costs {spread} bytes more than a message on a subject that is known, with names like \
                 `orders.r123.00004123` (20 bytes). No rival has subjects; a second index of a store lies on disk."
            ));
        }
    }
    text
}

fn failures(run: &Run) -> String {
    if run.failures.is_empty() {
        return "Everything was measured in every round.".to_owned();
    }
    run.failures.iter().map(|failure| format!("- {failure}\n")).collect::<String>()
}
