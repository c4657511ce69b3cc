//! The mirror: one origin, copied with its sequences, times and headers. Gaps stay gaps.
//!
//! Invariants: a sequence is copied at most once and in order; a mirror never holds messages of two creations of its origin.
//! Not here: what happens to gaps that no later message follows (nothing, until one does: what the mirror shows is then what
//! nats-server's shows); copying with own sequences (`source`).

use crate::{
    Error, Result, headers,
    identity::OriginIdentity,
    origin::Start,
    plugin::{Actions, Event, Plugin, Request, Situation},
    progress::{MIRROR_KEY, Progress},
    settings::{self, MirrorConfig},
    time_to_live::TimeToLive,
    transform,
};
use bytes::Bytes;
use headwater_storage::{Message, NewMessage, message::Rollup};

/// Headers that only had a meaning when the message was published.
const PUBLISH_ONLY: [&[u8]; 2] = [b"Nats-Expected-", b"Nats-Batch-"];
const ROLLUP: &str = "Nats-Rollup";

/// Decides for a mirror.
#[derive(Debug)]
pub struct Mirror {
    config: MirrorConfig,
    identity: OriginIdentity,
    last_sequence: u64,
    allow_rollup: bool,
}

impl Mirror {
    /// A mirror of what `config` says.
    pub fn new(config: MirrorConfig) -> Result<Self> {
        check_filter(&config.name, config.filter.as_deref(), !config.transforms.is_empty())?;
        let identity = OriginIdentity::default();
        Ok(Self { config, identity, last_sequence: 0, allow_rollup: false })
    }

    fn copy(&self, message: Message) -> NewMessage {
        let (config, block) = (&self.config, message.headers);
        let subject = rename(&config.transforms, config.stream_transform.as_ref(), message.subject);
        let headers = headers::rewrite(&block, is_publish_only, None);
        let rollup = rollup(&headers, self.allow_rollup);
        let lifetime = TimeToLive::of(&headers).lifetime();
        let payload = message.payload;
        NewMessage { subject, headers, payload, rollup, lifetime, ..NewMessage::default() }
    }
}

impl Plugin for Mirror {
    fn key(&self) -> &str {
        MIRROR_KEY
    }

    fn attach(&mut self, situation: &Situation<'_>) -> Result<Request> {
        let Situation { target, origin, progress } = situation;
        let last_sequence = target.last_sequence;
        let is_used = target.messages > 0 || target.first_sequence > 0 || last_sequence > 0;
        let known = progress.map(|bytes| Progress::decode(MIRROR_KEY, bytes)).transpose()?;
        if is_used {
            let name = self.config.name.clone();
            if known.is_some_and(|known| known.identity.differs(&origin.identity)) {
                return Err(Error::OriginRecreated { name, last_sequence });
            }
            if origin.last_sequence < last_sequence {
                let origin_last_sequence = origin.last_sequence;
                return Err(Error::OriginBehind { name, origin_last_sequence, last_sequence });
            }
        }
        self.identity = origin.identity.clone();
        self.last_sequence = last_sequence;
        self.allow_rollup = target.allow_rollup;
        let start = match (is_used, self.config.start_sequence, self.config.start_time) {
            (true, _, _) => Start::Sequence(last_sequence.saturating_add(1)),
            (false, Some(sequence), _) => Start::Sequence(sequence),
            (false, None, Some(time)) => Start::Time(time),
            (false, None, None) => Start::Sequence(1),
        };
        let filters = settings::filters(self.config.filter.as_deref(), &self.config.transforms);
        Ok(Request { start, filters })
    }

    fn decide(&mut self, event: Event, actions: &mut Actions) -> Result<()> {
        match event {
            Event::Started { sequence } => {
                let through = sequence.saturating_sub(1);
                if through > self.last_sequence {
                    actions.skip_to(through);
                    self.last_sequence = through;
                }
            }
            Event::Message { message, .. } if message.sequence > self.last_sequence => {
                let (sequence, time) = (message.sequence, message.time);
                actions.copy(sequence, time, self.copy(message));
                self.last_sequence = sequence;
            }
            Event::Message { .. } | Event::CaughtUp { .. } => {}
        }
        Ok(())
    }

    fn progress(&self, out: &mut Vec<u8>) {
        Progress { identity: self.identity.clone(), sequence: self.last_sequence }.encode(out);
    }

    fn position(&self) -> u64 {
        self.last_sequence
    }
}

/// Refuses what nothing could be copied with.
pub(crate) fn check_filter(name: &str, filter: Option<&str>, has_transforms: bool) -> Result<()> {
    let problem = match filter {
        _ if name.is_empty() => "the origin has no name",
        Some(_) if has_transforms => "a filter and transforms exclude each other",
        Some(filter) if !filter.is_empty() && !headwater_storage::subject::is_valid(filter) => {
            "the filter is not a subject"
        }
        _ => return Ok(()),
    };
    Err(Error::InvalidConfig(problem.into()))
}

/// Whether a header line is one of those that a copy never has.
pub(crate) fn is_publish_only(line: &[u8]) -> bool {
    PUBLISH_ONLY.iter().any(|prefix| line.starts_with(prefix))
}

/// What the copy's subject is: renamed by the first transform that matches, then by the stream's own.
pub(crate) fn rename(
    transforms: &[transform::Transform],
    last: Option<&transform::Transform>,
    subject: Bytes,
) -> Bytes {
    if transforms.is_empty() && last.is_none() {
        return subject;
    }
    let text = std::str::from_utf8(&subject).unwrap_or_default();
    let renamed = transform::apply_first(transforms, text);
    let renamed = match last.and_then(|last| last.apply(renamed.as_deref().unwrap_or(text))) {
        Some(last) => Some(last),
        None => renamed,
    };
    renamed.map_or(subject, Bytes::from)
}

/// A rollup is executed only where the copying stream allows it.
pub(crate) fn rollup(headers: &[u8], is_allowed: bool) -> Option<Rollup> {
    if !is_allowed || headers.is_empty() {
        return None;
    }
    match headers::value(headers, ROLLUP)? {
        value if value.eq_ignore_ascii_case(b"sub") => Some(Rollup::Subject),
        value if value.eq_ignore_ascii_case(b"all") => Some(Rollup::All),
        _ => None,
    }
}
