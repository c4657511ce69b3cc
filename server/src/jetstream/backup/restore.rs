//! Takes an archive, piece by piece, and answers each one when it has been stored.
//!
//! A piece comes with a reply subject, to which an empty answer means go on, and any other says why not. A piece that is
//! empty ends the archive; its answer shows the stream.
//! Invariants: what waits is bounded; after a piece that could not be taken nothing more is.
//! Not here: what the request is answered (`api::stream_backup`), the stream (`install`).

use super::archive::Parser;
use super::install::{Install, failed};
use super::{Slot, s2};
use crate::jetstream::advisory;
use crate::jetstream::config::{ConfigRequest, StreamConfig};
use crate::jetstream::errors::ApiError;
use crate::jetstream::info::{self, Details};
use crate::jetstream::tenant::Tenant;
use crate::routing::{Account, Handler, InternalSubscription, Message, Origin};
use bytes::Bytes;
use headwater_storage::Timestamp;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// How long no piece may come.
const STALLED: Duration = Duration::from_secs(5);
/// Pieces and bytes that may wait.
const WAITING_MAX: usize = 1024;
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;
const KIND: &str = "io.nats.jetstream.api.v1.stream_create_response";

/// A restore that waits for its archive.
pub(crate) struct Restore {
    tenant: Arc<Tenant>,
    origin: Arc<Origin>,
    install: Install,
    inlet: Arc<Inlet>,
    pieces: mpsc::Receiver<Message>,
    subject: String,
    subscription: InternalSubscription,
    started: Timestamp,
    bytes: usize,
    packed: s2::Reader,
    parser: Parser,
    _slot: Slot,
}

/// Takes pieces off the tasks of connections.
struct Inlet {
    pieces: mpsc::Sender<Message>,
    waiting_bytes: AtomicUsize,
    has_lost: AtomicBool,
}

impl Handler for Inlet {
    fn deliver(&self, _: &Arc<Account>, message: &Message, _: &Arc<Origin>) {
        let bytes = message.payload.len();
        let waiting = self.waiting_bytes.fetch_add(bytes, Ordering::AcqRel) + bytes;
        let is_taken =
            waiting <= WAITING_BYTES_MAX && self.pieces.try_send(message.clone()).is_ok();
        if !is_taken {
            self.waiting_bytes.fetch_sub(bytes, Ordering::AcqRel);
            self.has_lost.store(true, Ordering::Release);
        }
    }
}

impl Restore {
    /// Takes pieces from now on.
    pub(crate) fn new(
        tenant: &Arc<Tenant>,
        origin: &Arc<Origin>,
        request: ConfigRequest,
        config: StreamConfig,
        slot: Slot,
    ) -> Self {
        let subject = format!("$JS.SNAPSHOT.RESTORE.{}.{}", config.name, nuid::next().as_str());
        let (sender, pieces) = mpsc::channel(WAITING_MAX);
        let inlet = Arc::new(Inlet {
            pieces: sender,
            waiting_bytes: AtomicUsize::new(0),
            has_lost: AtomicBool::new(false),
        });
        Self {
            tenant: tenant.clone(),
            origin: origin.clone(),
            install: Install::new(tenant.clone(), request, config),
            subscription: tenant.account.subscribe(&subject, inlet.clone()),
            inlet,
            pieces,
            subject,
            started: Timestamp::now(),
            bytes: 0,
            packed: s2::Reader::default(),
            parser: Parser::default(),
            _slot: slot,
        }
    }
    /// Where the pieces go.
    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }
    /// Runs until the archive is over, is refused, or no longer comes.
    pub(crate) async fn run(mut self) {
        loop {
            let Ok(Some(piece)) = tokio::time::timeout(STALLED, self.pieces.recv()).await else {
                tracing::warn!(stream = self.install.name(), "a restore is stalled");
                return self.install.abandon().await;
            };
            self.inlet.waiting_bytes.fetch_sub(piece.payload.len(), Ordering::AcqRel);
            if piece.payload.is_empty() && !piece.reply.is_empty() {
                let result = self.finish().await;
                return self.end(piece.reply, result).await;
            }
            if let Err(error) = self.take(&piece).await {
                return self.end(piece.reply, Err(error)).await;
            }
            let (account, subject) = (&self.tenant.account, piece.reply);
            account.send(&Message { subject, ..Message::default() });
        }
    }

    async fn take(&mut self, piece: &Message) -> Result<(), ApiError> {
        let of = || {
            format!("restore for stream '{} > {}'", self.tenant.account.name(), self.install.name())
        };
        if piece.reply.is_empty() {
            return Err(failed(format_args!("{} requires reply subject for each chunk", of())));
        }
        if self.inlet.has_lost.load(Ordering::Acquire) {
            return Err(failed(format_args!("{} got more than it asked for", of())));
        }
        self.bytes += piece.payload.len();
        if self.install.is_whole() {
            return Ok(());
        }
        self.packed.push(&piece.payload);
        // What stands behind the end is not looked at.
        while !self.install.is_whole()
            && let Some(block) = self.packed.next_block().map_err(failed)?
        {
            self.parser.push(&block);
            while !self.install.is_whole()
                && let Some(item) = self.parser.next_item().map_err(failed)?
            {
                self.install.take(item).await?;
            }
            tokio::task::coop::consume_budget().await;
        }
        Ok(())
    }
    async fn finish(&mut self) -> Result<Map<String, Value>, ApiError> {
        if self.inlet.has_lost.load(Ordering::Acquire) {
            return Err(failed("pieces of the archive were lost"));
        }
        if !self.install.is_whole() {
            self.packed.finish().map_err(failed)?;
        }
        let entry = self.install.finish().await?;
        let details = Details { has_dynamic_metadata: true, ..Details::default() };
        Ok(info::stream(&entry, &details))
    }
    /// Tells how it ended.
    async fn end(mut self, reply: Bytes, result: Result<Map<String, Value>, ApiError>) {
        drop(self.subscription);
        let stream = self.install.name().to_owned();
        if let Err(error) = &result {
            tracing::warn!(stream, bytes = self.bytes, "restore failed: {}", error.description);
            self.install.abandon().await;
        }
        let detail = json!({"bytes": self.bytes});
        let client = (&*self.tenant, &*self.origin);
        advisory::backup_complete(client, "restore", &stream, self.started, detail);
        if reply.is_empty() {
            return;
        }
        let mut response =
            result.unwrap_or_else(|error| Map::from_iter([("error".to_owned(), json!(error))]));
        response.insert("type".into(), KIND.into());
        let payload = Bytes::from(Value::Object(response).to_string());
        self.tenant.account.send(&Message { subject: reply, payload, ..Message::default() });
    }
}
