//! Mirror and source as pure decisions: any progress bytes, any facts, and events in any order. A message is never copied twice or
//! out of order, the position never goes back, and what a copy says of its original is read again.
#![no_main]

use headwater_replication::{
    MirrorConfig, SourceConfig,
    identity::OriginIdentity,
    limits::PROGRESS_BYTES_MAX,
    mirror::Mirror,
    origin::OriginFacts,
    plugin::{Actions, Event, Plugin, Situation},
    progress::Progress,
    source::Source,
    source_header::{STREAM_SOURCE, SourceHeader, SourcePosition},
    target::TargetFacts,
};
use headwater_storage::{
    Message, NewMessage, Timestamp,
    stream::{Incarnation, Item},
};
use libfuzzer_sys::{
    arbitrary::{self, Arbitrary},
    fuzz_target,
};

/// Events of one input.
const EVENTS_MAX: usize = 64;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    is_mirror: bool,
    start_sequence: Option<u64>,
    start_time: Option<i64>,
    filter: Option<&'a str>,
    found: Option<Written<'a>>,
    sessions: Vec<Session<'a>>,
}

/// One opening of the origin.
#[derive(Arbitrary, Debug)]
struct Session<'a> {
    progress: Stored<'a>,
    target: Target,
    origin: Facts,
    events: Vec<Happened<'a>>,
}

/// What the target holds as progress.
#[derive(Arbitrary, Debug)]
enum Stored<'a> {
    /// What the plugin said last.
    Own,
    Nothing,
    Other(&'a [u8]),
    /// Of this creation, up to this sequence.
    Of(Facts, u64),
}

#[derive(Arbitrary, Debug)]
struct Target {
    messages: u8,
    first_sequence: u64,
    last_sequence: u64,
    last_time: Option<i64>,
    allow_rollup: bool,
}

#[derive(Arbitrary, Debug)]
struct Facts {
    incarnation: Option<u8>,
    hash: Option<u8>,
    last_sequence: u64,
}

#[derive(Arbitrary, Debug)]
enum Happened<'a> {
    Started { sequence: u64 },
    Next { gap: u8, written: Written<'a> },
    Message { sequence: u64, previous: u64, written: Written<'a> },
    CaughtUp { through: u64 },
}

#[derive(Arbitrary, Debug)]
struct Written<'a> {
    subject: &'a str,
    headers: Block<'a>,
    time: i64,
}

/// A header block.
#[derive(Arbitrary, Debug)]
enum Block<'a> {
    None,
    Any(&'a [u8]),
    Lines(Vec<(Name, &'a str)>),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Name {
    StreamSource,
    MessageId,
    Rollup,
    Expected,
    Batch,
    Other,
}

impl Written<'_> {
    fn message(&self, sequence: u64) -> Message {
        let headers = match &self.headers {
            Block::None => Vec::new(),
            Block::Any(bytes) => bytes.to_vec(),
            Block::Lines(lines) => {
                let mut block = "NATS/1.0\r\n".to_owned();
                for (name, value) in lines {
                    let name = match name {
                        Name::StreamSource => STREAM_SOURCE,
                        Name::MessageId => "Nats-Msg-Id",
                        Name::Rollup => "Nats-Rollup",
                        Name::Expected => "Nats-Expected-Last-Sequence",
                        Name::Batch => "Nats-Batch-Id",
                        Name::Other => "A",
                    };
                    block.push_str(&format!("{name}: {}\r\n", value.replace(['\r', '\n'], "")));
                }
                (block + "\r\n").into_bytes()
            }
        };
        Message {
            sequence,
            time: Timestamp(self.time),
            subject: self.subject.to_owned().into(),
            headers: headers.into(),
            payload: format!("payload {sequence}").into(),
        }
    }
}

impl Facts {
    fn identity(&self) -> OriginIdentity {
        OriginIdentity {
            incarnation: self.incarnation.map(|number| Incarnation((number % 3).into())),
            hash: self.hash.map(|number| format!("{:08}", number % 3)).unwrap_or_default(),
        }
    }
}

/// A plugin at work, and what it said before.
struct Work {
    plugin: Box<dyn Plugin>,
    /// How a source names its copies; none for a mirror.
    header: Option<SourceHeader>,
    /// The last sequence of the origin that was copied in this session.
    copied: u64,
    /// The sequence of the last event.
    previous: u64,
}

impl Work {
    fn happen(&mut self, happened: &Happened<'_>) -> Event {
        match happened {
            Happened::Started { sequence } => Event::Started { sequence: *sequence },
            Happened::CaughtUp { through } => Event::CaughtUp { through: *through },
            Happened::Message { sequence, previous, written } => {
                Event::Message { message: written.message(*sequence), previous: *previous }
            }
            Happened::Next { gap, written } => {
                let sequence = self.previous.saturating_add(1).saturating_add((*gap).into());
                Event::Message { message: written.message(sequence), previous: self.previous }
            }
        }
    }

    fn decide(&mut self, event: Event) {
        let before = self.plugin.position();
        let mut actions = Actions::default();
        let decided = self.plugin.decide(event.clone(), &mut actions);
        assert!(decided.is_ok(), "{event:?}: {decided:?}");
        let after = self.plugin.position();
        assert!(after >= before, "{before} {after}: {event:?}");
        let mut reached = before;
        for item in actions.items() {
            match (item, &event) {
                (Item::Skip { through }, _) => {
                    assert!(*through > reached, "{event:?}");
                    reached = *through;
                }
                (
                    Item::Copy { sequence, time, message },
                    Event::Message { message: original, .. },
                ) => {
                    assert!(self.header.is_none(), "a source gives no sequences");
                    assert_eq!((*sequence, *time), (original.sequence, original.time));
                    assert!(*sequence > reached, "{event:?}");
                    reached = *sequence;
                    self.check_copy(message, original);
                }
                (Item::Append(message), Event::Message { message: original, .. }) => {
                    self.check_source(message, original);
                    assert!(original.sequence > reached, "{event:?}");
                    reached = original.sequence;
                    self.check_copy(message, original);
                }
                _ => panic!("a copy without a message: {event:?}"),
            }
        }
        assert!(reached <= after, "{event:?}");
        if let Event::Message { message, .. } = &event {
            self.previous = message.sequence;
        }
        self.check_progress();
    }

    fn check_copy(&mut self, copy: &NewMessage, original: &Message) {
        assert!(original.sequence > self.copied, "copied twice or out of order: {original:?}");
        self.copied = original.sequence;
        assert_eq!((&copy.subject, &copy.payload), (&original.subject, &original.payload));
    }

    /// What the copy of a source says is where its original lies.
    fn check_source(&self, copy: &NewMessage, original: &Message) {
        let header = self.header.as_ref().expect("a mirror gives sequences");
        let is_block = original.headers.is_empty()
            || headwater_replication::headers::value(&original.headers, "").is_some()
            || headwater_replication::headers::rewrite(
                &original.headers,
                |_| false,
                Some(("B", "")),
            ) != original.headers;
        if !is_block {
            return;
        }
        let value = headwater_replication::headers::value(&copy.headers, STREAM_SOURCE);
        let text = value.and_then(|value| std::str::from_utf8(value).ok());
        // A subject with a line end cannot stand in a header; no stream holds one.
        if original.subject_str().contains(char::is_whitespace) {
            return;
        }
        let position = text.and_then(SourcePosition::parse);
        let position = position.unwrap_or_else(|| panic!("{text:?} of {original:?}"));
        assert!(header.covers(&position), "{text:?}");
        assert_eq!(position.sequence, original.sequence);
    }

    fn check_progress(&self) {
        let mut bytes = b"before".to_vec();
        self.plugin.progress(&mut bytes);
        assert!(bytes.len() <= PROGRESS_BYTES_MAX);
        let progress = Progress::decode("key", &bytes).expect("its own progress");
        assert_eq!(progress.sequence, self.plugin.position());
    }
}

fn make(input: &Input<'_>) -> Option<(Box<dyn Plugin>, Option<SourceHeader>)> {
    let (start_sequence, start_time) = (input.start_sequence, input.start_time.map(Timestamp));
    let (name, filter) = ("O".to_owned(), input.filter.map(str::to_owned));
    if input.is_mirror {
        let config =
            MirrorConfig { name, start_sequence, start_time, filter, ..MirrorConfig::default() };
        return Some((Box::new(Mirror::new(config).ok()?), None));
    }
    let config =
        SourceConfig { name, start_sequence, start_time, filter, ..SourceConfig::default() };
    let header = SourceHeader::new(&config);
    Some((Box::new(Source::new(config).ok()?), Some(header)))
}

fuzz_target!(|input: Input<'_>| {
    let Some((plugin, header)) = make(&input) else { return };
    let mut work = Work { plugin, header, copied: 0, previous: 0 };
    let mut own = None;
    for session in &input.sessions {
        let stored = match &session.progress {
            Stored::Own => own.clone(),
            Stored::Nothing => None,
            Stored::Other(bytes) => Some(bytes.to_vec()),
            Stored::Of(facts, sequence) => {
                let mut bytes = Vec::new();
                let identity = facts.identity();
                Progress { identity, sequence: *sequence }.encode(&mut bytes);
                Some(bytes)
            }
        };
        if work.plugin.search(stored.as_deref())
            && let Some(found) = &input.found
        {
            let _ = work.plugin.found(&found.message(1));
        }
        let target = TargetFacts {
            messages: session.target.messages.into(),
            first_sequence: session.target.first_sequence,
            last_sequence: session.target.last_sequence,
            last_time: session.target.last_time.map(Timestamp),
            allow_rollup: session.target.allow_rollup,
            has_markers: false,
            lifetime_seconds_min: 0,
        };
        let last_sequence = session.origin.last_sequence;
        let identity = session.origin.identity();
        let origin = OriginFacts { identity, first_sequence: 1, last_sequence };
        let situation = Situation { target: &target, origin: &origin, progress: stored.as_deref() };
        if work.plugin.attach(&situation).is_err() {
            continue;
        }
        // What was copied before is in the target, or belongs to another creation.
        (work.copied, work.previous) = (work.plugin.position(), work.plugin.position());
        work.check_progress();
        for happened in session.events.iter().take(EVENTS_MAX) {
            let event = work.happen(happened);
            work.decide(event);
        }
        let mut bytes = Vec::new();
        work.plugin.progress(&mut bytes);
        own = Some(bytes);
    }
});
