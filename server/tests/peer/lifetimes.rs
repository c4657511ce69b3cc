//! Messages that expire by themselves, and the markers that take the place of a subject's last one.
//! Not here: the limit on age alone (`limits`).

use crate::run::check;
use crate::script::Script;
use serde_json::{Value, json};
use std::time::Duration;

const SECOND: i64 = 1_000_000_000;
/// Both servers remove what is due within this time.
const PATIENCE: Duration = Duration::from_secs(12);

fn stream(storage: &str, fields: Value) -> Value {
    let mut config =
        json!({"name": "A", "subjects": ["a.>"], "storage": storage, "allow_msg_ttl": true});
    for (name, value) in fields.as_object().unwrap() {
        config[name] = value.clone();
    }
    config
}

fn left(script: Script, stream: &str, messages: u64) -> Script {
    script.until_within(
        &format!("STREAM.INFO.{stream}"),
        "/state/messages",
        messages.into(),
        PATIENCE,
    )
}

fn last(script: Script, stream: &str, sequence: u64) -> Script {
    script.until_within(
        &format!("STREAM.INFO.{stream}"),
        "/state/last_seq",
        sequence.into(),
        PATIENCE,
    )
}

const VALUES: [&str; 19] = [
    "0",
    "00",
    "+0",
    "1",
    "60",
    "+1",
    "-1",
    "1s",
    "1999ms",
    "999ms",
    "0s",
    "-5s",
    "1m30s",
    "1.5h",
    "never",
    "NEVER",
    "junk",
    "9999999999h",
    "",
];

fn values() -> Script {
    let mut script = Script::new("lifetimes/values")
        .create(stream("memory", json!({})))
        .create(json!({"name": "B", "subjects": ["b.>"], "storage": "memory"}))
        .create(stream(
            "memory",
            json!({"name": "C", "subjects": ["c.>"], "max_age": 600 * SECOND,
            "subject_delete_marker_ttl": 90 * SECOND}),
        ))
        .create(stream(
            "memory",
            json!({"name": "D", "subjects": ["d.>"], "max_msgs_per_subject": 1,
            "subject_delete_marker_ttl": 90 * SECOND}),
        ));
    for value in VALUES {
        let fields = [("Nats-TTL", value), ("K", "v")];
        for subject in ["a.1", "b.1", "c.1", "d.1"] {
            script = script.publish_with(subject, &fields, "text");
        }
        let wrong = [("Nats-TTL", value), ("Nats-Expected-Last-Sequence", "99")];
        let rolling = [("Nats-TTL", value), ("Nats-Rollup", "sub")];
        for subject in ["a.1", "b.1"] {
            script = script.publish_with(subject, &wrong, "text");
            script = script.publish_with(subject, &rolling, "text");
        }
    }
    script = script.info("A").info("B").info("C").info("D").show("A", 1..=3).show("C", 1..=8);
    script.show("D", [8])
}

fn in_batches() -> Script {
    let config = |name: &str, ttl: bool| {
        json!({"name": name, "subjects": [format!("{name}.>")], "storage": "memory",
        "allow_atomic": true, "allow_msg_ttl": ttl})
    };
    let mut script = Script::new("lifetimes/batches")
        .with_loose_times()
        .create(config("A", true))
        .create(config("B", false));
    for (number, value) in ["1", "never", "junk", "10ms", "00"].into_iter().enumerate() {
        let id = format!("b{number}");
        for name in ["A", "B"] {
            let member =
                |sequence| [("Nats-Batch-Id", id.as_str()), ("Nats-Batch-Sequence", sequence)];
            let first = [&member("1")[..], &[("Nats-TTL", value)]].concat();
            let second = [&member("2")[..], &[("Nats-Batch-Commit", "1")]].concat();
            script = script
                .publish_with(&format!("{name}.1"), &first, "text")
                .publish_with(&format!("{name}.2"), &second, "text")
                .plain_info(name);
        }
    }
    left(script, "A", 5)
}

fn expiry(name: &'static str, storage: &str) -> Script {
    let config = stream(storage, json!({}));
    let script = Script::new(name)
        .with_loose_times()
        .create(config)
        .publish_with("a.1", &[("Nats-TTL", "1")], "short")
        .publish_with("a.1", &[("Nats-TTL", "3s")], "longer")
        .publish_with("a.2", &[("Nats-TTL", "1000s")], "long")
        .publish_with("a.3", &[("Nats-TTL", "never")], "always")
        .publish("a.4", "plain")
        .publish_with("a.5", &[("Nats-TTL", "1")], "short")
        .api("STREAM.MSG.DELETE.A", json!({"seq": 6}))
        .publish_with("a.5", &[("Nats-TTL", "1")], "short");
    left(left(script, "A", 4).info("A").restart_if(storage), "A", 3)
        .info("A")
        .show("A", 1..=7)
        .api("STREAM.MSG.GET.A", json!({"last_by_subj": "a.1"}))
}

/// What the limit on age takes of messages that never expire, expire later, and expire sooner.
fn age(name: &'static str, storage: &str) -> Script {
    let script = Script::new(name)
        .with_loose_times()
        .create(stream(storage, json!({"max_age": 2 * SECOND})))
        .publish_with("a.1", &[("Nats-TTL", "never")], "always")
        .publish_with("a.2", &[("Nats-TTL", "1000s")], "long")
        .publish_with("a.3", &[("Nats-TTL", "1s")], "short")
        .publish("a.4", "plain")
        .publish_with("a.5", &[("Nats-TTL", "never")], "always");
    let script = left(left(script, "A", 4), "A", 2).info("A").restart_if(storage);
    let script = left(script.publish("a.6", "plain"), "A", 2);
    // What is left over the restart is a difference that is kept.
    if storage == "file" {
        return script;
    }
    script.info("A").update(stream(storage, json!({"max_age": SECOND, "max_msgs": 1}))).info("A")
}

fn markers(name: &'static str, storage: &str) -> Script {
    let script = Script::new(name)
        .with_loose_times()
        .create(stream(
            storage,
            json!({"max_age": 2 * SECOND, "subject_delete_marker_ttl": 1500 * (SECOND / 1000)}),
        ))
        .publish("a.1", "old")
        .publish("a.1", "older than the marker")
        .publish_with("a.2", &[("Nats-TTL", "never")], "always");
    let script = last(script, "A", 4).show("A", 1..=4).restart_if(storage);
    let script = left(script, "A", 1).info("A");
    // A purge of a key is a marker itself; deletes and purges leave none.
    let script = script
        .publish_with("a.3", &[("KV-Operation", "PURGE"), ("Nats-Rollup", "sub")], "")
        .publish_with("a.4", &[("KV-Operation", "DEL")], "")
        .publish("a.5", "deleted")
        .api("STREAM.MSG.DELETE.A", json!({"seq": 7}))
        .publish("a.6", "purged")
        .api("STREAM.PURGE.A", json!({"filter": "a.6"}));
    let script = last(script, "A", 9).info("A").show("A", [9]);
    left(script, "A", 1).info("A")
}

fn markers_of_lifetimes(name: &'static str, storage: &str) -> Script {
    let script = Script::new(name)
        .with_loose_times()
        .listen("d")
        .create(stream(
            storage,
            json!({"max_msgs_per_subject": 1, "subject_delete_marker_ttl": 2 * SECOND}),
        ))
        .api(
            "CONSUMER.CREATE.A.C",
            json!({"stream_name": "A", "config": {"name": "C", "ack_policy": "none",
                "deliver_subject": "d", "inactive_threshold": 60 * SECOND}}),
        )
        .publish_with("a.1", &[("Nats-TTL", "1")], "short")
        .publish("a.1", "plain")
        .publish_with("a.2", &[("Nats-TTL", "1")], "short")
        .hear(4);
    let script = last(script, "A", 4).show("A", 1..=4);
    left(script, "A", 1).info("A").hush()
}

fn copies() -> Script {
    let script = Script::new("lifetimes/copies")
        .with_loose_times()
        .create(stream("file", json!({})))
        .create(json!({"name": "M", "mirror": {"name": "A"}, "allow_msg_ttl": true}))
        .create(json!({"name": "N", "mirror": {"name": "A"}}))
        .create(json!({"name": "S", "sources": [{"name": "A"}], "allow_msg_ttl": true}))
        .create(json!({"name": "T", "sources": [{"name": "A"}]}))
        .create(json!({"name": "U", "sources": [{"name": "A"}], "subject_delete_marker_ttl": 2 * SECOND}))
        .contacts("M")
        .contacts("N")
        .contacts("S")
        .contacts("T")
        .contacts("U")
        .publish_with("a.1", &[("Nats-TTL", "1")], "short")
        .publish_with("a.2", &[("Nats-TTL", "never")], "always")
        .publish("a.3", "plain");
    let script = left(script, "A", 2);
    let script = last(last(last(script, "M", 3), "N", 3), "T", 3);
    let script = left(left(script, "M", 2), "S", 2).info("N").info("T").show("T", [1]);
    let script = last(script, "U", 4).show("U", [4]);
    script
        .update(json!({"name": "N", "mirror": {"name": "A"}, "allow_msg_ttl": true}))
        .until_within("STREAM.INFO.N", "/state/messages", json!(2), PATIENCE)
}

fn sealed() -> Script {
    let config = |is_sealed: bool| {
        stream(
            "file",
            json!({"sealed": is_sealed, "max_age": 100 * SECOND,
        "subject_delete_marker_ttl": if is_sealed { 0 } else { SECOND }}),
        )
    };
    let script = Script::new("lifetimes/sealed")
        .with_loose_times()
        .create(config(false))
        .publish_with("a.1", &[("Nats-TTL", "2")], "short")
        .publish_with("a.2", &[("Nats-TTL", "3")], "short")
        .update(config(true));
    left(script, "A", 0).info("A")
}

/// What markers are to subscribers of what is published again.
fn republished() -> Script {
    let script = Script::new("lifetimes/republished")
        .with_loose_times()
        .create(stream(
            "file",
            json!({"subject_delete_marker_ttl": SECOND,
            "republish": {"src": "a.>", "dest": "r.a.>"}}),
        ))
        .listen("r.>")
        .publish_with("a.1", &[("Nats-TTL", "1")], "short")
        .publish("a.2", "plain")
        .hear(3);
    last(script, "A", 3)
}

fn configurations() -> Script {
    let with = |fields: Value| {
        let mut config = stream("memory", fields);
        if config["allow_msg_ttl"] == json!(null) {
            config.as_object_mut().unwrap().remove("allow_msg_ttl");
        }
        config
    };
    let mut script = Script::new("lifetimes/configurations");
    for fields in [
        json!({}),
        json!({"allow_msg_ttl": null, "subject_delete_marker_ttl": SECOND}),
        json!({"allow_msg_ttl": null, "subject_delete_marker_ttl": SECOND, "deny_purge": true}),
        json!({"allow_msg_ttl": null, "subject_delete_marker_ttl": SECOND, "pedantic": true}),
        json!({"subject_delete_marker_ttl": SECOND, "pedantic": true}),
        json!({"subject_delete_marker_ttl": SECOND, "pedantic": true, "allow_rollup_hdrs": true}),
        json!({"subject_delete_marker_ttl": SECOND - 1}),
        json!({"subject_delete_marker_ttl": -1}),
        json!({"subject_delete_marker_ttl": SECOND, "discard": "new", "max_msgs_per_subject": 1,
            "discard_new_per_subject": true}),
    ] {
        script = script.verdict(with(fields));
    }
    script
        .verdict(json!({"name": "M", "mirror": {"name": "X"}, "subject_delete_marker_ttl": SECOND}))
        .verdict(json!({"name": "M", "mirror": {"name": "X"}, "allow_msg_ttl": true}))
        .create(json!({"name": "A", "subjects": ["a.>"]}))
        .update(json!({"name": "A", "subjects": ["a.>"], "allow_msg_ttl": true}))
        .update(json!({"name": "A", "subjects": ["a.>"]}))
        .update(json!({"name": "A", "subjects": ["a.>"], "subject_delete_marker_ttl": SECOND}))
        .update(json!({"name": "A", "subjects": ["a.>"], "allow_msg_ttl": true}))
        .restart()
        .plain_info("A")
        .update(json!({"name": "A", "subjects": ["a.>"], "allow_msg_ttl": true, "sealed": true}))
}

#[test]
fn lifetimes() {
    check(vec![
        values(),
        in_batches(),
        expiry("lifetimes/expiry", "file"),
        expiry("lifetimes/expiry_memory", "memory"),
        age("lifetimes/age", "file"),
        age("lifetimes/age_memory", "memory"),
        markers("lifetimes/markers", "file"),
        markers("lifetimes/markers_memory", "memory"),
        markers_of_lifetimes("lifetimes/markers_of_lifetimes", "file"),
        markers_of_lifetimes("lifetimes/markers_of_lifetimes_memory", "memory"),
        copies(),
        sealed(),
        republished(),
        configurations(),
    ]);
}
