//! Copies of streams whose messages go when they were acknowledged, and copies through a consumer made beforehand, between
//! two linked servers of which either is killed: nothing is lost, nothing is doubled, and the origin ends up empty.
//!
//! Not here: streams with limits (`linked`).

use crate::client::Message;
use crate::linked::{PATIENCE, Pair, programs};
use crate::side::{ANSWER, End};
use data_encoding::BASE64;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

/// The streams of the origin, and how they are kept.
const ORIGINS: [(&str, &str); 3] = [("Q", "workqueue"), ("I", "interest"), ("L", "limits")];

struct Scene {
    pair: Pair,
    published: u64,
}

impl Scene {
    /// Each stream has a mirror and a stream that has it as its source; the one with limits has both through consumers of their
    /// own.
    fn start(origin: &Path, copier: &Path, is_origin_hub: bool) -> Self {
        let mut scene = Self { pair: Pair::start(origin, copier, is_origin_hub), published: 0 };
        for (name, retention) in ORIGINS {
            let subjects = [format!("{name}.>")];
            scene
                .pair
                .create(true, &json!({"name": name, "retention": retention, "subjects": subjects}));
        }
        for name in ["own1", "own2"] {
            let config = json!({"durable_name": name, "deliver_subject": format!("to.{name}"),
                "ack_policy": "flow_control"});
            let path = format!("CONSUMER.CREATE.L.{name}");
            let reply = scene.pair.ask(true, &path, &json!({"stream_name": "L", "config": config}));
            assert!(reply.get("error").is_none(), "{reply}");
        }
        for (name, _) in ORIGINS {
            let origin = |own: &str| {
                let mut origin = json!({"name": name, "external": {"api": "$JS.origin.API"}});
                if name == "L" {
                    let deliver = format!("to.{own}");
                    origin["consumer"] = json!({"name": own, "deliver_subject": deliver});
                }
                origin
            };
            let (mirror, source) = (format!("M{name}"), format!("S{name}"));
            scene.pair.create(false, &json!({"name": mirror, "mirror": origin("own1")}));
            scene.pair.create(false, &json!({"name": source, "sources": [origin("own2")]}));
        }
        for name in ["Q", "I"] {
            scene.has_consumers(name, 2);
        }
        // Not before: what the first copy acknowledged has gone when the second one comes.
        for (name, _) in ORIGINS {
            scene.publish_to(name, 20);
        }
        scene.published = 20;
        scene
    }
    fn publish_to(&mut self, name: &str, count: u64) {
        for number in self.published + 1..=self.published + count {
            let payload = format!("{name} {number}").into_bytes();
            let message = Message {
                subject: format!("{name}.{}", number % 3),
                payload,
                ..Message::default()
            };
            let reply = self.pair.origin.client.request(message, ANSWER).expect("an answer");
            let reply: Value = serde_json::from_slice(&reply.payload).unwrap();
            assert_eq!(reply["seq"], number, "{reply}");
        }
    }
    /// Publishes and does not wait for answers, so that what comes next comes in the middle.
    fn pour(&mut self, count: u64) {
        for number in self.published + 1..=self.published + count {
            for (name, _) in ORIGINS {
                let payload = format!("{name} {number}").into_bytes();
                let subject = format!("{name}.{}", number % 3);
                let message = Message { subject, payload, ..Message::default() };
                self.pair.origin.client.publish(&message).unwrap();
            }
        }
        self.published += count;
    }
    /// Waits until all that was poured is there.
    fn has_all(&mut self) {
        let published = self.published;
        for (name, _) in ORIGINS {
            until(&format!("{name} got {published} messages"), || {
                let reply = self.pair.ask(true, &format!("STREAM.INFO.{name}"), &Value::Null);
                (reply["state"]["last_seq"] == published, reply)
            });
        }
    }
    fn publish(&mut self, count: u64) {
        for (name, _) in ORIGINS {
            self.publish_to(name, count);
        }
        self.published += count;
    }
    /// Waits until so many consumers wait for messages of a stream.
    fn has_consumers(&mut self, name: &str, count: usize) {
        until(&format!("{name} has {count} consumers"), || {
            let reply = self.pair.ask(true, &format!("CONSUMER.LIST.{name}"), &Value::Null);
            let consumers = reply["consumers"].as_array().cloned().unwrap_or_default();
            let bound = |consumer: &&Value| consumer["push_bound"] == true;
            (consumers.iter().filter(bound).count() == count && consumers.len() == count, reply)
        });
    }
    /// Every copy has every message once, in order; the origin lets go what was acknowledged.
    fn compare(&mut self) {
        for (name, _) in ORIGINS {
            for copy in [format!("M{name}"), format!("S{name}")] {
                self.pair.reaches(&copy, self.published);
                for sequence in 1..=self.published {
                    let stored = self.pair.stored(false, &copy, sequence);
                    let data = stored["data"].as_str().unwrap_or_default();
                    let data = BASE64.decode(data.as_bytes()).unwrap();
                    let expected = format!("{name} {sequence}");
                    assert_eq!(String::from_utf8(data).unwrap(), expected, "{copy} {sequence}");
                }
            }
        }
        let published = self.published;
        for name in ["Q", "I"] {
            until(&format!("{name} is empty"), || {
                let reply = self.pair.ask(true, &format!("STREAM.INFO.{name}"), &Value::Null);
                let state = &reply["state"];
                (state["messages"] == 0 && state["last_seq"] == published, reply)
            });
        }
        for name in ["own1", "own2"] {
            until(&format!("{name} is acknowledged"), || {
                let reply = self.pair.ask(true, &format!("CONSUMER.INFO.L.{name}"), &Value::Null);
                let is_done = reply["ack_floor"]["stream_seq"] == published;
                (is_done && reply["num_ack_pending"] == 0, reply)
            });
        }
    }
    /// What the origin let go the copies have, whatever else is lost.
    fn keeps_what_is_not_copied(&mut self) {
        let mut held = Vec::new();
        for name in ["Q", "I"] {
            let info = self.pair.ask(true, &format!("STREAM.INFO.{name}"), &Value::Null);
            let first = info["state"]["first_seq"].as_u64().unwrap();
            held.push((name, first));
        }
        for (name, first) in held {
            for copy in [format!("M{name}"), format!("S{name}")] {
                let info = self.pair.ask(false, &format!("STREAM.INFO.{copy}"), &Value::Null);
                let last = info["state"]["last_seq"].as_u64().unwrap();
                assert!(last + 1 >= first, "{name} begins at {first}, {copy} ends at {last}");
            }
        }
    }
}

fn until(what: &str, mut condition: impl FnMut() -> (bool, Value)) {
    let started = Instant::now();
    loop {
        let (holds, seen) = condition();
        if holds {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{what}: {seen}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How a server of this program is ended where it copies: nats-server answers before what it has is in its file.
fn check(origin: &Path, copier: &Path, is_origin_hub: bool, of_copier: End) {
    let mut scene = Scene::start(origin, copier, is_origin_hub);
    scene.compare();
    for _ in 0..2 {
        scene.pour(3000);
        scene.pair.copier.restart(of_copier);
        scene.keeps_what_is_not_copied();
        scene.has_all();
        scene.publish(30);
        scene.compare();
        scene.pour(1000);
        scene.has_all();
        scene.pair.origin.restart(End::Kill);
        scene.keeps_what_is_not_copied();
        scene.publish(30);
        scene.compare();
    }
    // The consumers that stayed for a copy go with it; those made beforehand do not.
    for (name, left) in [("Q", 0), ("I", 0), ("L", 2)] {
        for copy in [format!("M{name}"), format!("S{name}")] {
            let reply = scene.pair.ask(false, &format!("STREAM.DELETE.{copy}"), &Value::Null);
            assert_eq!(reply["success"], true, "{reply}");
        }
        until(&format!("{name} has {left} consumers"), || {
            let reply = scene.pair.ask(true, &format!("CONSUMER.NAMES.{name}"), &Value::Null);
            (reply["total"] == left, reply)
        });
    }
}

#[test]
fn nats_server_copies_what_goes() {
    let Some((own, peer)) = programs() else { return };
    check(&own, &peer, true, End::Stop);
}

#[test]
fn what_goes_is_copied_from_nats_server() {
    let Some((own, peer)) = programs() else { return };
    check(&peer, &own, false, End::Kill);
}

#[test]
fn what_goes_is_copied_between_two() {
    let own = crate::side::headwater();
    check(&own, &own, true, End::Kill);
}

/// A copy that takes no more leaves the rest at the origin, however much that would like to be rid of it.
#[test]
fn what_a_copy_refuses_stays_at_its_origin() {
    const MESSAGES: u64 = 1500;
    let own = crate::side::headwater();
    let mut pair = Pair::start(&own, &own, true);
    pair.create(true, &json!({"name": "Q", "subjects": ["q"], "retention": "workqueue"}));
    for number in 1..=MESSAGES {
        let payload = number.to_string().into_bytes();
        let message = Message { subject: "q".into(), payload, ..Message::default() };
        pair.origin.client.publish(&message).unwrap();
    }
    until("the queue has all", || {
        let reply = pair.ask(true, "STREAM.INFO.Q", &Value::Null);
        (reply["state"]["messages"] == MESSAGES, reply)
    });
    let origin = json!({"name": "Q", "external": {"api": "$JS.origin.API"}});
    let mut copy = json!({"name": "F", "sources": [origin], "max_msgs": 5, "discard": "new"});
    pair.create(false, &copy);
    until("the copy is full", || {
        let reply = pair.ask(false, "STREAM.INFO.F", &Value::Null);
        let is_refused = reply["sources"][0]["error"]["description"].is_string();
        (reply["state"]["messages"] == 5 && is_refused, reply)
    });
    let left = pair.ask(true, "STREAM.INFO.Q", &Value::Null);
    let left = left["state"]["messages"].as_u64().unwrap();
    assert!(left >= MESSAGES - 5, "{left} messages are left");
    copy["max_msgs"] = json!(-1);
    let reply = pair.ask(false, "STREAM.UPDATE.F", &copy);
    assert!(reply.get("error").is_none(), "{reply}");
    pair.reaches("F", MESSAGES);
    for sequence in [1, 5, 6, 999, 1000, 1001, MESSAGES] {
        let stored = pair.stored(false, "F", sequence);
        assert_eq!(stored["data"], BASE64.encode(sequence.to_string().as_bytes()), "{stored}");
    }
}
