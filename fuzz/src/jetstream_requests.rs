//! Requests of the JetStream API and publishes as structures, so that a fuzzer gets past the parsers.
//! Not here: who answers them (the target).

use bytes::Bytes;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use serde_json::{Map, Value};

/// Endpoints that take the name of a stream, or none.
pub const ENDPOINTS: [(&str, bool); 16] = [
    ("INFO", false),
    ("STREAM.NAMES", false),
    ("STREAM.LIST", false),
    ("STREAM.CREATE", true),
    ("STREAM.UPDATE", true),
    ("STREAM.INFO", true),
    ("STREAM.DELETE", true),
    ("STREAM.PURGE", true),
    ("STREAM.MSG.GET", true),
    ("STREAM.MSG.DELETE", true),
    ("DIRECT.GET", true),
    ("STREAM.SNAPSHOT", true),
    ("STREAM.RESTORE", true),
    ("STREAM.PEER.REMOVE", true),
    ("CONSUMER.CREATE", true),
    ("CONSUMER.LIST", true),
];
pub const STREAMS: [&str; 5] = ["S", "F", "M", "N", "O"];
pub const SUBJECTS: [&str; 8] = ["s.a", "s.b.c", "f.a", "f.b", "n.a", "s.>", "*.a", "o.a"];
const FIELDS: [&str; 58] = [
    "name",
    "description",
    "subjects",
    "retention",
    "max_consumers",
    "max_msgs",
    "max_bytes",
    "max_age",
    "max_msgs_per_subject",
    "max_msg_size",
    "discard",
    "storage",
    "num_replicas",
    "no_ack",
    "duplicate_window",
    "placement",
    "mirror",
    "sources",
    "compression",
    "first_seq",
    "subject_transform",
    "republish",
    "allow_direct",
    "mirror_direct",
    "sealed",
    "deny_delete",
    "deny_purge",
    "allow_rollup_hdrs",
    "discard_new_per_subject",
    "consumer_limits",
    "allow_atomic",
    "allow_batched",
    "metadata",
    "pedantic",
    "offset",
    "subject",
    "filter",
    "seq",
    "keep",
    "last_by_subj",
    "next_by_subj",
    "start_time",
    "batch",
    "max_bytes",
    "multi_last",
    "up_to_seq",
    "up_to_time",
    "no_hdr",
    "no_erase",
    "deleted_details",
    "subjects_filter",
    "src",
    "dest",
    "filter_subject",
    "opt_start_seq",
    "opt_start_time",
    "subject_transforms",
    "external",
];
pub const HEADERS: [&str; 12] = [
    "Nats-Msg-Id",
    "Nats-Expected-Stream",
    "Nats-Expected-Last-Sequence",
    "Nats-Expected-Last-Subject-Sequence",
    "Nats-Expected-Last-Subject-Sequence-Subject",
    "Nats-Expected-Last-Msg-Id",
    "Nats-Rollup",
    "Nats-TTL",
    "Nats-Batch-Id",
    "Nats-Batch-Sequence",
    "Nats-Batch-Commit",
    "Nats-Required-Api-Level",
];
const WORDS: [&str; 16] = [
    "",
    "1",
    "2",
    "sub",
    "all",
    "never",
    "eob",
    "file",
    "memory",
    "limits",
    "old",
    "new",
    "s2",
    "2026-01-01T00:00:00Z",
    "b",
    "18446744073709551615",
];

#[derive(Arbitrary, Debug)]
pub enum Request<'a> {
    Api { endpoint: u8, stream: u8, body: Body<'a>, required_level: Option<&'a str> },
    Raw { path: &'a str, body: Body<'a> },
    DirectGet { stream: u8, subject: &'a str },
    Publish { subject: u8, headers: Vec<(u8, Word<'a>)>, reply: Reply<'a>, payload: u8 },
    PublishRaw { subject: u8, headers: &'a [u8], reply: &'a str },
}

#[derive(Arbitrary, Debug)]
pub enum Body<'a> {
    Bytes(&'a [u8]),
    Fields(Vec<(u8, Field<'a>)>),
}

#[derive(Arbitrary, Debug)]
pub enum Field<'a> {
    Null,
    Flag(bool),
    Small(i8),
    Number(i64),
    Count(u64),
    Word(Word<'a>),
    List(Vec<Word<'a>>),
    Object(Vec<(u8, Word<'a>)>),
    Objects(Vec<Vec<(u8, Word<'a>)>>),
}

#[derive(Arbitrary, Debug)]
pub enum Word<'a> {
    Known(u8),
    Subject(u8),
    Stream(u8),
    Any(&'a str),
}

/// Where the answer to a publish goes.
#[derive(Arbitrary, Debug)]
pub enum Reply<'a> {
    None,
    Inbox,
    /// It is one of a fast batch.
    Fast {
        batch: u8,
        flow: u8,
        gaps: bool,
        sequence: u8,
        operation: u8,
    },
    Any(&'a str),
}

/// One of a list, by any number.
pub fn pick<'a>(from: &[&'a str], number: u8) -> &'a str {
    from[usize::from(number) % from.len()]
}

impl Word<'_> {
    /// As text.
    pub fn text(&self) -> &str {
        match self {
            Self::Known(number) => pick(&WORDS, *number),
            Self::Subject(number) => pick(&SUBJECTS, *number),
            Self::Stream(number) => pick(&STREAMS, *number),
            Self::Any(text) => text,
        }
    }
}

fn object(fields: &[(u8, Word<'_>)]) -> Value {
    let fields =
        fields.iter().map(|(name, word)| (pick(&FIELDS, *name).to_owned(), word.text().into()));
    Value::Object(fields.collect())
}

impl Field<'_> {
    fn value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Flag(flag) => (*flag).into(),
            Self::Small(number) => (*number).into(),
            Self::Number(number) => (*number).into(),
            Self::Count(number) => (*number).into(),
            Self::Word(word) => word.text().into(),
            Self::List(words) => words.iter().map(Word::text).collect(),
            Self::Object(fields) => object(fields),
            Self::Objects(objects) => objects.iter().map(|fields| object(fields)).collect(),
        }
    }
}

impl Body<'_> {
    /// As bytes.
    pub fn bytes(&self) -> Bytes {
        match self {
            Self::Bytes(bytes) => bytes.to_vec().into(),
            Self::Fields(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, field)| (pick(&FIELDS, *name).to_owned(), field.value()));
                Value::Object(fields.collect::<Map<_, _>>()).to_string().into()
            }
        }
    }
}

impl Reply<'_> {
    /// As text.
    pub fn text(&self) -> String {
        match self {
            Self::None => String::new(),
            Self::Inbox => "_INBOX.p".into(),
            Self::Fast { batch, flow, gaps, sequence, operation } => {
                let gaps = if *gaps { "ok" } else { "fail" };
                let (batch, operation) = (batch % 3, operation % 6);
                format!("_INBOX.p.b{batch}.{flow}.{gaps}.{sequence}.{operation}.$FI")
            }
            Self::Any(text) => (*text).to_owned(),
        }
    }
}
