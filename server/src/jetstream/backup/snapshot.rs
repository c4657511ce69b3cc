//! Sends a stream as an archive, piece by piece, no more of them at a time than the receiver has asked for.
//!
//! A piece goes to the deliver subject with a reply subject, to which the receiver answers when it has it. The last one has
//! no reply subject, and an empty message ends the archive: with a status where something went wrong.
//! Invariant: what is sent ends with the sequence that the stream had at the beginning.
//! Not here: what the request is answered (`api::stream_backup`).

use super::archive::{self, CONSUMERS, Item, STATE};
use super::{CONSUMER_BYTES_MAX, Slot, consumer, s2};
use crate::jetstream::entry::Entry;
use crate::jetstream::errors::ApiError;
use crate::jetstream::info::{self, Details};
use crate::protocol::headers;
use crate::routing::{Account, Handler, Message, Origin};
use bytes::Bytes;
use headwater_storage::{Tail, Timestamp};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

const CHUNK_BYTES: usize = 128 * 1024;
const CHUNK_BYTES_MIN: usize = 1024;
const CHUNK_BYTES_MAX: usize = 1024 * 1024;
const WINDOW_BYTES: usize = 8 * 1024 * 1024;
const WINDOW_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How long the receiver may take to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// How long the receiver may take to listen.
const INTEREST: Duration = Duration::from_secs(2);
/// Messages and bytes read at a time.
const BATCH_MESSAGES_MAX: usize = 1024;
const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// Error code of a snapshot that failed.
const SNAPSHOT_FAILED: u16 = 10064;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct SnapshotRequest {
    /// Where the pieces go.
    pub(crate) deliver_subject: String,
    /// Consumers stay away.
    pub(crate) no_consumers: bool,
    /// Bytes of a piece; 0 for what is usual.
    pub(crate) chunk_bytes: usize,
    /// Bytes under way; 0 for what is usual.
    pub(crate) window_bytes: usize,
}

/// A snapshot of which nothing has been sent yet.
#[derive(Debug)]
pub(crate) struct Snapshot {
    account: Arc<Account>,
    request: SnapshotRequest,
    stream: String,
    /// As replies show it.
    pub(crate) state: Value,
    last_sequence: u64,
    tail: Tail,
    /// What comes before the messages.
    head: Vec<u8>,
    /// Counts as long as it is under way.
    _slot: Slot,
}

/// Why an archive ends before it is whole.
enum Stopped {
    NoInterest,
    NoAnswer,
    Failed(String),
}

impl Snapshot {
    /// The stream as it is now. Refused where no server would take the archive again.
    pub(crate) fn new(
        account: &Arc<Account>,
        entry: &Arc<Entry>,
        request: SnapshotRequest,
        slot: Slot,
    ) -> Result<Self, ApiError> {
        let state = info::state(entry, &Details::default());
        let last_sequence = state.get("last_seq").and_then(Value::as_u64).unwrap_or(0);
        let consumers = if request.no_consumers { Vec::new() } else { entry.consumers.listed() };
        let mut noted = state.clone();
        if let Some(count) = noted.get_mut("consumer_count") {
            *count = consumers.len().into();
        }
        let mut head = Vec::new();
        archive::put_magic(&mut head);
        let time = Timestamp::now().0;
        let mut put = |name: String, payload: Vec<u8>| {
            let (name, payload) = (Bytes::from(name), Bytes::from(payload));
            Item { name, time, payload, ..Item::default() }.put(&mut head);
        };
        put(STATE.to_owned(), noted.to_string().into_bytes());
        let mut consumer_bytes = 0;
        for each in &consumers {
            let written = consumer::write(&each.config(), &each.state(), last_sequence);
            consumer_bytes += written.len();
            if consumer_bytes > CONSUMER_BYTES_MAX {
                let text = "snapshot failed: the states of the consumers are too large";
                return Err(ApiError::with(500, SNAPSHOT_FAILED, text.to_owned()));
            }
            put(format!("{CONSUMERS}{}", each.name), written);
        }
        Ok(Self {
            account: account.clone(),
            request,
            stream: entry.config().name.clone(),
            state,
            last_sequence,
            tail: entry.stream.tail(1, Vec::new()),
            head,
            _slot: slot,
        })
    }
    /// Sends it. Gives why that came to no good end, if so.
    pub(crate) async fn send(mut self) -> Result<(), String> {
        let mut sender = Sender::new(&self.account, &self.stream, &self.request);
        let result = self.run(&mut sender).await;
        let (status, why) = match result {
            Ok(()) => ("204".to_owned(), Ok(())),
            Err(Stopped::NoInterest) => {
                ("408 No Interest".to_owned(), Err("no interest".to_owned()))
            }
            Err(Stopped::NoAnswer) => {
                ("408 No Flow Response".to_owned(), Err("no flow response".to_owned()))
            }
            Err(Stopped::Failed(reason)) => (format!("500 {reason}"), Err(reason)),
        };
        sender.end(&status, why.is_ok());
        why
    }

    async fn run(&mut self, sender: &mut Sender) -> Result<(), Stopped> {
        sender.wait_for_interest().await;
        let mut packed = s2::Writer::default();
        packed.write(&std::mem::take(&mut self.head));
        let mut plain = Vec::new();
        while self.tail.next_sequence() <= self.last_sequence {
            let batch = self.tail.try_next(BATCH_MESSAGES_MAX, BATCH_BYTES_MAX);
            let batch = batch.map_err(|error| Stopped::Failed(error.to_string()))?;
            let Some(batch) = batch else { break };
            for message in batch.messages {
                if message.sequence > self.last_sequence {
                    break;
                }
                let item = Item {
                    name: message.subject,
                    time: message.time.0,
                    sequence: message.sequence,
                    headers: message.headers,
                    payload: message.payload,
                };
                plain.clear();
                item.put(&mut plain);
                packed.write(&plain);
            }
            sender.send_whole(&mut packed).await?;
            tokio::task::coop::consume_budget().await;
        }
        plain.clear();
        Item::default().put(&mut plain);
        packed.write(&plain);
        packed.finish();
        sender.send_whole(&mut packed).await?;
        if let Some(rest) = packed.take(sender.chunk_bytes) {
            sender.put(Bytes::new(), Bytes::new(), rest);
        }
        Ok(())
    }
}

/// Sends pieces, and counts those that are not answered.
struct Sender {
    account: Arc<Account>,
    deliver_subject: String,
    chunk_bytes: usize,
    answer_prefix: String,
    answers: Arc<Answers>,
    /// Keeps the subscription to answers.
    _answers: crate::routing::InternalSubscription,
    sent: u64,
    /// Somebody listened when it began.
    is_heard: bool,
}

/// Takes answers.
struct Answers {
    free: Semaphore,
    free_max: usize,
}

impl Handler for Answers {
    fn deliver(&self, _: &Arc<Account>, _: &Message, _: &Arc<Origin>) {
        // Nobody gains room by answering more often than pieces came.
        if self.free.available_permits() < self.free_max {
            self.free.add_permits(1);
        }
    }
}

impl Sender {
    fn new(account: &Arc<Account>, stream: &str, request: &SnapshotRequest) -> Self {
        let or = |asked: usize, usual: usize| if asked == 0 { usual } else { asked };
        let chunk_bytes =
            or(request.chunk_bytes, CHUNK_BYTES).clamp(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX);
        let window = or(request.window_bytes, WINDOW_BYTES).clamp(chunk_bytes, WINDOW_BYTES_MAX);
        let free_max = window / chunk_bytes;
        let answers = Arc::new(Answers { free: Semaphore::new(free_max), free_max });
        let answer_prefix = format!("$JS.SNAPSHOT.ACK.{stream}.{}", nuid::next().as_str());
        let subscription = account.subscribe(&format!("{answer_prefix}.>"), answers.clone());
        Self {
            account: account.clone(),
            deliver_subject: request.deliver_subject.clone(),
            chunk_bytes,
            answer_prefix,
            answers,
            _answers: subscription,
            sent: 0,
            is_heard: false,
        }
    }
    /// Gives the receiver time to listen: it may do so only when it has the answer. One that hears everything does not
    /// count, and one that never comes is sent to all the same, until answers are missed.
    async fn wait_for_interest(&mut self) {
        let watch = self.account.watch_interest(&self.deliver_subject);
        let heard = async {
            while !self.account.has_literal_interest(&self.deliver_subject) {
                watch.changed().await;
            }
        };
        self.is_heard = tokio::time::timeout(INTEREST, heard).await.is_ok();
    }
    /// Sends what fills pieces.
    async fn send_whole(&mut self, packed: &mut s2::Writer) -> Result<(), Stopped> {
        while packed.ready() >= self.chunk_bytes {
            let Some(piece) = packed.take(self.chunk_bytes) else { return Ok(()) };
            self.wait_for_room().await?;
            self.sent += 1;
            let reply = format!("{}.{}.{}", self.answer_prefix, piece.len(), self.sent);
            self.put(Bytes::from(reply), Bytes::new(), piece);
        }
        Ok(())
    }
    async fn wait_for_room(&self) -> Result<(), Stopped> {
        let watch = self.account.watch_interest(&self.deliver_subject);
        let gone = async {
            while self.account.has_literal_interest(&self.deliver_subject) {
                watch.changed().await;
            }
        };
        tokio::select! {
            biased;
            () = gone, if self.is_heard => Err(Stopped::NoInterest),
            room = tokio::time::timeout(ANSWER, self.answers.free.acquire()) => match room {
                Ok(Ok(room)) => {
                    room.forget();
                    Ok(())
                }
                _ => Err(Stopped::NoAnswer),
            },
        }
    }
    fn put(&self, reply: Bytes, headers: Bytes, payload: Bytes) {
        let subject = Bytes::copy_from_slice(self.deliver_subject.as_bytes());
        self.account.send(&Message { subject, reply, headers, payload });
    }
    /// Says that nothing more comes. An archive of one piece that is not full ends without a status.
    fn end(&self, status: &str, is_whole: bool) {
        let is_plain = is_whole && self.sent == 0;
        let headers = if is_plain { Bytes::new() } else { headers::block(status, &[]) };
        self.put(Bytes::new(), headers, Bytes::new());
    }
}
