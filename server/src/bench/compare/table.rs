//! Results of a comparison side by side: medians over the rounds, and what they are as a multiple of each other.
//! Not here: how they came about.

use super::super::report::{Grouped, Micros};
use super::{Contestant, Trial};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// The middle one, or the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let (low, high) = (values.len().checked_sub(1)?.div_euclid(2), values.len().div_euclid(2));
    Some(f64::midpoint(*values.get(low)?, *values.get(high)?))
}

/// How far the values lie apart, in percent of their median.
fn spread_percent(values: &[f64]) -> Option<f64> {
    let median = median(values.to_vec()).filter(|median| *median > 0.0)?;
    let lowest = values.iter().copied().min_by(f64::total_cmp)?;
    let highest = values.iter().copied().max_by(f64::total_cmp)?;
    Some((highest - lowest) / median * 100.0)
}

fn values(trials: &[Trial], work: &str, contestant: Contestant, of: Figure) -> Vec<f64> {
    let mine = |trial: &&Trial| trial.contestant == contestant && trial.work == work;
    trials.iter().filter(mine).filter_map(of).collect()
}

/// What is taken from a trial.
type Figure = fn(&Trial) -> Option<f64>;

/// What the columns are.
pub(super) const LEGEND: &str = "\
Headwater and 'nats-server, synced' (sync_interval: always) sync before each acknowledgement; nats-server, as it comes, does not.
x: how many times as fast Headwater is. Medians of the rounds, ± half of how far they lie apart.";

/// Messages a second. A ratio says how many times as many Headwater does.
pub(super) fn rates(works: &[&str], trials: &[Trial]) -> String {
    let figure: Figure = |trial| Some(trial.report.messages_per_second);
    table(
        "messages/s",
        works,
        trials,
        figure,
        |rate| Grouped(rate.round() as u64).to_string(),
        |mine, other| mine / other,
    )
}

/// Median times to the acknowledgement. A ratio says how many times as long the other takes.
pub(super) fn latencies(works: &[&str], trials: &[Trial]) -> String {
    let figure: Figure = |trial| trial.report.latency_us.map(|latency| latency.p50);
    table(
        "median latency",
        works,
        trials,
        figure,
        |micros| Micros(micros).to_string(),
        |mine, other| other / mine,
    )
}

fn table(
    title: &str,
    works: &[&str],
    trials: &[Trial],
    figure: Figure,
    show: fn(f64) -> String,
    ratio: fn(f64, f64) -> f64,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Disabled);
    let [first, others @ ..] = Contestant::ALL;
    let mut header = vec![title.to_owned(), first.to_string()];
    for other in others {
        header.extend([other.to_string(), "x".to_owned()]);
    }
    let columns = header.len();
    table.set_header(header);
    for work in works {
        let cell = |contestant| {
            let values = values(trials, work, contestant, figure);
            let spread = spread_percent(&values).unwrap_or(0.0);
            median(values)
                .map(|median| (median, format!("{} ±{:.0} %", show(median), spread / 2.0)))
        };
        let mine = cell(first);
        let text = |cell: &Option<(f64, String)>| {
            cell.as_ref().map_or_else(|| "-".to_owned(), |(_, text)| text.clone())
        };
        let mut row = vec![(*work).to_owned(), text(&mine)];
        for other in others {
            let theirs = cell(other);
            let times = mine.as_ref().zip(theirs.as_ref()).map(|(a, b)| ratio(a.0, b.0));
            row.push(text(&theirs));
            row.push(times.map_or_else(|| "-".to_owned(), |times| format!("{times:.2}")));
        }
        table.add_row(row);
    }
    for index in 1..columns {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_spreads() {
        for (values, expected) in
            [(&[3.0, 1.0, 2.0][..], Some(2.0)), (&[4.0, 1.0], Some(2.5)), (&[], None)]
        {
            assert_eq!(median(values.to_vec()), expected);
        }
        assert_eq!(spread_percent(&[90.0, 100.0, 110.0]), Some(20.0));
        assert_eq!(spread_percent(&[]), None);
    }
}
