//! Lanes between connections and the API: a connection's requests go through one lane, in order.
//! Invariant: a lane is bounded; a request that finds it full is told so.
//! Not here: what a request does.

use super::{answer, is_level_supported};
use crate::jetstream::errors;
use crate::jetstream::tenant::Tenant;
use crate::protocol::headers;
use crate::routing::{Account, Handler, Message, Origin};
use bytes::Bytes;
use serde_json::json;
use std::sync::{Arc, Weak};
use tokio::sync::mpsc;

const PULL_PREFIX: &[u8] = b"$JS.API.CONSUMER.MSG.NEXT.";
const LANES: u64 = 8;
const LANE_REQUESTS_MAX: usize = 4096;
/// Largest body of a request.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

type Item = (Message, Arc<Origin>);

/// Takes requests off the tasks of connections.
pub(crate) struct Queue {
    tenant: Weak<Tenant>,
    lanes: Vec<mpsc::Sender<Item>>,
}

impl Queue {
    /// Starts the lanes of an account. They end with the queue.
    pub(crate) fn start(tenant: &Arc<Tenant>) -> Arc<Self> {
        let lanes = (0..LANES).map(|_| {
            let (sender, receiver) = mpsc::channel(LANE_REQUESTS_MAX);
            tenant.context.runtime.spawn(run(Arc::downgrade(tenant), receiver));
            sender
        });
        Arc::new(Self { tenant: Arc::downgrade(tenant), lanes: lanes.collect() })
    }
}

async fn run(tenant: Weak<Tenant>, mut requests: mpsc::Receiver<Item>) {
    while let Some((message, origin)) = requests.recv().await {
        let Some(tenant) = tenant.upgrade() else { return };
        answer(&tenant, &message, &origin).await;
    }
}

impl Queue {
    /// A pull request goes to its consumer, which listens itself; where there is none, nobody does.
    fn pulled(&self, account: &Arc<Account>, message: &Message) {
        let Some(tenant) = self.tenant.upgrade() else { return };
        let path = message.subject.get(PULL_PREFIX.len()..).unwrap_or_default();
        let path = std::str::from_utf8(path).unwrap_or_default();
        let (stream, consumer) = path.split_once('.').unwrap_or((path, ""));
        let is_there = tenant.entry(stream).is_some_and(|e| e.consumers.find(consumer).is_some());
        if is_there || message.reply.is_empty() {
            return;
        }
        let subject = String::from_utf8_lossy(&message.subject);
        let headers = headers::block("503", &[("Nats-Subject", &subject)]);
        account.send(&Message { subject: message.reply.clone(), headers, ..Message::default() });
    }
}

impl Handler for Queue {
    fn deliver(&self, account: &Arc<Account>, message: &Message, origin: &Arc<Origin>) {
        if message.subject.starts_with(PULL_PREFIX) {
            return self.pulled(account, message);
        }
        let lane = usize::try_from(origin.client_id % LANES).unwrap_or(0);
        let Some(lane) = self.lanes.get(lane) else { return };
        let is_taken = message.payload.len() <= BODY_BYTES_MAX
            && lane.try_send((message.clone(), origin.clone())).is_ok();
        if !is_taken && !message.reply.is_empty() && is_level_supported(message) {
            let payload = json!({"error": errors::TOO_MANY_REQUESTS}).to_string();
            let (subject, payload) = (message.reply.clone(), Bytes::from(payload));
            account.send(&Message { subject, payload, ..Message::default() });
        }
    }
}
