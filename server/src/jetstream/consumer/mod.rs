//! A consumer of a stream: it hands out the stream's messages, in order, to those who ask or listen, and remembers what
//! was acknowledged.
//!
//! Life of a message: the consumer's task collects it under the lock (`delivery`), gives it to whoever is next
//! (`sending`, `waiting`), and sends it. Life of an acknowledgement: the publisher's task takes it (`answers`), the
//! machine settles it (`machine`), and the state is stored (`saver`); who wants an answer gets it then.
//!
//! Not here: requests and replies of the API (`api`), which consumers a stream has (`consumers`).

mod ack;
mod answers;
mod clock;
pub(crate) mod config;
mod core;
mod delivery;
mod events;
mod flow;
mod info;
pub(crate) mod ledger;
mod machine;
mod pace;
mod pin;
mod push;
mod request;
mod rules;
mod saver;
mod sending;
mod start;
mod state;
mod status;
mod task;
mod waiting;

pub(crate) use events::Event;
pub(crate) use rules::Rules;
pub(crate) use start::{resumed, start};
pub(crate) use state::{Pair, Pending, State};
pub(crate) use status::Status;

use self::core::{Core, Way};
use answers::{Inlet, Receiver};
use clock::Clock;
use config::{AckPolicy, ConsumerConfig, DeliverPolicy};
use delivery::Output;
use headwater_storage::{Stream, Timestamp};
use ledger::{Described, Ledger};
use machine::Machine;
use pace::Pace;
use push::Push;
use saver::Saver;
use waiting::Queue;

use super::entry::Entry;
use super::text_time;
use crate::routing::{Account, InternalSubscription, Wakeups};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::Notify;

/// One consumer.
pub(crate) struct Consumer {
    /// Its name.
    pub(crate) name: String,
    /// Name of its stream.
    pub(crate) stream: String,
    /// When it was created.
    pub(crate) created: Timestamp,
    /// Where it is stored, if it is.
    pub(crate) ledger: Option<Ledger>,
    entry: Weak<Entry>,
    account: Arc<Account>,
    /// The first sequence that it was ever to deliver.
    begins: u64,
    clock: Clock,
    core: Mutex<Core>,
    saver: Arc<Saver>,
    woken: Arc<Notify>,
    inlets: Mutex<Vec<InternalSubscription>>,
    task: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Consumer({} > {})", self.stream, self.name)
    }
}

impl Consumer {
    /// A consumer with a state, not running yet.
    pub(crate) fn new(
        name: &str,
        entry: &Arc<Entry>,
        account: &Arc<Account>,
        described: &Described,
        state: State,
        ledger: Option<Ledger>,
    ) -> Arc<Self> {
        let clock = Clock::default();
        let now = clock.now();
        let config = Arc::new(described.config.clone());
        let stream = entry.config().name.clone();
        let chosen = still_chosen(entry, described, &state);
        let pace = Pace::new(&config, entry.stream.committed_sequence());
        let way = match config.is_push() {
            true => {
                let is_active = account.has_interest(&config.deliver_subject);
                Way::Push(Push::new(&config, is_active, now))
            }
            false => {
                let waiting_max = usize::try_from(config.max_waiting).unwrap_or(0);
                Way::Pull(Queue::new(waiting_max, config.priority_policy, config.priority_timeout))
            }
        };
        // A start time that was still to come when the consumer was made lies behind messages that it is to deliver.
        let begins = begins(&described.config, &entry.stream).min(state.floor.sequence + 1);
        let machine = Machine::new(Rules::new(&config), state, chosen);
        let core = Core::new(
            config,
            machine,
            way,
            pace,
            described.chosen_through,
            entry.stream.clone(),
            account.clone(),
            (&stream, name),
            now,
        );
        let stored = ledger.as_ref().map(|ledger| ledger.stream().clone());
        Arc::new(Self {
            name: name.to_owned(),
            stream,
            created: described.created,
            ledger,
            entry: Arc::downgrade(entry),
            account: account.clone(),
            begins,
            clock,
            core: Mutex::new(core),
            saver: Arc::new(Saver::new(name, account.clone(), stored)),
            woken: Arc::new(Notify::new()),
            inlets: Mutex::default(),
            task: Mutex::default(),
        })
    }
    /// Takes what clients send.
    fn listen(self: &Arc<Self>) {
        let Self { stream, name, .. } = &**self;
        let config = self.config();
        let mut inlets =
            vec![(format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}"), Inlet::Requests)];
        if config.ack_policy != AckPolicy::None {
            inlets.push((format!("$JS.ACK.{stream}.{name}.>"), Inlet::Acknowledgements));
            // The newer form of the same subject.
            inlets.push((format!("$JS.ACK.*.*.{stream}.{name}.>"), Inlet::Acknowledgements));
        }
        if config.flow_control {
            inlets.push((format!("$JS.FC.{stream}.{name}.*"), Inlet::FlowControl));
        }
        let inlets = inlets.into_iter().map(|(subject, inlet)| {
            let consumer = Arc::downgrade(self);
            self.account.subscribe(&subject, Arc::new(Receiver { consumer, inlet }))
        });
        *lock(&self.inlets) = inlets.collect();
    }
    /// Stops: nothing is delivered or taken any more, and the state is stored. Gives what those whose requests wait are
    /// to be told, with `why`.
    pub(crate) async fn stop(&self, why: &Status) -> Vec<Output> {
        let waiting = {
            let mut core = self.lock();
            core.is_closed = true;
            match &mut core.way {
                Way::Pull(queue) => queue.end_all(why),
                Way::Push(_) => Vec::new(),
            }
        };
        lock(&self.inlets).clear();
        self.woken.notify_one();
        let task = lock(&self.task).take();
        if let Some(task) = task {
            // A task that panicked has said so.
            let _ = task.await;
        }
        let tells = waiting.into_iter().map(|(to, status)| Output::Tell(status.message(&to, "")));
        tells.collect()
    }
    /// Its configuration now.
    pub(crate) fn config(&self) -> Arc<ConsumerConfig> {
        self.lock().config.clone()
    }
    /// How far it is now.
    pub(crate) fn state(&self) -> State {
        self.lock().machine.state().clone()
    }
    /// What is stored of it apart from its state, with another configuration.
    pub(crate) fn described(&self, config: ConsumerConfig) -> Described {
        let chosen_through = self.lock().chosen_through;
        Described { config, created: self.created, chosen_through }
    }
    /// Goes by another, checked configuration from now on.
    pub(crate) fn set_config(&self, config: ConsumerConfig) {
        let now = self.clock.now();
        let mut core = self.lock();
        let old = std::mem::replace(&mut core.config, Arc::new(config));
        let config = core.config.clone();
        core.machine.set_rules(Rules::new(&config), now);
        core.pace.set_rate(config.rate_limit_bps);
        if let Way::Push(push) = &mut core.way
            && config.deliver_subject != old.deliver_subject
        {
            // Until it is known whether somebody listens there.
            push.is_active = false;
        }
        if config.filters() != old.filters() {
            core.set_filters(config.filters());
        }
        core.last_used = now;
        drop(core);
        self.woken.notify_one();
    }
    /// Begins again at a sequence, or behind what is acknowledged. Gives where.
    pub(crate) fn reset(&self, sequence: Option<u64>) -> u64 {
        let mut core = self.lock();
        let next = sequence.unwrap_or_else(|| core.machine.acknowledged_end()).max(1);
        core.machine.reset(next);
        if let Way::Push(push) = &mut core.way {
            // Whoever is asked something still knows nothing of what comes now.
            push.begin_again();
        }
        (core.last_delivery, core.last_ack) = (None, None);
        drop(core);
        self.woken.notify_one();
        next
    }
    /// Whether it still needs a message of this subject; `None` where the subject does not match, or the message is from
    /// before its start.
    pub(crate) fn needs(&self, sequence: u64, subject: &str) -> Option<bool> {
        if sequence < self.begins {
            return None;
        }
        let core = self.lock();
        core.matches(subject).then(|| core.machine.needs(sequence))
    }
    /// Messages are done: where the stream keeps them only for its consumers they go, and `then` is told whether that
    /// is durable.
    fn settled(&self, sequences: &[u64], then: impl FnOnce(bool) + Send + 'static) {
        let keeper = self.entry.upgrade().and_then(|entry| entry.keeper());
        match keeper {
            Some(keeper) if !sequences.is_empty() => keeper.settled(sequences, then),
            _ => then(true),
        }
    }
    /// The stream is purged, or has been: what goes with that is not told.
    pub(crate) fn set_purging(&self, is_purging: bool) {
        let mut core = self.lock();
        core.forget_removed(&mut Vec::new());
        core.is_purging = is_purging;
    }
    /// Nobody is served before all others any more.
    pub(crate) fn unpin(&self, group: &str) {
        let mut core = self.lock();
        if let Way::Pull(queue) = &mut core.way {
            queue.pin.release();
        }
        drop(core);
        let event = Event::Unpinned { group: group.to_owned(), reason: "admin" };
        self.publish(&event);
        self.woken.notify_one();
    }
    /// Tells others what happened.
    pub(crate) fn publish(&self, event: &Event) {
        event.publish(&self.account, &self.stream, &self.name);
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        lock(&self.core)
    }
    /// Sends what was decided; true where a receiver has so much to read that more should wait. Not under the lock:
    /// receivers may call back.
    pub(crate) fn send(&self, outputs: Vec<Output>) -> bool {
        let mut wakeups = Wakeups::default();
        for output in outputs {
            match output {
                Output::Deliver(to, message) => {
                    self.account.deliver_to(&to, &message, &mut wakeups);
                }
                Output::Tell(message) => {
                    self.account.send_corked(&message, &mut wakeups);
                }
                Output::Publish(event) => self.publish(&event),
            }
        }
        wakeups.flush();
        wakeups.is_congested()
    }
}

/// The first sequence that a consumer is ever to deliver, where its configuration says so.
fn begins(config: &ConsumerConfig, stream: &Stream) -> u64 {
    match (config.deliver_policy, config.opt_start_time) {
        (DeliverPolicy::ByStartSequence, _) => config.opt_start_seq,
        (DeliverPolicy::ByStartTime, Some(time)) => {
            stream.sequence_at_time(text_time::stored(time)).unwrap_or(0)
        }
        _ => 0,
    }
}

/// Messages chosen at creation that were not delivered yet: the last of each subject up to there.
fn still_chosen(entry: &Entry, described: &Described, state: &State) -> VecDeque<u64> {
    let through = described.chosen_through;
    if through < state.next {
        return VecDeque::new();
    }
    let all = entry.stream.last_of_each_subject(&described.config.filters(), through);
    all.into_iter().filter(|at| *at >= state.next).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
