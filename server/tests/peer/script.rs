//! A script: steps that are data, sent to both servers one after the other.
//! Not here: sending them (`run`), what of the answers is compared (`answer`).

use crate::client::Message;
use crate::side::End;
use serde_json::Value;
use std::time::Duration;

/// How long a condition may take: longer than nats-server lets pass between two tries to reach an origin.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What answer is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// One reply.
    One,
    /// One reply, compared byte for byte as well.
    Exact,
    /// One reply, of which only an error is compared.
    Error,
    /// None.
    Silence,
    /// Replies up to one that is a status, or one that says by its headers that it is alone.
    ToStatus,
    /// The same; their number and the last one are compared.
    CountToStatus,
}

/// What is done.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Publishes with a reply subject and shows the replies.
    Ask(Message, Wanted),
    /// Publishes without a reply subject.
    Send(Message),
    /// Publishes messages `1..=count` at once and shows how many were acknowledged, and the last answer.
    Fill {
        /// The subject; `{}` stands for the number.
        subject: String,
        /// How many.
        count: u64,
    },
    /// Asks again and again until the answer has a value at a place; `null` is no value.
    Until(Message, &'static str, Value, Duration),
    /// Asks for a stream again and again until its mirror or all its sources have heard of their origins.
    Contact(Message),
    /// Ends the process and starts it again on its store.
    Restart(End),
    /// Subscribes.
    Listen(String),
    /// Shows so many messages of the subscriptions.
    Hear(usize),
    /// Shows what the subscriptions bring up to a status.
    Drain,
    /// Shows that the subscriptions are silent.
    Hush,
    /// Answers the delivery with this number of those heard so far, from 0 on; shows whether the answer is confirmed where
    /// that is asked for.
    Answer(usize, String, bool),
}

/// A step with a name that stands in reports and in the list of differences that are kept.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) act: Act,
}

/// Steps for a fresh server.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) name: &'static str,
    /// Whether it is compared which times are equal: that tells a copy that keeps times from one that does not. A stream
    /// gives those that arrive together, from a source or in a batch, one time of its own.
    pub(crate) has_loose_times: bool,
    pub(crate) steps: Vec<Step>,
}

/// A header block of these fields.
pub(crate) fn headers(fields: &[(&str, &str)]) -> Vec<u8> {
    if fields.is_empty() {
        return Vec::new();
    }
    let lines: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("NATS/1.0\r\n{lines}\r\n").into_bytes()
}

fn message(subject: impl Into<String>, headers: Vec<u8>, payload: &[u8]) -> Message {
    Message { subject: subject.into(), headers, payload: payload.to_vec(), reply: String::new() }
}

/// A request to the API.
fn request(subject: &str, payload: Vec<u8>) -> Message {
    message(format!("$JS.API.{subject}"), Vec::new(), &payload)
}

/// A body as text: nothing for `null`.
fn body(value: &Value) -> Vec<u8> {
    match value {
        Value::Null => Vec::new(),
        Value::String(text) => text.clone().into_bytes(),
        value => value.to_string().into_bytes(),
    }
}

impl Script {
    /// An empty script.
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, has_loose_times: false, steps: Vec::new() }
    }
    /// Does not compare which times are equal.
    pub(crate) fn with_loose_times(mut self) -> Self {
        self.has_loose_times = true;
        self
    }
    fn step(mut self, name: String, act: Act) -> Self {
        let name = format!("{:03} {name}", self.steps.len() + 1);
        self.steps.push(Step { name, act });
        self
    }
    /// A request to the API. A body that is a string is sent as it stands, `null` as nothing.
    pub(crate) fn api(self, subject: impl AsRef<str>, request: Value) -> Self {
        self.api_with(subject, &[], request)
    }
    /// A request to the API with headers.
    pub(crate) fn api_with(
        self,
        subject: impl AsRef<str>,
        fields: &[(&str, &str)],
        request: Value,
    ) -> Self {
        let (subject, payload) = (subject.as_ref(), body(&request));
        let mut name = format!("{subject} {}", String::from_utf8_lossy(&payload));
        for (field, value) in fields {
            name.push_str(&format!(" [{field}: {value}]"));
        }
        let message = message(format!("$JS.API.{subject}"), headers(fields), &payload);
        self.step(name, Act::Ask(message, Wanted::One))
    }
    /// A direct read.
    pub(crate) fn direct(self, target: &str, request: Value) -> Self {
        let payload = body(&request);
        let name = format!("DIRECT.GET.{target} {}", String::from_utf8_lossy(&payload));
        let message = message(format!("$JS.API.DIRECT.GET.{target}"), Vec::new(), &payload);
        self.step(name, Act::Ask(message, Wanted::ToStatus))
    }
    /// A direct read of which the number of replies and the last of them are shown.
    pub(crate) fn direct_count(self, target: &str, request: Value) -> Self {
        let mut script = self.direct(target, request);
        if let Some(Step { act: Act::Ask(_, wanted), .. }) = script.steps.last_mut() {
            *wanted = Wanted::CountToStatus;
        }
        script
    }
    /// A message that is not answered.
    pub(crate) fn unanswered(self, subject: &str, fields: &[(&str, &str)], text: &str) -> Self {
        let message = message(subject, headers(fields), text.as_bytes());
        self.step(format!("unanswered {subject} {fields:?}"), Act::Ask(message, Wanted::Silence))
    }
    /// A message and its acknowledgement.
    pub(crate) fn publish(self, subject: &str, text: &str) -> Self {
        self.publish_with(subject, &[], text)
    }
    /// A message with headers, and its acknowledgement.
    pub(crate) fn publish_with(self, subject: &str, fields: &[(&str, &str)], text: &str) -> Self {
        self.publish_raw(subject, headers(fields), text, &format!("{fields:?}"))
    }
    /// A message with a header block as it stands, and its acknowledgement.
    pub(crate) fn publish_raw(
        self,
        subject: &str,
        block: Vec<u8>,
        text: &str,
        shown: &str,
    ) -> Self {
        let message = message(subject, block, text.as_bytes());
        self.step(format!("publish {subject} {shown}"), Act::Ask(message, Wanted::Exact))
    }
    /// A message without a reply subject.
    pub(crate) fn send(self, subject: &str, fields: &[(&str, &str)], text: &str) -> Self {
        let message = message(subject, headers(fields), text.as_bytes());
        self.step(format!("send {subject} {fields:?}"), Act::Send(message))
    }
    /// A message with a reply subject of its own, to which answers may come.
    pub(crate) fn send_from(
        self,
        reply: &str,
        subject: &str,
        fields: &[(&str, &str)],
        text: &str,
    ) -> Self {
        let mut message = message(subject, headers(fields), text.as_bytes());
        reply.clone_into(&mut message.reply);
        self.step(format!("send {subject} from {reply} {fields:?}"), Act::Send(message))
    }
    /// Messages `1..=count`, sent at once; `{}` in the subject is the number.
    pub(crate) fn fill(self, subject: &str, count: u64) -> Self {
        let act = Act::Fill { subject: subject.to_owned(), count };
        self.step(format!("fill {subject} {count}"), act)
    }
    /// Waits until an API answer has a value.
    pub(crate) fn until(
        self,
        subject: &str,
        request: Value,
        pointer: &'static str,
        value: Value,
    ) -> Self {
        let name = format!("until {subject} {pointer} {value}");
        let message = self::request(subject, body(&request));
        self.step(name, Act::Until(message, pointer, value, PATIENCE))
    }
    /// Waits for so long until an API answer has a value.
    pub(crate) fn until_within(
        self,
        subject: &str,
        pointer: &'static str,
        value: Value,
        wait: Duration,
    ) -> Self {
        let name = format!("until {subject} {pointer} {value}");
        self.step(name, Act::Until(request(subject, Vec::new()), pointer, value, wait))
    }
    /// Publishes until the acknowledgement has a value.
    pub(crate) fn publish_until(
        self,
        subject: &str,
        fields: &[(&str, &str)],
        pointer: &'static str,
        value: Value,
    ) -> Self {
        let name = format!("publish {subject} {fields:?} until {pointer} {value}");
        let message = message(subject, headers(fields), b"again");
        self.step(name, Act::Until(message, pointer, value, PATIENCE))
    }
    /// Waits until a stream's last sequence is this one and its copies have heard of their origins; shows the stream.
    pub(crate) fn reaches(self, stream: &str, last_sequence: u64) -> Self {
        let info = format!("STREAM.INFO.{stream}");
        let script = self.until(&info, Value::Null, "/state/last_seq", last_sequence.into());
        script.contacts(stream).info(stream)
    }
    /// Waits until every copy of a stream has heard of its origin and has nothing left to take.
    pub(crate) fn contacts(self, stream: &str) -> Self {
        let info = format!("STREAM.INFO.{stream}");
        self.step(format!("contacts {info}"), Act::Contact(request(&info, Vec::new())))
    }
    /// Shows a stream with its deleted sequences and its subjects.
    pub(crate) fn info(self, stream: &str) -> Self {
        let request = serde_json::json!({"deleted_details": true, "subjects_filter": ">"});
        self.api(format!("STREAM.INFO.{stream}"), request)
    }
    /// Shows a stream that may never have held a message: nats-server counts a deleted one there if asked for details.
    pub(crate) fn plain_info(self, stream: &str) -> Self {
        self.api(format!("STREAM.INFO.{stream}"), Value::Null)
    }
    /// Shows messages by sequence.
    pub(crate) fn show(mut self, stream: &str, sequences: impl IntoIterator<Item = u64>) -> Self {
        for sequence in sequences {
            let request = serde_json::json!({"seq": sequence});
            self = self.api(format!("STREAM.MSG.GET.{stream}"), request);
        }
        self
    }
    /// Creates a stream; its name is in the configuration.
    pub(crate) fn create(self, config: Value) -> Self {
        let name = config["name"].as_str().unwrap_or_default().to_owned();
        self.api(format!("STREAM.CREATE.{name}"), config)
    }
    /// Updates a stream.
    pub(crate) fn update(self, config: Value) -> Self {
        let name = config["name"].as_str().unwrap_or_default().to_owned();
        self.api(format!("STREAM.UPDATE.{name}"), config)
    }
    /// Compares only the error of the last request: what its answer says of the stream depends on how much has arrived.
    pub(crate) fn only_error(mut self) -> Self {
        if let Some(Step { act: Act::Ask(_, wanted), .. }) = self.steps.last_mut() {
            *wanted = Wanted::Error;
        }
        self
    }
    /// Deletes a stream.
    pub(crate) fn delete(self, name: &str) -> Self {
        self.api(format!("STREAM.DELETE.{name}"), Value::Null)
    }
    /// Creates a stream and deletes it again if it was created.
    pub(crate) fn verdict(self, config: Value) -> Self {
        let name = config["name"].as_str().unwrap_or_default().to_owned();
        let script = self.create(config);
        if name.is_empty() { script } else { script.delete(&name) }
    }
    /// Stops the server and starts it again.
    pub(crate) fn restart(self) -> Self {
        self.step("restart".to_owned(), Act::Restart(End::Stop))
    }
    /// Stops the server and starts it again where the storage outlives it.
    pub(crate) fn restart_if(self, storage: &str) -> Self {
        if storage == "file" { self.restart() } else { self }
    }
    /// Kills the server and starts it again.
    pub(crate) fn kill(self) -> Self {
        self.step("kill and restart".to_owned(), Act::Restart(End::Kill))
    }
    /// Subscribes.
    pub(crate) fn listen(self, subject: &str) -> Self {
        self.step(format!("listen {subject}"), Act::Listen(subject.to_owned()))
    }
    /// Shows what was heard.
    pub(crate) fn hear(self, count: usize) -> Self {
        self.step(format!("hear {count}"), Act::Hear(count))
    }
    /// Shows what is heard up to a status.
    pub(crate) fn drain(self) -> Self {
        self.step("drain".to_owned(), Act::Drain)
    }
    /// Shows that nothing more is heard.
    pub(crate) fn hush(self) -> Self {
        self.step("hush".to_owned(), Act::Hush)
    }
    /// Answers a delivery by its number among those heard, from 0 on.
    pub(crate) fn answer(self, delivery: usize, payload: &str) -> Self {
        self.step(
            format!("answer {delivery} {payload}"),
            Act::Answer(delivery, payload.to_owned(), false),
        )
    }
    /// Answers a delivery, and shows the confirmation.
    pub(crate) fn confirmed(self, delivery: usize, payload: &str) -> Self {
        self.step(
            format!("confirmed {delivery} {payload}"),
            Act::Answer(delivery, payload.to_owned(), true),
        )
    }
    /// Creates a consumer of stream `A`; its name is in the configuration.
    pub(crate) fn consumer(self, config: &Value) -> Self {
        let name = config["name"].as_str().or(config["durable_name"].as_str()).unwrap_or_default();
        let subject = match name {
            "" => "CONSUMER.CREATE.A".to_owned(),
            name => format!("CONSUMER.CREATE.A.{name}"),
        };
        self.api(subject, serde_json::json!({"stream_name": "A", "config": config}))
    }
    /// A pull request to a consumer of stream `A`, answered to `d`.
    pub(crate) fn pull(self, consumer: &str, body: &str) -> Self {
        self.send_from("d", &format!("$JS.API.CONSUMER.MSG.NEXT.A.{consumer}"), &[], body)
    }
}
