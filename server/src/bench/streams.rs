//! The streams of a run: BENCH_1 with the subjects `bench.1.>`, and so on. Made before, looked at and removed after it.
//! Not here: publishing to them (`publisher`).

use super::address::Address;
use super::client::{Connection, Greeting};
use super::error::{BenchError, Result};
use super::incoming::Incoming;
use super::load::Storage;
use serde_json::{Value, json};

/// Name of the stream with this index.
pub(super) fn name(index: usize) -> String {
    format!("BENCH_{}", index + 1)
}

/// Subject on which a client publishes to the stream with this index.
pub(super) fn subject(index: usize, client: usize) -> String {
    format!("bench.{}.{client}", index + 1)
}

/// What a stream held at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// The last sequence it gave out.
    pub(super) last_sequence: u64,
    /// How many messages it holds.
    pub(super) messages: u64,
}

/// A connection for requests to the JetStream API.
#[derive(Debug)]
pub(super) struct Requests {
    connection: Connection,
    inbox: String,
    next: u64,
}

impl Requests {
    /// Connects.
    pub(super) async fn open(address: &Address) -> Result<Self> {
        let mut connection = Connection::open(address).await?;
        let inbox = format!("_INBOX.{}.", nuid::next());
        connection.push(format!("SUB {inbox}* 1\r\n").as_bytes());
        Ok(Self { connection, inbox, next: 0 })
    }

    /// What the server said of itself.
    pub(super) fn greeting(&self) -> &Greeting {
        self.connection.greeting()
    }

    /// Makes the streams; gives what each held before. One that is there already with another configuration is an
    /// error, and so are subjects that another stream has.
    pub(super) async fn create(&mut self, count: usize, storage: Storage) -> Result<Vec<Held>> {
        let mut held = Vec::new();
        for index in 0..count {
            let name = name(index);
            let subjects = [format!("bench.{}.>", index + 1)];
            let config = json!({
                "name": name, "subjects": subjects, "storage": storage.name(), "num_replicas": 1,
            });
            let subject = format!("$JS.API.STREAM.CREATE.{name}");
            held.push(state(&self.call(&subject, &config.to_string()).await?));
        }
        Ok(held)
    }

    /// What a stream holds now.
    pub(super) async fn look_at(&mut self, index: usize) -> Result<Held> {
        let subject = format!("$JS.API.STREAM.INFO.{}", name(index));
        Ok(state(&self.call(&subject, "").await?))
    }

    /// Removes the streams; goes on after one that cannot be removed, and gives the first error.
    pub(super) async fn remove(&mut self, count: usize) -> Result<()> {
        let mut result = Ok(());
        for index in 0..count {
            let subject = format!("$JS.API.STREAM.DELETE.{}", name(index));
            result = result.and(self.call(&subject, "").await.map(|_| ()));
        }
        result
    }

    async fn call(&mut self, subject: &str, body: &str) -> Result<Value> {
        let reply = format!("{}{}", self.inbox, self.next);
        self.next += 1;
        let request = format!("PUB {subject} {reply} {}\r\n{body}\r\n", body.len());
        self.connection.push(request.as_bytes());
        let mut answer = None;
        let wanted = |operation: Incoming<'_>| match operation {
            Incoming::Message { subject, payload, .. } if subject == reply.as_bytes() => {
                answer = Some(serde_json::from_slice::<Value>(payload).unwrap_or(Value::Null));
                true
            }
            _ => false,
        };
        self.connection.wait_for(&format!("an answer to {subject}"), wanted).await?;
        let answer = answer.unwrap_or(Value::Null);
        let fail = |code, description: &str| {
            Err(BenchError::Api { subject: subject.into(), code, description: description.into() })
        };
        if answer.is_null() {
            return fail(503, "no JetStream here");
        }
        if let Some(error) = answer.get("error") {
            let code = number(error, "err_code");
            let description = error.get("description").and_then(Value::as_str).unwrap_or_default();
            return fail(u32::try_from(code).unwrap_or(0), description);
        }
        Ok(answer)
    }
}

fn number(object: &Value, field: &str) -> u64 {
    object.get(field).and_then(Value::as_u64).unwrap_or(0)
}

fn state(answer: &Value) -> Held {
    let state = answer.get("state").unwrap_or(&Value::Null);
    Held { last_sequence: number(state, "last_seq"), messages: number(state, "messages") }
}
