//! Messages taken out of a stream other than by an append: deleted, purged, expired, or over a limit that was lowered.
//!
//! Invariants: a removal is a record; it is made visible when that is committed.
//! Not here: what an append removes (`limit`, `append`).

use super::{
    Purge,
    append::size,
    core::{Core, Effect},
    limit,
    record::Ranges,
};
use crate::{Error, NewMessage, Result, Timestamp, message::Lifetime, message::Rollup, subject};
use bytes::Bytes;

/// Messages that go for the end of their lifetime at one look, and those that a marker may take the place of. What is left
/// goes at the next.
const EXPIRED_MAX: usize = 16_384;
const MARKED_MAX: usize = 1024;

impl Core {
    /// Deletes one message.
    pub(crate) fn delete(&mut self, sequence: u64, now: Timestamp) -> Result<Effect> {
        self.check()?;
        if self.config.sealed {
            return Err(Error::Sealed);
        }
        if self.config.deny_delete {
            return Err(Error::DeleteDenied);
        }
        if !self.contents.is_live(sequence) {
            return Err(Error::MessageNotFound(sequence));
        }
        self.append_removal(Ranges::from_slice(&[(sequence, sequence)]), now)
    }

    /// Takes out those of these messages that are there. `None` where none is.
    pub(crate) fn release(&mut self, sequences: &[u64], now: Timestamp) -> Result<Option<Effect>> {
        self.check()?;
        let live = sequences.iter().filter(|at| self.contents.is_live(**at));
        let ranges = limit::joined(live.map(|at| (*at, *at)).collect());
        if ranges.is_empty() {
            return Ok(None);
        }
        self.append_removal(ranges, now).map(Some)
    }

    /// Purges; gives how many messages go. The effect is `None` where none does.
    pub(crate) fn purge(&mut self, purge: &Purge, now: Timestamp) -> Result<(u64, Option<Effect>)> {
        self.check()?;
        if self.config.sealed {
            return Err(Error::Sealed);
        }
        if self.config.deny_purge {
            return Err(Error::PurgeDenied);
        }
        let through = match purge.before {
            Some(before) => before.saturating_sub(1),
            None => u64::MAX,
        };
        let keep = purge.keep.unwrap_or(0);
        let filter = purge.filter.as_deref().filter(|filter| *filter != ">");
        let ranges = match filter {
            None => self.oldest_but(keep, through),
            Some(filter) => self.matching_but(filter, keep, through),
        };
        if ranges.is_empty() {
            return Ok((0, None));
        }
        let before = self.contents.live_messages;
        let effect = self.append_removal(ranges, now)?;
        Ok((before - self.contents.live_messages, Some(effect)))
    }

    /// Removes what is older than the stream may hold, and what outlived its own lifetime. The effects are queued; true
    /// where there are some.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Result<bool> {
        self.check()?;
        self.dedup.expire(now);
        if self.is_unchanging() {
            return Ok(false);
        }
        if let Some(marker) = &self.config.delete_marker {
            let template = NewMessage {
                headers: Bytes::copy_from_slice(&marker.headers),
                rollup: Some(Rollup::Subject),
                lifetime: Lifetime::For(marker.lifetime),
                is_marker: true,
                ..NewMessage::default()
            };
            return self.expire_with_markers(&template, now);
        }
        let over = self.lifetimes_over(now);
        let removed = match self.config.sealed {
            true => self.removed_only(over, now)?,
            false => self.removed_by_limits(over, now)?,
        };
        let is_changed = !removed.is_empty();
        if is_changed {
            self.queue(Effect { removed, ..Effect::default() }, None);
        }
        Ok(is_changed)
    }

    /// Whether nothing goes by itself: in a sealed stream what has a lifetime still does, but no marker can take its place.
    fn is_unchanging(&self) -> bool {
        self.config.sealed && (self.config.delete_marker.is_some() || !self.config.lifetimes)
    }

    /// Dooms messages whose lifetime is over.
    fn lifetimes_over(&mut self, now: Timestamp) -> Ranges {
        if !self.config.lifetimes || self.config.delete_marker.is_some() {
            return Ranges::new();
        }
        let over = self.contents.lifetime_over(now, EXPIRED_MAX);
        for at in &over {
            self.contents.doom(*at);
        }
        over.into_iter().map(|at| (at, at)).collect()
    }

    /// Removes what is due; where it is the last message of its subject, a marker takes its place in the same step.
    fn expire_with_markers(&mut self, template: &NewMessage, now: Timestamp) -> Result<bool> {
        let mut due = Vec::new();
        if self.config.lifetimes {
            due = self.contents.lifetime_over(now, MARKED_MAX);
        }
        if let Some(age) = self.config.limits.age {
            due.extend(self.contents.older_than(now.saturating_sub(age), MARKED_MAX));
        }
        due.sort_unstable();
        due.dedup();
        let (mut removed, mut marked) = (Ranges::new(), Vec::new());
        for at in due {
            let contents = &mut self.contents;
            let Some(entry) = contents.entries.get(at) else { continue };
            let is_last = contents.live_count_of(entry.subject) == 1;
            if is_last && !contents.expiries.get(at).is_marker {
                marked.push(Bytes::copy_from_slice(contents.subjects.subject(entry.subject)));
            } else {
                contents.doom(at);
                removed.push((at, at));
            }
        }
        let is_changed = !removed.is_empty() || !marked.is_empty();
        if !removed.is_empty() {
            let removed = self.removed_by_limits(removed, now)?;
            self.queue(Effect { removed, ..Effect::default() }, None);
        }
        for subject in marked {
            let marker = NewMessage { subject, ..template.clone() };
            let bytes = size(self.config.storage, &marker);
            let (_, effect) = self.store(&marker, bytes, now)?;
            self.queue(effect, None);
        }
        Ok(is_changed)
    }

    /// Removes what is over any limit, whatever was appended last: after the limits changed, or after recovery.
    pub(crate) fn enforce(&mut self, now: Timestamp) -> Result<Option<Effect>> {
        self.check()?;
        // First, so that nothing gives way to what goes anyhow; but for those in whose place a marker comes, and where more are
        // over than go at one look.
        let mut removed = self.lifetimes_over(now);
        if let Some(max) = self.config.limits.messages_per_subject {
            let mut over = Vec::new();
            let contents = &self.contents;
            contents.subjects.for_each_match(">", &mut |id| {
                if contents.live_count_of(id) > max {
                    over.push(contents.subjects.subject(id).to_vec());
                }
            });
            for subject in over {
                limit::over_subject_limit(&self.config, &mut self.contents, &subject, &mut removed);
            }
        }
        let removed = self.removed_by_limits(removed, now)?;
        Ok((!removed.is_empty()).then(|| Effect { removed, ..Effect::default() }))
    }

    /// When the next message is too old or its lifetime over; `None` where none will be.
    pub(crate) fn next_expiry(&mut self) -> Option<Timestamp> {
        if self.is_unchanging() {
            return None;
        }
        let lifetime = self.contents.expiries.next_end().filter(|_| self.config.lifetimes);
        let age = self.config.limits.age.filter(|_| !self.config.sealed);
        let too_old = age.and_then(|age| {
            let (_, oldest) = self.contents.oldest_mortal()?;
            let age = i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
            Some(oldest.time.0.saturating_add(age))
        });
        lifetime.into_iter().chain(too_old).min().map(Timestamp)
    }

    /// Everything up to `through` but for the newest `keep`.
    fn oldest_but(&mut self, keep: u64, through: u64) -> Ranges {
        let Some((first, _)) = self.contents.oldest_live() else { return Ranges::new() };
        let mut last = through.min(self.last_sequence);
        if keep > 0 {
            let goes = self.contents.live_messages.saturating_sub(keep);
            let Some(nth) = usize::try_from(goes).ok().and_then(|goes| goes.checked_sub(1)) else {
                return Ranges::new();
            };
            let live: Option<u64> = self
                .contents
                .entries
                .iter_from(first)
                .map(|(at, _)| at)
                .filter(|at| self.contents.is_live(*at))
                .nth(nth);
            last = last.min(live.unwrap_or(0));
        }
        if last < first { Ranges::new() } else { Ranges::from_slice(&[(first, last)]) }
    }

    /// Everything up to `through` whose subject matches, but for the newest `keep` of them.
    fn matching_but(&self, filter: &str, keep: u64, through: u64) -> Ranges {
        let contents = &self.contents;
        let mut found = Vec::new();
        let mut visit = |id| {
            let all = contents.subjects.sequences(id).into_iter();
            let live = all.flat_map(|all| all.iter_from(contents.live_first));
            found.extend(
                live.take_while(|at| *at <= through || keep > 0).filter(|at| contents.is_live(*at)),
            );
        };
        if subject::has_wildcard(filter) {
            contents.subjects.for_each_match(filter, &mut visit);
        } else if let Some(id) = contents.subjects.find(filter.as_bytes()) {
            visit(id);
        }
        found.sort_unstable();
        let goes = found.len().saturating_sub(usize::try_from(keep).unwrap_or(usize::MAX));
        found.truncate(goes);
        found.retain(|at| *at <= through);
        limit::joined(found.into_iter().map(|at| (at, at)).collect())
    }

    fn append_removal(&mut self, ranges: Ranges, now: Timestamp) -> Result<Effect> {
        self.roll()?;
        self.begin();
        self.encoder.remove(&ranges);
        self.append_group(now, false, false)?;
        self.contents.doom_ranges(&ranges);
        Ok(Effect { removed: ranges, ..Effect::default() })
    }
}
