//! Archives of backups as structures, and their bytes: packed as the real ones are, in blocks that nothing compresses.
//! Not here: who takes them (`backup_restore`).

use crate::jetstream_requests::{HEADERS, Word, pick};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use serde_json::{Value, json};

/// Headers that mean something to a stream that is restored.
const RESTORED: [&str; 6] = [
    "Nats-TTL",
    "Nats-Schedule",
    "Nats-Schedule-Target",
    "Nats-Marker-Reason",
    "KV-Operation",
    "Nats-Schedule-Time-Zone",
];
const TIMES: [&str; 8] =
    ["never", "1h", "@every 1s", "@at 1970-01-01T00:00:00Z", "* * * * * *", "PURGE", "UTC", "r.to"];
const NAMES: [&str; 8] = ["r.a", "r.b", "r.c.d", "x", "r.*", "", "state.json", "consumers/C"];
const POLICIES: [&str; 7] =
    ["all", "last", "new", "by_start_sequence", "by_start_time", "last_per_subject", ""];
const ACKS: [&str; 4] = ["none", "all", "explicit", "flow_control"];

/// A number that is small as a rule.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Number {
    Small(u8),
    Any(u64),
}

impl Number {
    pub fn value(self) -> u64 {
        match self {
            Self::Small(number) => number.into(),
            Self::Any(number) => number,
        }
    }
}

/// A consumer in an archive.
#[derive(Arbitrary, Debug)]
pub struct Consumer {
    name: u8,
    policy: u8,
    acks: u8,
    filter: Option<u8>,
    start: Number,
    delivered: (Number, Number),
    floor: (Number, Number),
    pending: Vec<(Number, Number, i64)>,
    redelivered: Vec<(Number, Number)>,
}

/// A message in an archive.
#[derive(Arbitrary, Debug)]
pub struct Item<'a> {
    pub name: u8,
    pub time: i64,
    /// How far its sequence lies behind the one before.
    pub step: Number,
    pub headers: Vec<(u8, Word<'a>)>,
    pub payload: &'a [u8],
}

/// An archive.
#[derive(Arbitrary, Debug)]
pub struct Archive<'a> {
    pub first: Number,
    pub last: Number,
    bytes: Number,
    /// Whether the number of consumers is said as it is.
    is_honest: bool,
    pub consumers: Vec<Consumer>,
    pub items: Vec<Item<'a>>,
    is_whole: bool,
    /// A byte of the plain archive that is another one.
    changed: Option<(u16, u8)>,
}

impl Item<'_> {
    /// The subject.
    pub fn subject(&self) -> &'static str {
        pick(&NAMES, self.name)
    }
    /// The header block.
    pub fn block(&self) -> String {
        let line = |(name, word): &(u8, Word<'_>)| {
            let known = [&RESTORED[..], &HEADERS[..]].concat();
            let value = match name {
                0..128 => word.text().replace(['\r', '\n'], ""),
                _ => pick(&TIMES, *name).to_owned(),
            };
            format!("{}: {value}\r\n", known[usize::from(*name) % known.len()])
        };
        match self.headers.is_empty() {
            true => String::new(),
            false => {
                format!("NATS/1.0\r\n{}\r\n", self.headers.iter().map(line).collect::<String>())
            }
        }
    }
}

impl Consumer {
    /// The name.
    pub fn name(&self) -> String {
        format!("C{}", self.name % 4)
    }
    fn json(&self) -> Value {
        let pair = |(one, two): (Number, Number)| json!({"consumer_seq": one.value(), "stream_seq": two.value()});
        let pending = self.pending.iter().map(|(at, delivery, time)| {
            let each = json!({"Sequence": delivery.value(), "Timestamp": time});
            (at.value().to_string(), each)
        });
        let redelivered = self.redelivered.iter();
        let redelivered =
            redelivered.map(|(at, count)| (at.value().to_string(), json!(count.value())));
        let policy = pick(&POLICIES, self.policy);
        let mut config = json!({"durable_name": self.name(), "ack_policy": pick(&ACKS, self.acks)});
        if !policy.is_empty() {
            config["deliver_policy"] = policy.into();
        }
        if policy == "by_start_sequence" {
            config["opt_start_seq"] = self.start.value().into();
        }
        if let Some(filter) = self.filter {
            config["filter_subject"] = pick(&NAMES, filter).into();
        }
        json!({"config": config, "state": {
            "delivered": pair(self.delivered), "ack_floor": pair(self.floor),
            "pending": pending.collect::<serde_json::Map<_, _>>(),
            "redelivered": redelivered.collect::<serde_json::Map<_, _>>(),
        }})
    }
}

impl Archive<'_> {
    /// Whether its messages come as it says.
    pub fn is_good(&self) -> bool {
        self.is_whole && self.changed.is_none()
    }
    /// Its bytes, packed.
    pub fn bytes(&self) -> Vec<u8> {
        let mut plain = b"NATSARC1".to_vec();
        let count = if self.is_honest { self.consumers.len() } else { 3 };
        let state = json!({"first_seq": self.first.value(), "last_seq": self.last.value(),
            "bytes": self.bytes.value(), "consumer_count": count});
        put(&mut plain, "state.json", 0, 0, "", state.to_string().as_bytes());
        for each in &self.consumers {
            let (name, content) = (format!("consumers/{}", each.name()), each.json().to_string());
            put(&mut plain, &name, 0, 0, "", content.as_bytes());
        }
        let mut sequence = 0_u64;
        for each in &self.items {
            sequence = sequence.wrapping_add(each.step.value());
            put(&mut plain, each.subject(), each.time, sequence, &each.block(), each.payload);
        }
        if self.is_whole {
            put(&mut plain, "", 0, 0, "", b"");
        }
        if let Some((at, byte)) = self.changed {
            let at = usize::from(at) % plain.len();
            plain[at] = byte;
        }
        pack(&plain)
    }
}

fn put(out: &mut Vec<u8>, name: &str, time: i64, sequence: u64, headers: &str, payload: &[u8]) {
    let zigzag = ((time << 1) ^ (time >> 63)).cast_unsigned();
    let lengths = [headers.len() as u64, payload.len() as u64];
    for number in [name.len() as u64, zigzag, sequence].into_iter().chain(lengths) {
        let mut left = number;
        while left >= 0x80 {
            out.push(left.to_le_bytes()[0] | 0x80);
            left >>= 7;
        }
        out.push(left.to_le_bytes()[0]);
    }
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(headers.as_bytes());
    out.extend_from_slice(payload);
}

/// Chunks of the S2 framing format whose content is as it is.
fn pack(plain: &[u8]) -> Vec<u8> {
    let mut out = b"\xff\x06\x00\x00S2sTwO".to_vec();
    for block in plain.chunks(1000) {
        let length = u32::try_from(block.len() + 4).expect("a short block").to_le_bytes();
        out.extend_from_slice(&[1, length[0], length[1], length[2]]);
        let masked = crc32c::crc32c(block).rotate_right(15).wrapping_add(0xa282_ead8);
        out.extend_from_slice(&masked.to_le_bytes());
        out.extend_from_slice(block);
    }
    out
}
