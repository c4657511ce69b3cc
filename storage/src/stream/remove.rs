//! Messages taken out of a stream other than by an append: deleted, purged, expired, or over a limit that was lowered.
//!
//! Invariants: a removal is a record; it is made visible when that is committed.
//! Not here: what an append removes (`limit`, `append`).

use super::{
    Purge,
    core::{Core, Effect},
    limit,
    record::Ranges,
};
use crate::{Error, Result, Timestamp, subject};

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

    /// Removes what is older than the stream may hold.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Result<Option<Effect>> {
        self.check()?;
        self.dedup.expire(now);
        if self.config.limits.age.is_none() || self.config.sealed {
            return Ok(None);
        }
        let removed = self.removed_by_limits(Ranges::new(), now)?;
        Ok((!removed.is_empty()).then(|| Effect { removed, ..Effect::default() }))
    }

    /// Removes what is over any limit, whatever was appended last: after the limits changed, or after recovery.
    pub(crate) fn enforce(&mut self, now: Timestamp) -> Result<Option<Effect>> {
        self.check()?;
        let mut removed = Ranges::new();
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

    /// When the next message is too old; `None` where none will be.
    pub(crate) fn next_expiry(&mut self) -> Option<Timestamp> {
        let age = self.config.limits.age.filter(|_| !self.config.sealed)?;
        let (_, oldest) = self.contents.oldest_live()?;
        let age = i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
        Some(Timestamp(oldest.time.0.saturating_add(age)))
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
