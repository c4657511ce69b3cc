//! Delivery in an account: counts, queue groups, limits, echo, routing by another subject, and use from any thread.

use super::*;
use crate::routing::{Receipt, Sink};
use std::sync::Mutex;

/// A connection that writes down what it receives.
#[derive(Debug, Default)]
struct Recorder {
    id: u64,
    is_closed: bool,
    received: Mutex<Vec<String>>,
    woken: AtomicU64,
    retired: AtomicU64,
}

impl Sink for Recorder {
    fn id(&self) -> u64 {
        self.id
    }
    fn deliver(&self, subscription: &Subscription, message: &Parts<'_>) -> Receipt {
        if self.is_closed {
            return Receipt::default();
        }
        let Some(is_exhausted) = subscription.count() else { return Receipt::default() };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let line = format!("{}>{}", text(message.subject), text(&subscription.sid));
        self.received.lock().unwrap().push(line);
        Receipt { is_taken: true, needs_wake: true, is_exhausted, is_congested: false }
    }
    fn wake(&self) {
        self.woken.fetch_add(1, Ordering::Relaxed);
    }
    fn is_congested(&self) -> bool {
        false
    }
    fn retire(&self, _: &Subscription) {
        self.retired.fetch_add(1, Ordering::Relaxed);
    }
}

impl Recorder {
    fn new(id: u64) -> Arc<Self> {
        Arc::new(Self { id, ..Self::default() })
    }
    fn subscribe(
        self: &Arc<Self>,
        account: &Account,
        subject: &str,
        queue: &str,
        sid: &str,
    ) -> Arc<Subscription> {
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        let target = Target::Sink(self.clone());
        let one = Arc::new(Subscription::new(bytes(subject), bytes(queue), bytes(sid), target));
        account.add(one.clone());
        one
    }
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.received.lock().unwrap())
    }
}

fn message(subject: &'static str) -> Message {
    Message { subject: Bytes::from_static(subject.as_bytes()), ..Message::default() }
}

#[test]
fn counts_and_limits() {
    let account = Account::new("A");
    let (one, two) = (Recorder::new(1), Recorder::new(2));
    let limited = one.subscribe(&account, "a.*", "", "1");
    two.subscribe(&account, "a.>", "", "2");
    assert!(!limited.limit(2));
    for (expected, left) in [(2, 2), (2, 1), (1, 1)] {
        assert_eq!(account.send(&message("a.b")), expected);
        assert_eq!(account.subscriptions(), left);
    }
    assert_eq!((one.take().len(), two.take().len()), (2, 3));
    assert_eq!((one.woken.load(Ordering::Relaxed), one.retired.load(Ordering::Relaxed)), (2, 1));
    assert!(
        account.has_interest("a.b") && !account.has_interest("a") && !account.has_interest("a..b")
    );
    assert_eq!(account.send(&message("b")), 0);
}

#[test]
fn queue_groups_pass_over_members_that_are_gone() {
    let account = Account::new("A");
    let gone = Arc::new(Recorder { id: 1, is_closed: true, ..Recorder::default() });
    let here = Recorder::new(2);
    for sid in ["1", "2", "3"] {
        gone.subscribe(&account, "a", "q", sid);
    }
    here.subscribe(&account, "*", "q", "4");
    for _ in 0..20 {
        assert_eq!(account.send(&message("a")), 1);
    }
    assert_eq!(here.take().len(), 20);
}

#[test]
fn no_echo_and_corks() {
    let account = Account::new("A");
    let own = Recorder::new(1);
    own.subscribe(&account, "a", "", "1");
    let origin = |no_echo| Arc::new(Origin { client_id: 1, no_echo, ..Origin::default() });
    assert_eq!(account.publish(&message("a"), &origin(true)), 0);
    assert_eq!(account.publish(&message("a"), &origin(false)), 1);
    let mut wakeups = Wakeups::default();
    let before = own.woken.load(Ordering::Relaxed);
    account.send_corked(&message("a"), &mut wakeups);
    assert_eq!(own.woken.load(Ordering::Relaxed), before);
    drop(wakeups);
    assert_eq!(own.woken.load(Ordering::Relaxed), before + 1);
}

#[test]
fn routed_by_another_subject() {
    let account = Account::new("A");
    let consumer = Recorder::new(1);
    consumer.subscribe(&account, "_INBOX.x", "", "9");
    let taken = account.deliver_to("_INBOX.x", &message("orders.1"), &mut Wakeups::default());
    assert_eq!((taken, consumer.take()), (1, vec!["orders.1>9".to_owned()]));
}

/// Publishes what it receives to another subject, from inside the delivery.
struct Relay(&'static str);

impl Handler for Relay {
    fn deliver(&self, account: &Arc<Account>, received: &Message, _: &Arc<Origin>) {
        account
            .send(&Message { subject: Bytes::from_static(self.0.as_bytes()), ..received.clone() });
    }
}

#[test]
fn services_may_publish_and_go_away() {
    let account = Account::new("A");
    let sink = Recorder::new(1);
    sink.subscribe(&account, "out", "", "1");
    let service = account.subscribe("in.>", Arc::new(Relay("out")));
    assert_eq!(account.send(&message("in.x")), 1);
    assert_eq!(sink.take(), ["out>1"]);
    let generation = account.generation();
    drop(service);
    assert_ne!(account.generation(), generation);
    assert_eq!(account.send(&message("in.x")), 0);
}

#[test]
fn threads() {
    let account = Account::new("A");
    let sink = Recorder::new(1);
    sink.subscribe(&account, "a", "", "1");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    assert_eq!(account.send(&message("a")).min(1), 1);
                }
            });
            scope.spawn(|| {
                for _ in 0..100 {
                    drop(account.subscribe("a", Arc::new(Relay("nowhere"))));
                }
            });
        }
    });
    assert_eq!(sink.take().len(), 400);
    assert_eq!(account.subscriptions(), 1);
}
