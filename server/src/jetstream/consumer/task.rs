//! A consumer's task: it collects what is to be sent, sends it, sees to it that the state is stored, and waits until there
//! is more to do. It ends when the consumer is stopped.
//! Not here: what is sent (`delivery`).

use super::Consumer;
use super::core::Way;
use super::delivery::Wait;
use crate::jetstream::consumers;
use crate::jetstream::tenant::Tenant;
use crate::routing::InterestWatch;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::watch;

/// How long changes that nobody waits for gather before they are stored.
const GATHERING: Duration = Duration::from_millis(20);
/// How long a receiver that cannot keep up holds the consumer back before it looks again.
const HELD_BACK: Duration = Duration::from_millis(2);

impl Consumer {
    /// Takes what clients send, and runs until it is stopped.
    pub(crate) fn run(self: &Arc<Self>, tenant: &Arc<Tenant>) {
        self.listen();
        let task = tenant.context.runtime.spawn(run(self.clone(), Arc::downgrade(tenant)));
        *super::lock(&self.task) = Some(task);
    }
    /// When nobody has used it for too long, if that can happen.
    fn idle_at(&self) -> Option<i64> {
        let core = self.lock();
        let span = core.inactive_span()?;
        let is_used = match &core.way {
            Way::Push(push) => push.is_active,
            Way::Pull(queue) => !queue.is_empty(),
        };
        if is_used {
            return None;
        }
        // Whoever works on a message may still answer.
        let latest = match &core.way {
            Way::Push(_) => None,
            Way::Pull(_) => core.machine.latest_deadline(),
        };
        let last_used = core.last_used.max(latest.unwrap_or(i64::MIN));
        Some(last_used.saturating_add(span))
    }
}

async fn run(consumer: Arc<Consumer>, tenant: Weak<Tenant>) {
    let mut changes = consumer.lock().stream.changes();
    let mut watch: Option<(String, InterestWatch)> = None;
    let mut save_at: Option<tokio::time::Instant> = None;
    loop {
        changes.mark_unchanged();
        follow_interest(&consumer, &mut watch);
        let now = consumer.clock.now();
        let mut outputs = Vec::new();
        let (wait, has_changed, is_closed, settled) = {
            let mut core = consumer.lock();
            let wait = core.collect(now, &mut outputs);
            (wait, core.machine.has_changed(), core.is_closed, core.machine.take_settled())
        };
        let is_held_back = send(&consumer, outputs);
        consumer.settled(&settled, |_| ());
        let is_due = save_at.is_some_and(|at| at <= tokio::time::Instant::now());
        if is_due || is_closed || consumer.saver.is_awaited() {
            consumer.saver.save(&mut consumer.lock().machine, &consumer.woken);
            save_at = None;
        } else if has_changed && save_at.is_none() {
            save_at = Some(tokio::time::Instant::now() + GATHERING);
        }
        if is_closed {
            return finish(&consumer).await;
        }
        if is_held_back {
            tokio::time::sleep(HELD_BACK).await;
            continue;
        }
        if wait.is_more {
            tokio::task::coop::consume_budget().await;
            continue;
        }
        let idle_at = consumer.idle_at();
        if idle_at.is_some_and(|at| at <= now) {
            return abandon(&consumer, &tenant);
        }
        rest(&consumer, wait, idle_at, save_at, &mut changes, watch.as_ref()).await;
    }
}

/// Sends what was collected; true where a receiver has so much to read that more should wait.
fn send(consumer: &Consumer, outputs: Vec<super::delivery::Output>) -> bool {
    if outputs.is_empty() {
        return false;
    }
    consumer.send(outputs)
}

/// Waits until there is something to do.
async fn rest(
    consumer: &Consumer,
    wait: Wait,
    idle_at: Option<i64>,
    save_at: Option<tokio::time::Instant>,
    changes: &mut watch::Receiver<()>,
    watch: Option<&(String, InterestWatch)>,
) {
    let until = wait.until.into_iter().chain(idle_at).min();
    // A saver that is busy wakes when it is done.
    let save_at = save_at.filter(|_| !consumer.saver.is_busy());
    tokio::select! {
        () = consumer.woken.notified() => {}
        changed = changes.changed(), if wait.for_stream => {
            if changed.is_err() {
                std::future::pending::<()>().await;
            }
        }
        () = interest(watch) => {}
        () = sleep(until.map(|at| consumer.clock.until(at))) => {}
        () = sleep(save_at.map(|at| at.saturating_duration_since(tokio::time::Instant::now()))) => {}
    }
}

async fn interest(watch: Option<&(String, InterestWatch)>) {
    match watch {
        Some((_, watch)) => watch.changed().await,
        None => std::future::pending().await,
    }
}

async fn sleep(span: Option<Duration>) {
    match span {
        Some(span) => tokio::time::sleep(span).await,
        None => std::future::pending().await,
    }
}

/// Finds out whether somebody listens where messages are delivered unasked.
fn follow_interest(consumer: &Consumer, watch: &mut Option<(String, InterestWatch)>) {
    let config = consumer.config();
    if !config.is_push() {
        return;
    }
    let subject = &config.deliver_subject;
    if watch.as_ref().is_none_or(|(watched, _)| watched != subject) {
        *watch = Some((subject.clone(), consumer.account.watch_interest(subject)));
    }
    let is_active = consumer.account.has_interest(subject);
    let now = consumer.clock.now();
    let mut core = consumer.lock();
    if let Way::Push(push) = &mut core.way {
        let was_active = std::mem::replace(&mut push.is_active, is_active);
        if was_active {
            core.last_used = now;
        }
    }
}

/// Nothing is sent any more: stores what has changed.
async fn finish(consumer: &Arc<Consumer>) {
    while consumer.saver.is_busy() {
        consumer.woken.notified().await;
    }
    consumer.saver.save(&mut consumer.lock().machine, &consumer.woken);
    while consumer.saver.is_busy() {
        consumer.woken.notified().await;
    }
}

/// Nobody uses it any more: it is deleted, by a task of its own, because that waits for this one to end.
fn abandon(consumer: &Arc<Consumer>, tenant: &Weak<Tenant>) {
    let Some(tenant) = tenant.upgrade() else { return };
    let consumer = consumer.clone();
    let runtime = tenant.context.runtime.clone();
    runtime.spawn(async move {
        let deleted = consumers::delete_this(&tenant, &consumer).await;
        if let Err(error) = deleted {
            tracing::warn!(?consumer, error = %error.description, "consumer is not deleted");
        }
    });
}
