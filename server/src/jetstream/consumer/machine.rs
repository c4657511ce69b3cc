//! The decisions of a consumer: what is delivered next, what an acknowledgement does, when something is delivered again.
//!
//! Pure: it reads no clock, no stream and no socket. Times are nanoseconds since 1970 and come with each call.
//! Invariants: a message that waits for acknowledgement either has its deadline in `deadlines` or stands in `again`,
//! never both; what stands in `again` is pending. Every change of the state is noted until it is taken to be stored.
//! Not here: who asked for messages (`waiting`), reading and sending them (`delivery`), storing (`store`).

use super::ack::Delivered;
use super::config::AckPolicy;
use super::rules::Rules;
use super::state::{Delta, Pair, Pending, State};
use std::collections::{BTreeSet, VecDeque};

/// What is to be delivered next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// This message, once more.
    Again(u64),
    /// This message of those chosen when the consumer was created.
    Chosen(u64),
    /// The first message from here on that matches.
    From(u64),
    /// Nothing: too much waits for acknowledgement.
    Full,
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It changed something, or there was nothing to change any more.
    Yes,
    /// It changed something: this message waited since this time.
    Settled {
        /// Time of its last delivery.
        since: i64,
    },
    /// It is about something that was never delivered, or nothing has to be acknowledged.
    No,
}

/// A message that was delivered as often as it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exhausted {
    /// Its sequence.
    pub(crate) sequence: u64,
    /// How often it was delivered.
    pub(crate) deliveries: u64,
}

/// What has changed and is not stored yet.
#[derive(Debug, Default)]
struct Changes {
    pending: BTreeSet<u64>,
    redelivered: BTreeSet<u64>,
    any: bool,
}

/// See the top of the file.
#[derive(Debug)]
pub(crate) struct Machine {
    rules: Rules,
    state: State,
    /// To be delivered again, in this order.
    again: VecDeque<u64>,
    is_again: BTreeSet<u64>,
    /// When pending messages are to be delivered again.
    deadlines: BTreeSet<(i64, u64)>,
    /// Chosen when the consumer was created and not delivered yet.
    chosen: VecDeque<u64>,
    changes: Changes,
    /// Messages that are done and that nobody was told of yet.
    settled: Vec<u64>,
}

impl Machine {
    /// A consumer with a state, as it was created or stored.
    pub(crate) fn new(rules: Rules, state: State, chosen: VecDeque<u64>) -> Self {
        let deadlines = state.pending.iter().map(|(at, pending)| (pending.deadline, *at));
        Self {
            deadlines: deadlines.collect(),
            rules,
            state,
            again: VecDeque::new(),
            is_again: BTreeSet::new(),
            chosen,
            changes: Changes::default(),
            settled: Vec::new(),
        }
    }
    /// Messages that were done since this was asked for last.
    pub(crate) fn take_settled(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.settled)
    }
    /// Whether a message that matches is to be delivered, or waits for acknowledgement, or was given up and stays.
    pub(crate) fn needs(&self, sequence: u64) -> bool {
        let State { next, pending, redelivered, .. } = &self.state;
        pending.contains_key(&sequence)
            || redelivered.contains_key(&sequence)
            || match self.chosen.is_empty() {
                true => sequence >= *next,
                false => self.chosen.contains(&sequence),
            }
    }
    /// The state as it is.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }
    /// Messages chosen when the consumer was created that are not delivered yet.
    pub(crate) fn chosen(&self) -> &VecDeque<u64> {
        &self.chosen
    }
    /// How many messages are to be delivered again.
    pub(crate) fn again_count(&self) -> usize {
        self.again.len()
    }
    /// How many new messages may be delivered before too much waits for acknowledgement.
    pub(crate) fn room(&self) -> usize {
        let pending = self.state.pending.len();
        self.rules.pending_max.map_or(usize::MAX, |max| max.saturating_sub(pending))
    }
    /// Goes by other rules from now on.
    pub(crate) fn set_rules(&mut self, rules: Rules, now: i64) {
        let has_same_waits = self.rules.has_same_waits(&rules);
        self.rules = rules;
        if has_same_waits {
            return;
        }
        let queued = &self.is_again;
        let timed: Vec<u64> =
            self.state.pending.keys().copied().filter(|at| !queued.contains(at)).collect();
        for sequence in timed {
            let deliveries = self.state.deliveries(sequence);
            let Some(pending) = self.state.pending.get(&sequence) else { continue };
            let deadline = self.rules.deadline(pending.time, deliveries).max(now);
            self.set_deadline(sequence, deadline);
        }
    }

    /// What is to be delivered next. Messages that were delivered as often as they may be are given up on the way.
    pub(crate) fn next(&mut self, exhausted: &mut Vec<Exhausted>) -> Next {
        while let Some(sequence) = self.again.front().copied() {
            let deliveries = self.state.deliveries(sequence);
            if self.rules.may_deliver_again(deliveries) {
                return Next::Again(sequence);
            }
            self.give_up(sequence, exhausted);
        }
        if self.room() == 0 {
            return Next::Full;
        }
        match self.chosen.front() {
            Some(sequence) => Next::Chosen(*sequence),
            None => Next::From(self.state.next),
        }
    }
    /// The delivery that a message would be if it went now.
    pub(crate) fn preview(&self, sequence: u64) -> Delivered {
        let is_again = u64::from(self.is_again.contains(&sequence));
        let deliveries = self.state.deliveries(sequence) + is_again;
        Delivered { deliveries, sequence, delivery: self.state.delivered.delivery + 1 }
    }
    /// A message is on its way: gives the delivery.
    pub(crate) fn delivered(&mut self, sequence: u64, now: i64) -> Delivered {
        let delivery = self.state.delivered.delivery + 1;
        let is_again = self.unqueue(sequence);
        if self.chosen.front() == Some(&sequence) {
            self.chosen.pop_front();
        }
        if is_again {
            *self.state.redelivered.entry(sequence).or_insert(0) += 1;
            self.changes.redelivered.insert(sequence);
        }
        let deliveries = self.state.deliveries(sequence);
        let delivered = &mut self.state.delivered;
        *delivered = Pair { delivery, sequence: delivered.sequence.max(sequence) };
        self.state.next = self.state.next.max(sequence + 1);
        if self.rules.ack_policy == AckPolicy::None {
            self.state.floor = self.state.delivered;
            self.settled.push(sequence);
        } else {
            let deadline = self.rules.deadline(now, deliveries);
            let first = self.state.pending.get(&sequence).map(|pending| pending.delivery);
            let pending = Pending { delivery: first.unwrap_or(delivery), time: now, deadline };
            self.put(sequence, pending);
        }
        self.changes.any = true;
        Delivered { deliveries, sequence, delivery }
    }
    /// Everything below this sequence was looked at and does not match.
    pub(crate) fn skip_to(&mut self, next: u64) {
        if next > self.state.next {
            self.state.next = next;
            self.changes.any = true;
        }
    }
    /// The first of the chosen messages is not there any more.
    pub(crate) fn drop_chosen(&mut self) {
        self.chosen.pop_front();
        self.changes.any = true;
    }

    /// A message is done.
    pub(crate) fn done(&mut self, answered: Delivered) -> Taken {
        let sequence = answered.sequence;
        if sequence >= self.state.next && self.rules.ack_policy != AckPolicy::FlowControl {
            return Taken::No;
        }
        match self.rules.ack_policy {
            AckPolicy::None => Taken::No,
            AckPolicy::Explicit => {
                let settled = self.settle(sequence);
                self.forget_redelivered(sequence);
                self.settled.push(sequence);
                settled.map_or(Taken::Yes, |since| Taken::Settled { since })
            }
            AckPolicy::All | AckPolicy::FlowControl => {
                self.done_through(sequence, answered.delivery)
            }
        }
    }

    fn done_through(&mut self, sequence: u64, delivery: u64) -> Taken {
        if sequence <= self.state.floor.sequence {
            return Taken::Yes;
        }
        let below = self.state.pending.range(..=sequence).map(|(at, _)| *at);
        for sequence in below.collect::<Vec<_>>() {
            self.take_out(sequence);
            self.forget_redelivered(sequence);
            self.settled.push(sequence);
        }
        // Deliveries of what is pending still count, whatever was delivered again in between.
        let last = self.state.delivered;
        let next = self.state.pending.values().map(|pending| pending.delivery).min();
        let below = next.map_or(last.delivery, |next| next - 1);
        self.state.floor = Pair {
            delivery: delivery.min(below).max(self.state.floor.delivery),
            sequence: sequence.min(last.sequence),
        };
        self.changes.any = true;
        Taken::Yes
    }
    /// A message is to be delivered again, now or after so many nanoseconds. False where it does not wait.
    pub(crate) fn again(&mut self, answered: Delivered, delay: Option<i64>, now: i64) -> bool {
        let Delivered { sequence, delivery, .. } = answered;
        let is_old = delivery <= self.state.floor.delivery;
        if is_old || !self.state.pending.contains_key(&sequence) {
            return false;
        }
        match delay {
            Some(delay) => {
                self.unqueue(sequence);
                self.set_deadline(sequence, now.saturating_add(delay));
            }
            None => self.queue(sequence),
        }
        true
    }
    /// The client still works on a message.
    pub(crate) fn working(&mut self, sequence: u64, now: i64) {
        let deliveries = self.state.deliveries(sequence);
        let deadline = self.rules.deadline(now, deliveries);
        if let Some(pending) = self.state.pending.get(&sequence).copied()
            && !self.is_again.contains(&sequence)
        {
            self.put(sequence, Pending { time: now, deadline, ..pending });
        }
    }
    /// A message is not in the stream any more. Gives its delivery, if it waited for acknowledgement.
    pub(crate) fn gone(&mut self, sequence: u64) -> Option<Delivered> {
        let pending = self.state.pending.get(&sequence).copied();
        let deliveries = self.state.deliveries(sequence);
        self.settle(sequence);
        self.forget_redelivered(sequence);
        pending.map(|pending| Delivered { deliveries, sequence, delivery: pending.delivery })
    }
    /// The stream begins here now: nothing before can be delivered or acknowledged.
    pub(crate) fn stream_begins(&mut self, first: u64) {
        let below = self.state.pending.range(..first).map(|(at, _)| *at);
        for sequence in below.collect::<Vec<_>>() {
            self.settle(sequence);
        }
        let below = self.state.redelivered.range(..first).map(|(at, _)| *at);
        for sequence in below.collect::<Vec<_>>() {
            self.forget_redelivered(sequence);
        }
        while self.chosen.front().is_some_and(|at| *at < first) {
            self.drop_chosen();
        }
    }

    /// Queues what waited too long; gives when to come again. What was delivered as often as it may be is queued too, and
    /// given up when its turn comes.
    pub(crate) fn expire(&mut self, now: i64) -> Option<i64> {
        let due = self.deadlines.range(..=(now, u64::MAX)).map(|(_, at)| *at);
        let mut due: Vec<u64> = due.collect();
        due.sort_unstable();
        due.into_iter().for_each(|sequence| self.queue(sequence));
        let next = self.deadlines.first().map(|(deadline, _)| *deadline);
        next.filter(|deadline| *deadline < i64::MAX)
    }
    /// When the last of the messages that wait is to be delivered again, if any is.
    pub(crate) fn latest_deadline(&self) -> Option<i64> {
        let latest = self.deadlines.last().map(|(deadline, _)| *deadline);
        latest.filter(|deadline| *deadline < i64::MAX)
    }
    /// Whether something has changed that was not taken to be stored.
    pub(crate) fn has_changed(&self) -> bool {
        let Changes { pending, redelivered, any } = &self.changes;
        *any || !pending.is_empty() || !redelivered.is_empty()
    }
    /// Begins again at this sequence; what waits for acknowledgement is forgotten.
    pub(crate) fn reset(&mut self, next: u64) {
        let (mut changes, settled) =
            (std::mem::take(&mut self.changes), std::mem::take(&mut self.settled));
        changes.pending.extend(self.state.pending.keys());
        changes.redelivered.extend(self.state.redelivered.keys());
        changes.any = true;
        *self = Self::new(self.rules.clone(), State::starting(next), VecDeque::new());
        (self.changes, self.settled) = (changes, settled);
    }
    /// Where it begins when it is reset to what is acknowledged.
    pub(crate) fn acknowledged_end(&self) -> u64 {
        self.state.floor.sequence + 1
    }

    /// What has changed since this was asked for last; `None` where nothing has.
    pub(crate) fn take_changes(&mut self) -> Option<Delta> {
        if !self.has_changed() {
            return None;
        }
        let changes = std::mem::take(&mut self.changes);
        let State { delivered, floor, next, pending, redelivered } = &self.state;
        let waits = |at: u64| (at, pending.get(&at).copied());
        let count = |at: u64| (at, redelivered.get(&at).copied().unwrap_or(0));
        Some(Delta {
            delivered: *delivered,
            floor: *floor,
            next: *next,
            pending: changes.pending.into_iter().map(waits).collect(),
            redelivered: changes.redelivered.into_iter().map(count).collect(),
        })
    }

    fn put(&mut self, sequence: u64, pending: Pending) {
        if let Some(before) = self.state.pending.insert(sequence, pending) {
            self.deadlines.remove(&(before.deadline, sequence));
        }
        self.deadlines.insert((pending.deadline, sequence));
        self.changes.pending.insert(sequence);
    }
    fn set_deadline(&mut self, sequence: u64, deadline: i64) {
        if let Some(pending) = self.state.pending.get(&sequence).copied() {
            self.put(sequence, Pending { deadline, ..pending });
        }
    }
    fn queue(&mut self, sequence: u64) {
        if let Some(pending) = self.state.pending.get(&sequence) {
            self.deadlines.remove(&(pending.deadline, sequence));
        }
        if self.is_again.insert(sequence) {
            self.again.push_back(sequence);
        }
    }
    fn unqueue(&mut self, sequence: u64) -> bool {
        if !self.is_again.remove(&sequence) {
            return false;
        }
        match self.again.front() == Some(&sequence) {
            true => drop(self.again.pop_front()),
            false => self.again.retain(|at| *at != sequence),
        }
        true
    }
    fn take_out(&mut self, sequence: u64) -> Option<Pending> {
        self.unqueue(sequence);
        let pending = self.state.pending.remove(&sequence)?;
        self.deadlines.remove(&(pending.deadline, sequence));
        self.changes.pending.insert(sequence);
        Some(pending)
    }
    /// A pending message needs nothing any more; gives when it was delivered last.
    fn settle(&mut self, sequence: u64) -> Option<i64> {
        let pending = self.take_out(sequence)?;
        self.state.raise_floor(Pair { delivery: pending.delivery, sequence });
        Some(pending.time)
    }
    fn forget_redelivered(&mut self, sequence: u64) {
        if self.state.redelivered.remove(&sequence).is_some() {
            self.changes.redelivered.insert(sequence);
        }
    }
    fn give_up(&mut self, sequence: u64, exhausted: &mut Vec<Exhausted>) {
        let deliveries = self.state.deliveries(sequence);
        exhausted.push(Exhausted { sequence, deliveries });
        self.settle(sequence);
        // It stays in the stream, whatever goes by acknowledgement.
        self.state.redelivered.entry(sequence).or_insert(1);
        self.changes.redelivered.insert(sequence);
    }
}

#[cfg(test)]
#[path = "machine_test.rs"]
mod tests;
