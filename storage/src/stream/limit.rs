//! What limits do to a stream: whether a message is let in, and what goes once it is.
//!
//! Invariants: decided against live messages, which counts everything that is appended.
//! Not here: how removals become records (`remove`).

use super::{
    config::{Discard, StreamConfig},
    contents::Contents,
    record::Ranges,
};
use crate::{Error, Result, Timestamp};
use hashbrown::HashMap;

/// What earlier messages of the same step would add, counted so that no later one is let in wrongly.
#[derive(Debug, Default)]
pub(crate) struct Planned {
    messages: u64,
    bytes: u64,
    subjects: HashMap<Vec<u8>, u64>,
}

impl Planned {
    /// Counts a message that is let in.
    pub(crate) fn add(&mut self, subject: &[u8], bytes: u32) {
        self.messages += 1;
        self.bytes += u64::from(bytes);
        *self.subjects.entry_ref(subject).or_insert(0) += 1;
    }
}

/// Whether a message fits in. `planned` is `None` where nothing is planned before it.
pub(crate) fn admit(
    config: &StreamConfig,
    contents: &Contents,
    subject: &[u8],
    bytes: u32,
    is_rollup: bool,
    planned: Option<&Planned>,
) -> Result<()> {
    if config.discard == Discard::Old {
        return Ok(());
    }
    let limits = &config.limits;
    let id = contents.subjects.find(subject);
    let planned_of = planned.and_then(|planned| planned.subjects.get(subject)).copied();
    let subject_full = limits.messages_per_subject.is_some_and(|max| {
        let held = id.map_or(0, |id| contents.live_count_of(id));
        held + planned_of.unwrap_or(0) >= max
    });
    if config.discard_new_per_subject && subject_full && !is_rollup {
        return Err(Error::MaximumMessagesPerSubject);
    }
    let (more_messages, more_bytes) = planned.map_or((0, 0), |p| (p.messages, p.bytes));
    // At its limit per subject a message takes the place of an older one.
    if let Some(max) = limits.messages
        && contents.live_messages + more_messages >= max
        && !subject_full
    {
        return Err(Error::MaximumMessages);
    }
    if let Some(max) = limits.bytes
        && contents.live_bytes + more_bytes + u64::from(bytes) > max
    {
        let replaced = id
            .filter(|_| subject_full && more_messages == 0)
            .and_then(|id| contents.oldest_live_of(id))
            .and_then(|at| contents.entries.get(at));
        if replaced.is_none_or(|old| old.bytes < bytes) {
            return Err(Error::MaximumBytes);
        }
    }
    Ok(())
}

/// Dooms what is over the limit per subject, of one subject.
pub(crate) fn over_subject_limit(
    config: &StreamConfig,
    contents: &mut Contents,
    subject: &[u8],
    into: &mut Ranges,
) {
    let Some(max) = config.limits.messages_per_subject else { return };
    let Some(id) = contents.subjects.find(subject) else { return };
    while contents.live_count_of(id) > max {
        let Some(oldest) = contents.oldest_live_of(id) else { return };
        contents.doom(oldest);
        into.push((oldest, oldest));
    }
}

/// Dooms the oldest messages until what is left is within age, and within messages and bytes where the oldest gives way.
///
/// A stream that refuses new messages at a limit is over it only where the limit was lowered: then it keeps what it has.
pub(crate) fn over_limits(
    config: &StreamConfig,
    contents: &mut Contents,
    now: Timestamp,
    into: &mut Ranges,
) {
    let limits = &config.limits;
    let discards = config.discard == Discard::Old;
    // Where a marker takes the place of what is too old, that goes with the marker (`remove`).
    let age = limits.age.filter(|_| config.delete_marker.is_none());
    let oldest_allowed = age.map(|age| now.saturating_sub(age));
    let mut range: Option<(u64, u64)> = None;
    loop {
        let is_over = discards
            && (limits.messages.is_some_and(|max| contents.live_messages > max)
                || limits.bytes.is_some_and(|max| contents.live_bytes > max));
        if !is_over && oldest_allowed.is_none() {
            break;
        }
        let Some((oldest, _)) = contents.oldest_live() else { break };
        if !is_over {
            let Some((at, entry)) = contents.oldest_mortal() else { break };
            if oldest_allowed.is_none_or(|allowed| entry.time > allowed) {
                break;
            }
            if at != oldest {
                contents.doom(at);
                into.push((at, at));
                continue;
            }
        }
        contents.doom_through(oldest);
        range = Some((range.map_or(oldest, |(first, _)| first), oldest));
    }
    into.extend(range);
}

/// Sorts ranges and joins those that touch.
pub(crate) fn joined(mut ranges: Ranges) -> Ranges {
    if ranges.len() < 2 {
        return ranges;
    }
    ranges.sort_unstable();
    let mut joined = Ranges::new();
    for (first, last) in ranges {
        match joined.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => joined.push((first, last)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_joined() {
        for (ranges, expected) in [
            (vec![], vec![]),
            (vec![(5, 5), (1, 2)], vec![(1, 2), (5, 5)]),
            (vec![(5, 9), (1, 5), (10, 12), (7, 8)], vec![(1, 12)]),
        ] {
            assert_eq!(joined(Ranges::from_vec(ranges)).to_vec(), expected);
        }
    }
}
