//! The source: one of the origins of a stream, copied with sequences and times of the stream, each copy naming its original.
//!
//! Invariants: every matching message of one creation of the origin is decided once, in order; another creation is read from
//! its beginning.
//! Not here: the form of the header (`source_header`), several sources of a stream (each has its own driver).

use crate::{
    Result, headers,
    identity::OriginIdentity,
    mirror::{check_filter, is_publish_only, rename, rollup},
    origin::Start,
    plugin::{Actions, Event, Plugin, Request, Situation},
    progress::{Progress, source_key},
    settings::{self, SourceConfig},
    source_header::{STREAM_SOURCE, SourceHeader, SourcePosition},
    time_to_live::{self, TimeToLive, is_delete_marker},
};
use bytes::Bytes;
use headwater_storage::{Message, NewMessage, limits::MESSAGE_ID_BYTES_MAX, message::Lifetime};

const MESSAGE_ID: &str = "Nats-Msg-Id";

/// Decides for a source.
#[derive(Debug)]
pub struct Source {
    config: SourceConfig,
    key: String,
    header: SourceHeader,
    /// Kept to be written into again for each message.
    header_value: String,
    /// What the newest copy in the target says, where no progress was stored.
    found: Option<Progress>,
    progress: Progress,
    allow_rollup: bool,
    has_markers: bool,
    lifetime_seconds_min: u64,
}

impl Source {
    /// A source as `config` says.
    pub fn new(config: SourceConfig) -> Result<Self> {
        check_filter(&config.name, config.filter.as_deref(), !config.transforms.is_empty())?;
        Ok(Self {
            key: source_key(&config.index_name()),
            header: SourceHeader::new(&config),
            config,
            header_value: String::new(),
            found: None,
            progress: Progress::default(),
            allow_rollup: false,
            has_markers: false,
            lifetime_seconds_min: 0,
        })
    }

    fn copy(&mut self, message: Message) -> NewMessage {
        let identity = &self.progress.identity.hash;
        self.header.write(
            message.sequence,
            message.subject_str(),
            identity,
            &mut self.header_value,
        );
        let added = Some((STREAM_SOURCE, self.header_value.as_str()));
        let mut headers = headers::rewrite(&message.headers, is_dropped, added);
        let lifetime = self.lifetime(&message.headers, &mut headers);
        let is_marker = self.has_markers && is_delete_marker(&message.headers);
        let message_id = (!message.headers.is_empty())
            .then(|| headers::value(&message.headers, MESSAGE_ID))
            .flatten()
            .filter(|id| !id.is_empty() && id.len() <= MESSAGE_ID_BYTES_MAX)
            .map(|id| message.headers.slice_ref(id));
        let config = &self.config;
        let subject = rename(&config.transforms, config.stream_transform.as_ref(), message.subject);
        let rollup = rollup(&message.headers, self.allow_rollup);
        let payload = message.payload;
        NewMessage {
            subject,
            headers,
            payload,
            message_id,
            rollup,
            lifetime,
            is_marker,
            ..NewMessage::default()
        }
    }

    /// The lifetime of a copy: what its original says, where that is not too short for the target's delete markers.
    fn lifetime(&self, original: &[u8], copied: &mut Bytes) -> Lifetime {
        let time_to_live = TimeToLive::of(original);
        let least = self.lifetime_seconds_min;
        let TimeToLive::Seconds(seconds) = time_to_live else { return time_to_live.lifetime() };
        if seconds < least {
            *copied = time_to_live::replaced(copied, least);
        }
        TimeToLive::Seconds(seconds.max(least)).lifetime()
    }

    /// The position to go on from, and whether it belongs to an earlier creation of the origin.
    fn known(&mut self, situation: &Situation<'_>) -> Result<(Option<u64>, bool)> {
        let stored =
            situation.progress.map(|bytes| Progress::decode(&self.key, bytes)).transpose()?;
        let Some(known) = stored.or_else(|| self.found.take()) else {
            return Ok((None, false));
        };
        let origin = situation.origin;
        if known.identity.differs(&origin.identity) {
            return Ok((None, true));
        }
        if known.sequence <= origin.last_sequence {
            return Ok((Some(known.sequence), false));
        }
        // The origin ends before the position. If it surely is the same creation, it lost messages after they were
        // copied and will give their sequences out again: those are new. If not, it is another creation.
        if known.identity.is_surely(&origin.identity) {
            return Ok((Some(origin.last_sequence), false));
        }
        Ok((None, true))
    }
}

impl Plugin for Source {
    fn key(&self) -> &str {
        &self.key
    }

    fn search(&self, progress: Option<&[u8]>) -> bool {
        progress.is_none()
    }

    fn found(&mut self, message: &Message) -> bool {
        let value = headers::value(&message.headers, STREAM_SOURCE);
        let text = value.and_then(|value| std::str::from_utf8(value).ok());
        let Some(position) = text.and_then(SourcePosition::parse) else {
            return false;
        };
        if !self.header.covers(&position) {
            return false;
        }
        let identity = OriginIdentity { incarnation: None, hash: position.identity };
        self.found = Some(Progress { identity, sequence: position.sequence });
        true
    }

    fn attach(&mut self, situation: &Situation<'_>) -> Result<Request> {
        let (position, is_recreated) = self.known(situation)?;
        let (target, config) = (situation.target, &self.config);
        self.progress = Progress {
            identity: situation.origin.identity.clone(),
            sequence: position.unwrap_or(0),
        };
        self.allow_rollup = target.allow_rollup;
        self.has_markers = target.has_markers;
        self.lifetime_seconds_min = target.lifetime_seconds_min;
        // A stream that already dropped messages of its own does not want the history of a source added to it now. That
        // does not hold for what another creation of a known origin brings: all of it is new.
        let last_time = target.last_time.filter(|_| !is_recreated);
        let start = match (position, config.start_sequence, config.start_time, last_time) {
            (Some(sequence), ..) => Start::Sequence(sequence.saturating_add(1)),
            (None, Some(sequence), ..) => Start::Sequence(sequence),
            (None, None, Some(time), last) => Start::Time(last.map_or(time, |last| time.max(last))),
            (None, None, None, Some(last)) if target.first_sequence > 1 => Start::Time(last),
            (None, None, None, _) => Start::Sequence(1),
        };
        let filters = settings::filters(config.filter.as_deref(), &config.transforms);
        Ok(Request { start, filters })
    }

    fn decide(&mut self, event: Event, actions: &mut Actions) -> Result<()> {
        match event {
            Event::Started { sequence } => {
                self.progress.sequence = self.progress.sequence.max(sequence.saturating_sub(1));
            }
            Event::Message { message, .. } if message.sequence > self.progress.sequence => {
                self.progress.sequence = message.sequence;
                let copy = self.copy(message);
                actions.append(copy);
            }
            Event::Message { .. } | Event::CaughtUp { .. } => {}
        }
        Ok(())
    }

    fn progress(&self, out: &mut Vec<u8>) {
        self.progress.encode(out);
    }

    fn position(&self) -> u64 {
        self.progress.sequence
    }
}

/// Header lines that a copy does not take over: those of publishing, and the word on an earlier origin.
fn is_dropped(line: &[u8]) -> bool {
    is_publish_only(line)
        || line.strip_prefix(STREAM_SOURCE.as_bytes()).is_some_and(|rest| rest.starts_with(b":"))
}
