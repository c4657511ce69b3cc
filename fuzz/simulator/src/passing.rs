//! What goes by itself in the model: over a limit, too old, at the end of its own lifetime; and what is due at some time.
//!
//! As in `docs/GUARANTEES.md`: a message whose time is over goes, a marker takes the place of the last one of its subject
//! where the stream says so, and nothing else goes.
//! Not here: what is asked for (`model`).

use crate::model::{Model, Refusal, nanoseconds};
use headwater_storage::{NewMessage, message::Lifetime, stream::Discard};
use std::collections::{BTreeMap, BTreeSet};

/// What a message was stored with, beside what a reader sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fate {
    /// When its lifetime is over; `None` where it has none that ends.
    end: Option<i64>,
    /// The limit on age does not take it.
    is_forever: bool,
    /// No marker takes its place.
    is_marker: bool,
    pub(crate) due: Option<i64>,
}

impl Fate {
    /// Of a message stored at this time; `None` for most.
    pub(crate) fn of(new: &NewMessage, time: i64) -> Option<Self> {
        let end = match new.lifetime {
            Lifetime::For(lifetime) => Some(time.saturating_add(nanoseconds(lifetime))),
            Lifetime::Unset | Lifetime::Forever => None,
        };
        let is_forever = new.lifetime == Lifetime::Forever;
        let due = new.due.map(|due| due.0);
        let is_usual = end.is_none() && !is_forever && !new.is_marker && due.is_none();
        (!is_usual).then_some(Self { end, is_forever, is_marker: new.is_marker, due })
    }
}

impl Model {
    fn has_markers(&self) -> bool {
        self.config.delete_marker.is_some()
    }

    fn is_forever(&self, at: u64) -> bool {
        self.fates.get(&at).is_some_and(|fate| fate.is_forever)
    }

    /// Whether the lifetime of a message is over, and the stream acts on that.
    pub(crate) fn is_over(&self, at: u64, now: i64) -> bool {
        let end = self.fates.get(&at).and_then(|fate| fate.end);
        self.config.lifetimes && end.is_some_and(|end| end <= now)
    }

    /// Messages too old at this time. The oldest goes first: one with an earlier time behind a younger one waits.
    fn too_old(&self, now: i64) -> Vec<u64> {
        let Some(age) = self.config.limits.age else { return Vec::new() };
        let oldest = now.saturating_sub(nanoseconds(age));
        let mortal = self.messages.iter().filter(|(at, _)| !self.is_forever(**at));
        mortal.take_while(|(_, message)| message.time <= oldest).map(|(at, _)| *at).collect()
    }

    fn limit_subjects(&mut self) {
        let Some(max) = self.config.limits.messages_per_subject else { return };
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let mut over = Vec::new();
        for (at, message) in self.messages.iter().rev() {
            let count = counts.entry(message.subject.clone()).or_default();
            *count += 1;
            if *count > max {
                over.push(*at);
            }
        }
        for at in over {
            self.messages.remove(&at);
        }
    }

    /// Without markers, which need a look of their own.
    fn end_lifetimes(&mut self, now: i64) {
        if self.has_markers() {
            return;
        }
        let over: Vec<u64> =
            self.messages.keys().copied().filter(|at| self.is_over(*at, now)).collect();
        for at in over {
            self.messages.remove(&at);
        }
    }

    fn limit_all(&mut self, now: i64) {
        let limits = self.config.limits.clone();
        let mut bytes = self.bytes();
        while let Some((at, message)) = self.messages.first_key_value() {
            // A stream that refuses new messages keeps what it has where a limit was lowered.
            let is_full = limits.messages.is_some_and(|max| self.messages.len() as u64 > max)
                || limits.bytes.is_some_and(|max| bytes > max);
            if !is_full || self.config.discard != Discard::Old {
                break;
            }
            bytes -= self.bytes_held(message);
            let at = *at;
            self.messages.remove(&at);
        }
        if !self.has_markers() {
            for at in self.too_old(now) {
                self.messages.remove(&at);
            }
        }
    }

    /// Takes away what is over the limits at this time.
    pub fn limit(&mut self, now: i64) {
        self.limit_subjects();
        self.limit_all(now);
    }

    /// What a new configuration takes away.
    pub fn enforce(&mut self, now: i64) {
        // First, so that nothing gives way to what goes anyhow.
        self.end_lifetimes(now);
        self.limit(now);
    }

    /// What opening takes away.
    pub fn reopen(&mut self, now: i64) {
        if !self.config.sealed {
            self.enforce(now);
        }
    }

    /// What passing time takes away, in steps that are durable one after the other.
    pub fn expire(&self, now: i64) -> Vec<Self> {
        let mut model = self.clone();
        match (self.config.sealed, self.has_markers()) {
            (true, true) => return Vec::new(),
            (true, false) => model.end_lifetimes(now),
            (false, false) => {
                model.end_lifetimes(now);
                model.limit_all(now);
            }
            (false, true) => return self.expire_with_markers(now),
        }
        vec![model]
    }

    fn expire_with_markers(&self, now: i64) -> Vec<Self> {
        let over = self.messages.keys().copied().filter(|at| self.is_over(*at, now));
        let goes: BTreeSet<u64> = over.chain(self.too_old(now)).collect();
        let (mut model, mut marked) = (self.clone(), Vec::new());
        for at in goes {
            let Some(message) = model.messages.get(&at).cloned() else { continue };
            let of_subject = model.messages.values().filter(|one| one.subject == message.subject);
            let is_marker = model.fates.get(&at).is_some_and(|fate| fate.is_marker);
            if of_subject.count() == 1 && !is_marker {
                marked.push(message.subject.clone());
            } else {
                model.messages.remove(&at);
            }
        }
        let mut steps = vec![model.clone()];
        let Some(marker) = self.config.delete_marker.clone() else { return steps };
        for subject in marked {
            model.messages.retain(|_, held| held.subject != subject);
            let new = NewMessage {
                subject: subject.into(),
                headers: marker.headers.clone().into(),
                lifetime: Lifetime::For(marker.lifetime),
                is_marker: true,
                ..NewMessage::default()
            };
            model.store(model.last + 1, now, &new);
            model.limit(now);
            steps.push(model.clone());
        }
        steps
    }

    /// Messages that are due at some time, the earliest first.
    pub(crate) fn dues(&self) -> Vec<(i64, u64)> {
        let due = |at: &u64| Some((self.fates.get(at)?.due?, *at));
        let mut dues: Vec<_> = self.messages.keys().filter_map(due).collect();
        dues.sort_unstable();
        dues
    }

    pub(crate) fn is_due(&self, at: u64) -> bool {
        self.messages.contains_key(&at)
            && self.fates.get(&at).is_some_and(|fate| fate.due.is_some())
    }

    /// Changes when a message is due that is due at some time.
    pub(crate) fn set_due(&mut self, at: u64, due: Option<i64>) -> Result<(), Refusal> {
        if !self.is_due(at) {
            return Err("MessageNotFound");
        }
        if let Some(fate) = self.fates.get_mut(&at) {
            fate.due = due;
        }
        Ok(())
    }

    /// Takes messages out, whatever deletes are denied.
    pub(crate) fn release(&mut self, sequences: &[u64]) -> bool {
        let before = self.messages.len();
        self.messages.retain(|at, _| !sequences.contains(at));
        self.messages.len() < before
    }
}
