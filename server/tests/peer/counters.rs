//! Counters: increments, what they go with, and counters that add up others.
//! Not here: streams that are not counters.

use crate::run::check;
use crate::script::Script;
use serde_json::{Value, json};

fn stream(name: &str, fields: Value) -> Value {
    let mut config = json!({"name": name, "subjects": [format!("{}.>", name.to_lowercase())],
        "storage": "memory", "allow_msg_counter": true});
    for (name, value) in fields.as_object().unwrap() {
        config[name] = value.clone();
    }
    config
}

fn increments(name: &'static str, storage: &str) -> Script {
    let mut script = Script::new(name)
        .with_loose_times()
        .create(stream("A", json!({"storage": storage, "allow_direct": true})))
        .create(json!({"name": "B", "subjects": ["b.>"], "storage": storage}));
    let large = "9".repeat(400);
    let values = [
        "1",
        "+5",
        "-20",
        "007",
        "0",
        "-0",
        "9223372036854775807",
        "9223372036854775807",
        "-340282366920938463463374607431768211456",
        "",
        "x",
        "1.5",
        "1e3",
        "0x10",
        "1_000",
        "--1",
        large.as_str(),
    ];
    for value in values {
        for subject in ["a.1", "b.1"] {
            script = script.publish_with(subject, &[("Nats-Incr", value), ("K", "v")], "");
        }
    }
    for (more, text) in [
        (("K", "v"), "text"),
        (("Nats-Rollup", "sub"), ""),
        (("Nats-Rollup", "x"), ""),
        (("Nats-Expected-Stream", "A"), ""),
        (("Nats-Expected-Stream", "B"), ""),
        (("Nats-Expected-Last-Msg-Id", "x"), ""),
        (("Nats-Expected-Last-Sequence", "3"), ""),
        (("Nats-Expected-Last-Sequence", "x"), ""),
        (("Nats-Expected-Last-Subject-Sequence", "3"), ""),
        (("Nats-Expected-Last-Subject-Sequence-Subject", "a.1"), ""),
        (("Nats-TTL", "5"), ""),
        (("Nats-Stream-Source", "x"), ""),
        (("Nats-Schedule", "x"), ""),
        (("Nats-Msg-Id", "one"), ""),
        (("Nats-Msg-Id", "one"), ""),
    ] {
        script = script.publish_with("a.2", &[("Nats-Incr", "3"), more], text);
        script = script.publish_with("a.3", &[more], text);
    }
    script = script
        .publish("a.2", "")
        .publish("a.2", "text")
        .publish_with("a.2", &[("Nats-Incr", "1")], "")
        .api("STREAM.MSG.GET.A", json!({"last_by_subj": "a.2"}))
        .api("STREAM.PURGE.A", json!({"filter": "a.2"}))
        .publish_with("a.2", &[("Nats-Incr", "1")], "")
        .publish_with("a.2", &[("Nats-Incr", "2")], "")
        .publish_with("a.2", &[("Nats-Incr", "4")], "")
        .restart_if(storage)
        .publish_with("a.2", &[("Nats-Incr", "8")], "")
        .info("A")
        .info("B")
        .direct("A", json!({"last_by_subj": "a.1"}))
        .direct("A", json!({"last_by_subj": "a.2"}));
    script.show("A", [1, 4, 9])
}

/// What a publisher says of a counter's sources: nothing of it is believed.
fn said() -> Script {
    Script::new("counters/said")
        .with_loose_times()
        .create(stream("A", json!({"storage": "file"})))
        .publish_with("a.1", &[("Nats-Incr", "3"), ("Nats-Counter-Sources", "x")], "")
        .publish_with("a.1", &[("Nats-Incr", "1")], "")
}

fn deleted() -> Script {
    Script::new("counters/deleted")
        .with_loose_times()
        .create(stream("A", json!({"storage": "file", "max_msgs_per_subject": 2})))
        .publish_with("a.1", &[("Nats-Incr", "1")], "")
        .publish_with("a.1", &[("Nats-Incr", "1")], "")
        .publish_with("a.1", &[("Nats-Incr", "1")], "")
        .api("STREAM.MSG.DELETE.A", json!({"seq": 3}))
        .publish_with("a.1", &[("Nats-Incr", "1")], "")
        .kill()
        .publish_with("a.1", &[("Nats-Incr", "1")], "")
        .info("A")
        .show("A", 1..=5)
}

fn in_batches() -> Script {
    let script = Script::new("counters/batches")
        .with_loose_times()
        .listen("fast.>")
        .create(stream("A", json!({"allow_atomic": true, "allow_batched": true})));
    let member = |script: Script,
                  id: &str,
                  sequence: &str,
                  subject: &str,
                  more: &[(&str, &str)],
                  text: &str| {
        let fields = [&[("Nats-Batch-Id", id), ("Nats-Batch-Sequence", sequence)], more].concat();
        script.publish_with(subject, &fields, text)
    };
    let end = ("Nats-Batch-Commit", "1");
    let script = member(script, "b1", "1", "a.1", &[("Nats-Incr", "1")], "");
    let script = member(script, "b1", "2", "a.1", &[("Nats-Incr", "2")], "");
    let script = member(script, "b1", "3", "a.2", &[("Nats-Incr", "3"), end], "");
    let script = member(script, "b2", "1", "a.1", &[("Nats-Incr", "1")], "");
    let script = member(script, "b2", "2", "a.1", &[end], "");
    let script = member(script, "b3", "1", "a.1", &[("Nats-Incr", "x"), end], "");
    let script = member(script, "b4", "1", "a.1", &[("Nats-Incr", "1"), end], "text");
    let script =
        member(script, "b5", "1", "a.1", &[("Nats-Incr", "1"), ("Nats-Rollup", "sub"), end], "");
    let fast = |script: Script, sequence: u64, operation: u8, answers: usize| {
        let reply = format!("fast.f.10.fail.{sequence}.{operation}.$FI");
        script.send_from(&reply, "a.1", &[("Nats-Incr", "10")], "").hear(answers)
    };
    let script = fast(script, 1, 0, 1);
    let script = fast(script, 2, 2, 1);
    script.info("A").show("A", 1..=5)
}

/// Counters that add up others, over several steps and with transforms.
fn sources() -> Script {
    let script = Script::new("counters/sources")
        .with_loose_times()
        .create(stream("A", json!({"storage": "file"})))
        .create(stream("B", json!({"storage": "file"})))
        .create(
            json!({"name": "SUM", "allow_msg_counter": true, "storage": "file", "subjects": ["sum"],
            "sources": [{"name": "A", "subject_transforms": [{"src": "a.*", "dest": "sum"}]},
            {"name": "B", "subject_transforms": [{"src": "b.*", "dest": "sum"}]}]}),
        )
        .create(json!({"name": "ALL", "allow_msg_counter": true, "sources": [{"name": "SUM"}]}))
        .create(json!({"name": "M", "mirror": {"name": "SUM"}}))
        .create(json!({"name": "PLAIN", "sources": [{"name": "A"}]}))
        .contacts("SUM")
        .contacts("ALL")
        .contacts("M")
        .contacts("PLAIN");
    let reached = |script: Script, stream: &str, sequence: u64| {
        script.until(
            &format!("STREAM.INFO.{stream}"),
            Value::Null,
            "/state/last_seq",
            json!(sequence),
        )
    };
    let script = reached(script.publish_with("a.1", &[("Nats-Incr", "1")], ""), "SUM", 1);
    let script = reached(script.publish_with("b.1", &[("Nats-Incr", "10")], ""), "SUM", 2);
    let script = reached(script.publish_with("a.2", &[("Nats-Incr", "100")], ""), "SUM", 3);
    let script = reached(script.publish_with("a.1", &[("Nats-Incr", "-5")], ""), "SUM", 4);
    let script = script.publish_with("sum", &[("Nats-Incr", "1000")], "");
    let script = reached(reached(reached(script, "ALL", 5), "M", 5), "PLAIN", 3);
    let script = script.show("SUM", 1..=5).show("ALL", 1..=5).show("M", [5]).show("PLAIN", 1..=3);
    let script = script.restart();
    let script = script.contacts("SUM").contacts("ALL");
    let script = reached(script.publish_with("b.1", &[("Nats-Incr", "7")], ""), "SUM", 6);
    reached(script, "ALL", 6).show("SUM", [6]).show("ALL", [6])
}

fn configurations() -> Script {
    let mut script = Script::new("counters/configurations");
    for fields in [
        json!({}),
        json!({"discard": "new"}),
        json!({"allow_msg_ttl": true}),
        json!({"subject_delete_marker_ttl": 2_000_000_000_i64}),
        json!({"retention": "interest"}),
        json!({"retention": "workqueue"}),
        json!({"discard": "new", "allow_msg_ttl": true, "retention": "workqueue"}),
        json!({"max_age": 2_000_000_000_i64, "max_msgs_per_subject": 1}),
    ] {
        script = script.verdict(stream("A", fields));
    }
    let plain = json!({"name": "A", "subjects": ["a.>"], "storage": "memory"});
    script
        .verdict(json!({"name": "M", "mirror": {"name": "X"}, "allow_msg_counter": true}))
        .create(plain.clone())
        .update(stream("A", json!({})))
        .delete("A")
        .create(stream("A", json!({})))
        .update(plain)
        .update(stream("A", json!({"description": "d"})))
}

#[test]
fn counters() {
    check(vec![
        increments("counters/increments", "file"),
        increments("counters/increments_memory", "memory"),
        deleted(),
        said(),
        in_batches(),
        sources(),
        configurations(),
    ]);
}
