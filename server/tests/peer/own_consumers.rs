//! Mirrors and sources that copy through a consumer made beforehand, on one server: what they hold, and what the owner of the
//! consumer sees of it. And what those are told who ask for a consumer to copy through.
//! Not here: which configurations are taken (`origin_verdicts`), servers that are linked (`acknowledged`).

use crate::run::check;
use crate::script::Script;
use serde_json::{Value, json};

fn origin(name: &'static str, retention: &str) -> Script {
    Script::new(name)
        .with_loose_times()
        .create(json!({"name": "A", "subjects": ["a.>"], "retention": retention}))
}

fn consumer(name: &str, more: Value) -> Value {
    let mut config = more;
    config["durable_name"] = name.into();
    config["deliver_subject"] = format!("to.{name}").into();
    if config.get("ack_policy").is_none() {
        config["ack_policy"] = "flow_control".into();
    }
    config
}

fn through(name: &str) -> Value {
    json!({"name": "A", "consumer": {"name": name, "deliver_subject": format!("to.{name}")}})
}

/// Waits until everything up to a sequence is acknowledged, and shows the consumer.
fn acknowledged(script: Script, name: &str, sequence: u64) -> Script {
    let info = format!("CONSUMER.INFO.A.{name}");
    script
        .until(&info, Value::Null, "/ack_floor/stream_seq", sequence.into())
        .api(info, Value::Null)
}

fn copies(name: &'static str, storage: &str) -> Script {
    let script = origin(name, "limits")
        .publish("a.1", "one")
        .publish("a.2", "two")
        .publish("a.1", "three")
        .consumer(&consumer("C", json!({})))
        .consumer(&consumer("D", json!({"filter_subject": "a.1", "max_ack_pending": 1})))
        .create(json!({"name": "M", "mirror": through("C"), "storage": storage}))
        .reaches("M", 3)
        .show("M", 1..=3)
        .create(json!({"name": "S", "sources": [through("D")], "storage": storage}))
        .reaches("S", 2)
        .show("S", 1..=2);
    let script = acknowledged(script, "C", 3);
    let script = acknowledged(script, "D", 3).publish("a.1", "four").publish("a.1", "five");
    let script = acknowledged(script, "C", 5);
    let script = acknowledged(script, "D", 5).reaches("M", 5).reaches("S", 4).show("S", [3, 4]);
    // What is read again is there already.
    script
        .api("CONSUMER.RESET.A.D", json!({"seq": 2}))
        .until("CONSUMER.INFO.A.D", Value::Null, "/ack_floor/stream_seq", 5.into())
        .until("CONSUMER.INFO.A.D", Value::Null, "/num_ack_pending", 0.into())
        .info("S")
        .delete("S")
        .delete("M")
        .api("CONSUMER.NAMES.A", Value::Null)
}

/// A copy whose consumer holds nothing back goes nowhere, and says so.
fn unfit() -> Script {
    let (name, explicit) = ("CONSUMER.CREATE.A.C", json!({"ack_policy": "explicit"}));
    let fit = json!({"stream_name": "A", "config": consumer("C", json!({}))});
    origin("own_consumers/unfit", "limits")
        .publish("a.1", "one")
        .consumer(&consumer("C", explicit))
        .create(json!({"name": "M", "mirror": through("C")}))
        .until("STREAM.INFO.M", Value::Null, "/mirror/error/err_code", 10214.into())
        .create(json!({"name": "S", "sources": [through("C")]}))
        .until("STREAM.INFO.S", Value::Null, "/sources/0/error/err_code", 10217.into())
        .delete("S")
        .api("CONSUMER.DELETE.A.C", Value::Null)
        .api(name, fit)
        .reaches("M", 1)
        .show("M", [1])
}

/// What goes when it is acknowledged is in the copy then, also when the server was restarted.
fn kept(name: &'static str, retention: &str) -> Script {
    origin(name, retention)
        .consumer(&consumer("C", json!({})))
        .create(json!({"name": "M", "mirror": through("C")}))
        .publish("a.1", "one")
        .publish("a.2", "two")
        .reaches("M", 2)
        .until("STREAM.INFO.A", Value::Null, "/state/messages", 0.into())
        .restart()
        .publish("a.1", "three")
        .reaches("M", 3)
        .until("STREAM.INFO.A", Value::Null, "/state/messages", 0.into())
        .info("A")
        .show("M", 1..=3)
}

/// The request of a server that copies, for a stream whose messages go: the consumer stays.
fn asked(name: &'static str, retention: &str, consumers_max: i64, start: u64) -> Script {
    let copying = |start: u64, deliver: &str| {
        json!({"name": "JS_SRC_x", "deliver_subject": deliver, "deliver_policy": "by_start_sequence",
            "opt_start_seq": start, "ack_policy": "none", "ack_wait": 79_200_000_000_000_i64,
            "max_deliver": 1, "idle_heartbeat": 1_000_000_000, "flow_control": true, "direct": true,
            "sourcing": true, "inactive_threshold": 10_000_000_000_i64})
    };
    let worker = |name: &str| json!({"durable_name": name, "ack_policy": "explicit"});
    Script::new(name)
        .with_loose_times()
        .create(json!({"name": "A", "subjects": ["a.>"], "retention": retention,
            "max_consumers": consumers_max}))
        .consumer(&copying(start, "to.x"))
        .publish("a.1", "one")
        .publish("a.2", "two")
        .publish("a.1", "three")
        .api("CONSUMER.NAMES.A", Value::Null)
        .plain_info("A")
        .consumer(&worker("V"))
        .consumer(&worker("W"))
        .api("CONSUMER.LIST.A", Value::Null)
        .consumer(&copying(9, "to.y"))
        .consumer(&copying(9, "to.y"))
        .api("CONSUMER.RESET.A.JS_SRC_x", json!({"seq": 1}))
        .api("CONSUMER.RESET.A.JS_SRC_x", json!({"seq": 3}))
        .info("A")
        .api("CONSUMER.DELETE.A.JS_SRC_x", Value::Null)
        .plain_info("A")
        .consumer(&copying(1, "to.z"))
}

#[test]
fn own_consumers() {
    check(vec![
        copies("own_consumers/file", "file"),
        copies("own_consumers/memory", "memory"),
        unfit(),
        kept("own_consumers/workqueue", "workqueue"),
        kept("own_consumers/interest", "interest"),
        asked("own_consumers/asked_queue", "workqueue", -1, 2),
        asked("own_consumers/asked_interest", "interest", -1, 1),
        asked("own_consumers/asked_bounded", "interest", 1, 1),
    ]);
}
