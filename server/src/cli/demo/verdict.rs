//! Whether streams hold what they should: what was acknowledged, and the copies what their origins hold.
//! Pure comparisons; a message counts as wrong if it is not the one that belongs under its sequence.
//! Not here: reading the streams (`contents`).

use super::contents::Contents;
use super::load::Acknowledged;
use crate::cli::size;
use crate::cli::stream::stored::StoredMessage;
use crate::cli::table::Table;
use std::collections::HashMap;

/// The header in which a sourced message says where it comes from: the stream, its sequence there, and more.
const SOURCE_HEADER: &str = "Nats-Stream-Source";

/// What was found in a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Finding {
    /// What it should hold.
    expected: usize,
    /// What it holds. A stream may hold messages whose acknowledgement got lost in the crash.
    held: usize,
    missing: usize,
    twice: usize,
    wrong: usize,
}

impl Finding {
    fn is_good(&self) -> bool {
        self.missing == 0 && self.twice == 0 && self.wrong == 0
    }

    /// A stream that messages were published to.
    fn of_origin(acknowledged: &[Acknowledged], held: &[StoredMessage]) -> Self {
        let mut finding =
            Self { expected: acknowledged.len(), held: held.len(), ..Self::default() };
        let mut counts: HashMap<&[u8], usize> = HashMap::new();
        let by_sequence: HashMap<u64, &StoredMessage> =
            held.iter().map(|message| (message.sequence, message)).collect();
        for message in held {
            *counts.entry(&message.body).or_default() += 1;
        }
        for Acknowledged { sequence, body, .. } in acknowledged {
            match by_sequence.get(sequence) {
                Some(message) if message.body == body.as_bytes() => {}
                Some(_) => finding.wrong += 1,
                None => finding.missing += 1,
            }
        }
        finding.twice = counts.values().map(|count| count - 1).sum();
        finding
    }

    /// A stream that has both others as its sources: each message once, and those of one origin in their order.
    fn of_sourced(origins: [(&str, &[StoredMessage]); 2], held: &[StoredMessage]) -> Self {
        let expected = origins.iter().map(|(_, messages)| messages.len()).sum();
        let mut finding = Self { expected, held: held.len(), ..Self::default() };
        let mut open: HashMap<(&str, u64), &StoredMessage> = HashMap::new();
        for (name, messages) in origins {
            open.extend(messages.iter().map(|message| ((name, message.sequence), message)));
        }
        let mut last: HashMap<&str, u64> = HashMap::new();
        for message in held {
            let Some((name, sequence)) = source_of(message) else {
                finding.wrong += 1;
                continue;
            };
            let Some(origin) = open.remove(&(name, sequence)) else {
                finding.twice += 1;
                continue;
            };
            let is_same = (&origin.subject, &origin.body) == (&message.subject, &message.body);
            let is_behind = last.insert(name, sequence).is_none_or(|before| before < sequence);
            finding.wrong += usize::from(!is_same || !is_behind);
        }
        finding.missing = open.len();
        finding
    }

    /// A stream that is the mirror of another: the same messages under the same sequences, with headers and times.
    fn of_mirror(origin: &[StoredMessage], held: &[StoredMessage]) -> Self {
        let differs = |(one, other): &(&StoredMessage, &StoredMessage)| one != other;
        Self {
            expected: origin.len(),
            held: held.len(),
            missing: origin.len().saturating_sub(held.len()),
            twice: held.len().saturating_sub(origin.len()),
            wrong: origin.iter().zip(held).filter(differs).count(),
        }
    }
}

fn source_of(message: &StoredMessage) -> Option<(&str, u64)> {
    let mut words = message.header(SOURCE_HEADER)?.split(' ');
    Some((words.next()?, words.next()?.parse().ok()?))
}

/// What was found in all streams.
#[derive(Debug)]
pub(super) struct Verdict([(&'static str, Finding); 4]);

impl Verdict {
    /// Compares.
    pub(super) fn new(acknowledged: impl Fn(&str) -> Vec<Acknowledged>, found: &Contents) -> Self {
        let Contents { orders, returns, archive, report } = found;
        let origins = [("ORDERS", orders.as_slice()), ("RETURNS", returns.as_slice())];
        Self([
            ("ORDERS", Finding::of_origin(&acknowledged("ORDERS"), orders)),
            ("RETURNS", Finding::of_origin(&acknowledged("RETURNS"), returns)),
            ("ARCHIVE", Finding::of_sourced(origins, archive)),
            ("REPORT", Finding::of_mirror(archive, report)),
        ])
    }

    /// Whether everything is as it should be.
    pub(super) fn is_good(&self) -> bool {
        self.0.iter().all(|(_, finding)| finding.is_good())
    }

    /// Whether each of the streams holds as many messages.
    pub(super) fn holds(&self, counts: [usize; 4]) -> bool {
        self.0.iter().zip(counts).all(|((_, finding), count)| finding.held == count)
    }

    /// For people.
    pub(super) fn table(&self, title: &str) -> Table {
        let header = ["Stream", "Must hold", "Holds", "Missing", "Twice", "Wrong"];
        let mut table = Table::new(title, &header);
        for (name, finding) in &self.0 {
            let Finding { expected, held, missing, twice, wrong } = finding;
            let count = |count: &usize| size::count_text(*count as u64);
            let name = (*name).to_owned();
            table.add([
                name,
                count(expected),
                count(held),
                count(missing),
                count(twice),
                count(wrong),
            ]);
        }
        table
    }
}

#[cfg(test)]
#[path = "verdict_test.rs"]
mod tests;
