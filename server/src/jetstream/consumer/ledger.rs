//! Where the consumers of a stream are kept: an engine stream beside it, with two subjects for each consumer.
//!
//! `<consumer>.config` holds one message, what the consumer is. `<consumer>.state` holds its whole state, then what has
//! changed since; a whole state takes the place of all before it. So a consumer costs what it holds, all of them share
//! the journal's rounds with the messages, and what was stored comes back after a crash.
//! Invariant: a consumer is there when its configuration is, and that comes and goes together with its state.
//! Not here: when states are stored (`saver`).

use super::config::{ConsumerConfig, from_stored};
use super::state::{Delta, State};
use bincode::{Decode, Encode, decode_from_slice, encode_to_vec};
use bytes::Bytes;
use headwater_storage::message::Rollup;
use headwater_storage::stream::Purge;
use headwater_storage::{Error, NewMessage, Result, Stream, StreamConfig, Timestamp, Volume};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Version of what is stored, the first byte of a state.
const WHOLE: u8 = 1;
const CHANGES: u8 = 2;
/// Bytes that a stored state may claim to need when it is read.
const DECODE_BYTES_MAX: usize = 1 << 30;
/// Messages and bytes read at a time.
const BATCH_MESSAGES_MAX: usize = 1024;
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What a consumer is, apart from its state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Described {
    /// Its configuration.
    pub(crate) config: ConsumerConfig,
    /// When it was created.
    pub(crate) created: Timestamp,
    /// Where the messages chosen at its creation end; 0 where none were chosen.
    pub(crate) chosen_through: u64,
}

/// The consumers of one stream, as stored.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    stream: Arc<Stream>,
}

fn stored_name(account: &str, stream: &str) -> String {
    format!("{account}#consumers/{stream}")
}

impl Ledger {
    /// Finds what is stored for this creation of a stream, if anything is.
    pub(crate) fn find(volume: &Volume, account: &str, stream: &str, of: &Stream) -> Option<Self> {
        let found = volume.stream(&stored_name(account, stream))?;
        (found.config().application == of.incarnation().0.to_le_bytes())
            .then_some(Self { stream: found })
    }
    /// Finds it, or begins it. What an earlier creation of the stream left, deleted but for its consumers when the process
    /// ended, goes.
    pub(crate) async fn open(
        volume: &Volume,
        account: &str,
        stream: &str,
        of: &Stream,
    ) -> Result<Self> {
        if let Some(found) = Self::find(volume, account, stream, of) {
            return Ok(found);
        }
        Self::delete(volume, account, stream).await?;
        let config = StreamConfig {
            name: stored_name(account, stream),
            allow_rollup: true,
            application: of.incarnation().0.to_le_bytes().to_vec(),
            ..StreamConfig::default()
        };
        volume.create_stream(config).await.map(|stream| Self { stream })
    }
    /// Forgets all consumers of a stream.
    pub(crate) async fn delete(volume: &Volume, account: &str, stream: &str) -> Result<()> {
        match volume.delete_stream(&stored_name(account, stream)).await {
            Err(Error::StreamNotFound(_)) => Ok(()),
            result => result,
        }
    }
    /// The stream that it is.
    pub(crate) fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }
    /// Stores a new consumer; durable on return.
    pub(crate) async fn create(&self, name: &str, what: &Described, state: &State) -> Result<()> {
        let state = stored_state(name, encode_whole(state)?, true);
        self.stream.append_all(vec![stored_config(name, what), state]).await.map(drop)
    }
    /// Stores another configuration of a consumer; durable on return.
    pub(crate) async fn update(&self, name: &str, what: &Described) -> Result<()> {
        self.stream.append(stored_config(name, what)).await.map(drop)
    }
    /// Forgets a consumer; durable on return.
    pub(crate) async fn remove(&self, name: &str) -> Result<()> {
        let filter = Some(format!("{name}.*"));
        self.stream.purge(Purge { filter, ..Purge::default() }).await.map(drop)
    }
    /// All consumers. One that cannot be read is left out, and said.
    pub(crate) fn load(&self) -> Result<Vec<(String, Described, State)>> {
        let mut read: BTreeMap<String, (Option<Described>, Option<State>)> = BTreeMap::new();
        let lost = self.stream.state().lost.sequences;
        if !lost.is_empty() {
            let name = self.stream.config().name;
            tracing::error!(
                name,
                ?lost,
                "changes of consumers are lost to damage: messages may come again"
            );
        }
        let mut tail = self.stream.tail(1, Vec::new());
        while let Some(batch) = tail.try_next(BATCH_MESSAGES_MAX, BATCH_BYTES_MAX)? {
            for message in batch.messages {
                let Some((name, kind)) = message.subject_str().rsplit_once('.') else { continue };
                let entry = read.entry(name.to_owned()).or_default();
                match kind {
                    "config" => entry.0 = read_config(&message.payload),
                    _ => read_state(&message.payload, &mut entry.1),
                }
            }
        }
        let whole = read.into_iter().filter_map(|(name, found)| match found {
            (Some(what), Some(state)) => Some((name, what, state)),
            _ => {
                tracing::error!(consumer = name, "consumer is left alone, it cannot be read");
                None
            }
        });
        Ok(whole.collect())
    }
}

fn stored_config(name: &str, what: &Described) -> NewMessage {
    let body = json!({
        "config": what.config, "created": what.created.0, "chosen_through": what.chosen_through,
    });
    NewMessage {
        subject: Bytes::from(format!("{name}.config")),
        payload: Bytes::from(body.to_string()),
        rollup: Some(Rollup::Subject),
        ..NewMessage::default()
    }
}

fn read_config(payload: &[u8]) -> Option<Described> {
    let value: Value = serde_json::from_slice(payload).ok()?;
    Some(Described {
        config: from_stored(value.get("config")?).ok()?,
        created: Timestamp(value.get("created")?.as_i64()?),
        chosen_through: value.get("chosen_through")?.as_u64()?,
    })
}

/// A state, or a change of it, as it is stored. `is_whole`: it takes the place of all before it.
pub(crate) fn stored_state(name: &str, payload: Vec<u8>, is_whole: bool) -> NewMessage {
    NewMessage {
        subject: Bytes::from(format!("{name}.state")),
        payload: Bytes::from(payload),
        rollup: is_whole.then_some(Rollup::Subject),
        ..NewMessage::default()
    }
}

/// A whole state as bytes.
pub(crate) fn encode_whole(state: &State) -> Result<Vec<u8>> {
    encode(WHOLE, state)
}

/// Changes as bytes.
pub(crate) fn encode_changes(delta: &Delta) -> Result<Vec<u8>> {
    encode(CHANGES, delta)
}

fn encode(kind: u8, value: &impl Encode) -> Result<Vec<u8>> {
    let body = encode_to_vec(value, bincode::config::standard());
    let body = body.map_err(|error| Error::InvalidConfig(error.to_string()))?;
    let mut bytes = Vec::with_capacity(body.len() + 1);
    bytes.push(kind);
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

fn decode<T: Decode<()>>(bytes: &[u8]) -> Option<T> {
    let config = bincode::config::standard().with_limit::<DECODE_BYTES_MAX>();
    decode_from_slice(bytes, config).ok().map(|(value, _)| value)
}

/// Takes a stored state, or a change of it, into what was read before. What cannot be read makes the whole unreadable.
fn read_state(payload: &[u8], state: &mut Option<State>) {
    match (payload.split_first(), state.as_mut()) {
        (Some((&WHOLE, rest)), _) => *state = decode(rest),
        (Some((&CHANGES, rest)), Some(known)) => match decode(rest) {
            Some(delta) => known.apply(&delta),
            None => *state = None,
        },
        _ => *state = None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_storage::VolumeOptions;

    fn described() -> Described {
        Described { config: ConsumerConfig::default(), created: Timestamp(1), chosen_through: 3 }
    }

    /// What is stored comes back, and a stream that was made again finds nothing of the one before it.
    #[tokio::test]
    async fn consumers_belong_to_one_creation_of_their_stream() {
        let directory = tempfile::tempdir().unwrap();
        let volume = Volume::open(VolumeOptions::new(directory.path())).unwrap();
        let config = || StreamConfig { name: "a/S".into(), ..StreamConfig::default() };
        let stream = volume.create_stream(config()).await.unwrap();
        let ledger = Ledger::open(&volume, "a", "S", &stream).await.unwrap();
        let state = State::starting(5);
        ledger.create("C", &described(), &state).await.unwrap();
        ledger.create("D", &described(), &state).await.unwrap();
        ledger.remove("D").await.unwrap();
        let delta = Delta { next: 9, ..Delta::default() };
        let changes = stored_state("C", encode_changes(&delta).unwrap(), false);
        ledger.stream().append(changes).await.unwrap();
        let mut changed = state.clone();
        changed.apply(&delta);
        let found = Ledger::find(&volume, "a", "S", &stream).unwrap();
        assert_eq!(found.load().unwrap(), [("C".to_owned(), described(), changed)]);
        volume.delete_stream("a/S").await.unwrap();
        let again = volume.create_stream(config()).await.unwrap();
        assert!(Ledger::find(&volume, "a", "S", &again).is_none());
        let ledger = Ledger::open(&volume, "a", "S", &again).await.unwrap();
        assert_eq!(ledger.load().unwrap(), []);
    }
}
