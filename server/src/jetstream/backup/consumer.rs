//! A consumer in an archive: its configuration and its state as JSON, in the words of nats-server.
//! Not here: what makes a consumer of it (`consumers`).

use crate::jetstream::consumer::config::{ConsumerConfig, from_stored};
use crate::jetstream::consumer::{Pair, Pending, State};
use crate::jetstream::errors::ApiError;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Most deliveries that an archive may have counted: what comes later is still counted.
const COUNT_MAX: u64 = 1 << 62;

/// A consumer as it was read.
#[derive(Clone, Debug)]
pub(super) struct Archived {
    /// Its name.
    pub(super) name: String,
    /// Its configuration, not checked.
    pub(super) config: ConsumerConfig,
    /// Its state, made to agree with itself.
    pub(super) state: State,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct PairText {
    consumer_seq: u64,
    stream_seq: u64,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct PendingText {
    sequence: u64,
    timestamp: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StateText {
    delivered: PairText,
    ack_floor: PairText,
    pending: BTreeMap<u64, PendingText>,
    redelivered: BTreeMap<u64, u64>,
}

#[derive(Debug, Deserialize)]
struct Text {
    config: Value,
    state: StateText,
}

/// What is written of a consumer. Nothing of it is beyond `last_sequence`, where the archive ends.
pub(super) fn write(config: &ConsumerConfig, state: &State, last_sequence: u64) -> Vec<u8> {
    let pair = |pair: Pair| json!({"consumer_seq": pair.delivery, "stream_seq": pair.sequence.min(last_sequence)});
    let mut written = Map::new();
    written.insert("delivered".into(), pair(state.delivered));
    written.insert("ack_floor".into(), pair(state.floor));
    let pending = state.pending.range(..=last_sequence).map(|(sequence, pending)| {
        (sequence.to_string(), json!({"Sequence": pending.delivery, "Timestamp": pending.time}))
    });
    let pending: Map<String, Value> = pending.collect();
    let redelivered = state.redelivered.range(..=last_sequence);
    let redelivered: Map<String, Value> =
        redelivered.map(|(sequence, count)| (sequence.to_string(), (*count).into())).collect();
    for (name, map) in [("pending", pending), ("redelivered", redelivered)] {
        if !map.is_empty() {
            written.insert(name.into(), map.into());
        }
    }
    json!({"config": config, "state": written}).to_string().into_bytes()
}

/// Reads what stands under a name. `last_sequence` is that of the archive.
pub(super) fn read(name: &str, json: &[u8], last_sequence: u64) -> Result<Archived, String> {
    let failed = |error: &dyn std::fmt::Display| {
        format!("failed to decode consumer {name:?} state: {error}")
    };
    let text: Text = serde_json::from_slice(json).map_err(|error| failed(&error))?;
    let config = from_stored(&text.config);
    let config = config.map_err(|error: ApiError| failed(&error.description))?;
    Ok(Archived { name: name.to_owned(), config, state: state(&text.state, last_sequence) })
}

/// What the invariants of a state ask for is taken, the rest is left out: an archive may hold anything.
fn state(text: &StateText, last_sequence: u64) -> State {
    let pair = |pair: PairText| Pair {
        delivery: pair.consumer_seq.min(COUNT_MAX),
        sequence: pair.stream_seq.min(last_sequence),
    };
    let (mut delivered, floor) = (pair(text.delivered), pair(text.ack_floor));
    delivered.delivery = delivered.delivery.max(floor.delivery);
    delivered.sequence = delivered.sequence.max(floor.sequence);
    let is_open = |sequence: u64| sequence > floor.sequence && sequence <= delivered.sequence;
    let pending = text.pending.iter().filter(|(sequence, _)| is_open(**sequence));
    let pending = pending.map(|(sequence, pending)| {
        let delivery = pending.sequence.clamp(1, delivered.delivery.max(1));
        (*sequence, Pending { delivery, time: pending.timestamp, deadline: 0 })
    });
    let pending: BTreeMap<u64, Pending> = pending.collect();
    let redelivered = text.redelivered.iter().filter(|(at, _)| pending.contains_key(at));
    let redelivered =
        redelivered.map(|(sequence, count)| (*sequence, (*count).min(COUNT_MAX))).collect();
    State { delivered, floor, next: delivered.sequence + 1, pending, redelivered }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let pending = |delivery| Pending { delivery, time: 5, deadline: 0 };
        let state = State {
            delivered: Pair { delivery: 4, sequence: 9 },
            floor: Pair { delivery: 1, sequence: 2 },
            next: 10,
            pending: BTreeMap::from([(3, pending(2)), (9, pending(4))]),
            redelivered: BTreeMap::from([(3, 2)]),
        };
        let config = ConsumerConfig { name: "C".into(), ..ConsumerConfig::default() };
        let read = read("C", &write(&config, &state, 9), 9).unwrap();
        assert_eq!((read.config, read.state), (config.clone(), state.clone()));
        // What was delivered behind the end of the archive was not, for whoever reads it.
        let read = super::read("C", &write(&config, &state, 8), 8).unwrap();
        assert_eq!(read.state.delivered, Pair { delivery: 4, sequence: 8 });
        assert_eq!(read.state.pending.keys().collect::<Vec<_>>(), [&3]);
    }

    #[test]
    fn a_state_that_disagrees_with_itself_is_made_to_agree() {
        let json = r#"{"config": {"name": "C"}, "state": {
            "delivered": {"consumer_seq": 1, "stream_seq": 99}, "ack_floor": {"consumer_seq": 7, "stream_seq": 4},
            "pending": {"2": {"Sequence": 1}, "6": {"Sequence": 900}, "50": {}}, "redelivered": {"2": 1, "6": 3}}}"#;
        let state = read("C", json.as_bytes(), 20).unwrap().state;
        assert_eq!((state.delivered.delivery, state.delivered.sequence), (7, 20));
        assert_eq!(state.pending.keys().collect::<Vec<_>>(), [&6]);
        assert_eq!((state.pending[&6].delivery, state.deliveries(6)), (7, 4));
        let json = r#"{"config": {"name": "C"}, "state": {"delivered": {"consumer_seq": 18446744073709551615, "stream_seq": 9},
            "pending": {"9": {"Sequence": 1}}, "redelivered": {"9": 18446744073709551615}}}"#;
        let state = read("C", json.as_bytes(), 20).unwrap().state;
        assert_eq!((state.delivered.delivery, state.deliveries(9)), (COUNT_MAX, COUNT_MAX + 1));
        for wrong in ["", "[]", r#"{"config": {}}"#, r#"{"config": 5, "state": {}}"#] {
            assert!(read("C", wrong.as_bytes(), 20).is_err(), "{wrong}");
        }
    }
}
