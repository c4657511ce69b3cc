//! Publishing: acknowledgements byte for byte, and every header with its errors.
//! Not here: what limits do to what is stored (`limits`).

use crate::run::check;
use crate::script::{Script, headers};
use serde_json::{Value, json};

const ID: &str = "Nats-Msg-Id";
const STREAM: &str = "Nats-Expected-Stream";
const LAST: &str = "Nats-Expected-Last-Sequence";
const LAST_OF: &str = "Nats-Expected-Last-Subject-Sequence";
const SUBJECT: &str = "Nats-Expected-Last-Subject-Sequence-Subject";
const LAST_ID: &str = "Nats-Expected-Last-Msg-Id";
const ROLLUP: &str = "Nats-Rollup";

fn plain() -> Script {
    Script::new("publish/plain")
        .create(json!({"name": "A", "subjects": ["a.>", "exact"]}))
        .create(json!({"name": "N", "subjects": ["n"], "no_ack": true, "storage": "memory"}))
        .publish("a.1", "one")
        .publish("exact", "")
        .publish("a.deep.er.one", "two words")
        .publish_with("a.1", &[("My-Header", "x"), ("KV-Operation", "DEL")], "headers")
        .publish_with("a.1", &[("My-Header", "x"), ("My-Header", "y")], "")
        .publish_raw("a.1", b"NATS/1.0\r\n\r\n".to_vec(), "empty block", "empty block")
        .publish_raw("a.1", b"NATS/1.0 503\r\n\r\n".to_vec(), "status", "status")
        .publish_raw("a.1", b"NATS/1.0 100 Text\r\nA: b\r\n\r\n".to_vec(), "x", "status and field")
        .publish_raw("a.1", b"NATS/1.0\r\nA:b\r\nC:  d \r\n\r\n".to_vec(), "x", "spaces")
        .publish_raw("a.1", b"NATS/1.0\r\nbroken\r\n\r\n".to_vec(), "x", "broken line")
        .send("a.1", &[], "without a reply")
        .send("a.1", &[("K", "v")], "without a reply")
        .publish("nobody", "listens")
        .unanswered("n", &[], "no ack")
        .unanswered("n", &[(STREAM, "X")], "no ack for errors either")
        .publish("a.after", "last")
        .show("A", 1..=13)
        .info("A")
        .info("N")
        .restart()
        .show("A", 4..=9)
        .info("A")
        .publish("a.1", "after a restart")
}

fn deduplication() -> Script {
    let window = 200_000_000;
    Script::new("publish/deduplication")
        .create(json!({"name": "A", "subjects": ["a.>"]}))
        .create(json!({"name": "W", "subjects": ["w"], "duplicate_window": window,
            "storage": "memory"}))
        .create(json!({"name": "Z", "sources": [{"name": "NONE"}], "subjects": ["z"],
            "storage": "memory"}))
        .publish_with("a.1", &[(ID, "i1")], "one")
        .publish_with("a.1", &[(ID, "i1")], "again")
        .publish_with("a.2", &[(ID, "i1")], "on another subject")
        .publish_with("a.2", &[(ID, "")], "empty")
        .publish_with("a.2", &[(ID, "")], "empty")
        .publish_with("a.2", &[("nats-msg-id", "low")], "other case")
        .publish_with("a.2", &[("nats-msg-id", "low")], "other case")
        .publish_with("a.2", &[(ID, "i2"), (ID, "i3")], "two ids")
        .publish_with("a.2", &[(ID, "i3")], "the second of them")
        .publish_with("a.2", &[(ID, "i2")], "the first of them")
        .publish_with("a.2", &[(ID, "i1"), (LAST, "99")], "expectations first")
        .publish_with("a.2", &[(ID, "i1"), (STREAM, "X")], "expectations first")
        .publish_with("a.2", &[(ID, "i1"), (LAST_OF, "99")], "expectations first")
        .publish_with("a.2", &[(ID, "i1"), (LAST_ID, "x")], "expectations later")
        .publish_with("a.2", &[(ID, "i1"), (ROLLUP, "sub")], "rollup later")
        .publish_with("z", &[(ID, "i1")], "no window")
        .publish_with("z", &[(ID, "i1")], "no window")
        .restart()
        .publish_with("a.1", &[(ID, "i1")], "after a restart")
        .publish_with("a.1", &[(ID, "i9")], "after a restart")
        .api("STREAM.MSG.DELETE.A", json!({"seq": 1}))
        .publish_with("a.1", &[(ID, "i1")], "deleted")
        .api("STREAM.PURGE.A", Value::Null)
        .publish_with("a.1", &[(ID, "i9")], "purged")
        .kill()
        .publish_with("a.1", &[(ID, "i9")], "purged and killed")
        .info("A")
        .create(json!({"name": "W", "subjects": ["w"], "duplicate_window": window,
            "storage": "memory"}))
        .publish_with("w", &[(ID, "i1")], "one")
        .publish_until("w", &[(ID, "i1")], "/duplicate", Value::Null)
        .info("W")
}

fn expectations() -> Script {
    let mut script = Script::new("publish/expectations")
        .create(json!({"name": "A", "subjects": ["a.>"], "storage": "memory"}))
        .publish_with("a.1", &[(LAST, "0"), (LAST_OF, "0")], "one")
        .publish_with("a.1", &[(ID, "id2")], "two")
        .publish("a.2", "three");
    for fields in [
        &[(STREAM, "A")][..],
        &[(STREAM, "B")],
        &[(STREAM, "")],
        &[(LAST, "0")],
        &[(LAST, "4")],
        &[(LAST, "5")],
        &[(LAST, "")],
        &[(LAST, "-1")],
        &[(LAST, "x")],
        &[(LAST, "5x")],
        &[(LAST, "18446744073709551615")],
        &[(LAST, "99999999999999999999")],
        &[(LAST_OF, "0")],
        &[(LAST_OF, "5")],
        &[(LAST_OF, "6")],
        &[(LAST_OF, "")],
        &[(LAST_OF, "x")],
        &[(LAST_OF, "-1")],
        &[(SUBJECT, "a.1")],
        &[(SUBJECT, "a.1"), (LAST_OF, "2")],
        &[(SUBJECT, "a.2"), (LAST_OF, "3")],
        &[(SUBJECT, "a.*"), (LAST_OF, "3")],
        &[(SUBJECT, "a.>"), (LAST_OF, "0")],
        &[(SUBJECT, "nobody"), (LAST_OF, "0")],
        &[(SUBJECT, "nobody"), (LAST_OF, "1")],
        &[(SUBJECT, "a..b"), (LAST_OF, "0")],
        &[(SUBJECT, ""), (LAST_OF, "0")],
        &[(LAST_ID, "id2")],
        &[(LAST_ID, "")],
        &[(ID, "id20")],
        &[(LAST_ID, "id20")],
        &[(LAST_ID, "id20")],
        &[(LAST, "99"), (LAST_OF, "99"), (STREAM, "B"), (LAST_ID, "x")],
        &[(LAST, "99"), (LAST_OF, "98"), (LAST_ID, "x")],
        &[(LAST, "99"), (LAST_ID, "x")],
        &[("nats-expected-last-sequence", "99")],
    ] {
        script = script.publish_with("a.1", fields, "x");
    }
    script
        .api("STREAM.MSG.DELETE.A", json!({"seq": 3}))
        .publish_with("a.2", &[(LAST_OF, "3")], "deleted")
        .publish_with("a.2", &[(LAST_OF, "0")], "deleted")
        .api("STREAM.PURGE.A", Value::Null)
        .publish_with("a.1", &[(LAST_OF, "0")], "purged")
        .publish_with("a.1", &[(LAST, "0")], "purged")
        .publish_with("a.1", &[(LAST_ID, "id20")], "purged")
        .info("A")
        .update(json!({"name": "A", "subjects": ["a.>"], "storage": "memory",
            "subject_transform": {"src": "a.*", "dest": "t.$1"}}))
        .publish_with("a.7", &[(LAST_OF, "0")], "by the stored subject")
        .publish_with("a.7", &[(LAST_OF, "0")], "by the stored subject")
        .info("A")
}

fn refusals() -> Script {
    Script::new("publish/refusals")
        .create(json!({"name": "A", "subjects": ["a"], "storage": "memory", "max_msg_size": 50}))
        .publish_with("a", &[("Nats-TTL", "5s")], "x")
        .publish_with("a", &[("Nats-TTL", "junk")], "x")
        .publish_with("a", &[("Nats-Incr", "1")], "x")
        .publish_with("a", &[("Nats-Batch-Id", "b"), ("Nats-Batch-Sequence", "1")], "x")
        .publish_with("a", &[("Nats-Batch-Id", "b")], "x")
        .publish_with("a", &[("Nats-Batch-Sequence", "1")], "x")
        .publish_with("a", &[("Nats-Batch-Commit", "1")], "x")
        .publish_with("a", &[("Nats-Schedule", "@at 2030-01-01T00:00:00Z")], "x")
        .publish_with("a", &[("Nats-Schedule-Target", "b")], "x")
        .publish_with("a", &[("Nats-Stream-Source", "O 1 > > a")], "x")
        .publish_with("a", &[("Nats-Stream-Source", "O 1 > > a"), (LAST, "7")], "x")
        .publish_with("a", &[("Nats-Schedule", "x"), (LAST_OF, "7")], "x")
        .publish_with("a", &[("Nats-Marker-Reason", "MaxAge")], "x")
        .publish_with("a", &[(ROLLUP, "sub")], "x")
        .publish_with("a", &[(ROLLUP, "all")], "x")
        .publish_with("a", &[(ROLLUP, "junk")], "x")
        .publish("a", &"x".repeat(50))
        .publish("a", &"x".repeat(51))
        .publish_with("a", &[("K", "v")], &"x".repeat(32))
        .publish_with("a", &[("K", "v")], &"x".repeat(33))
        .publish_with("a", &[("K", "v"), (STREAM, "X")], &"x".repeat(90))
        .publish_with("a", &[("K", "v"), (LAST, "99")], &"x".repeat(90))
        .publish_with("a", &[(ROLLUP, "sub")], &"x".repeat(90))
        .publish_with("a", &[("K", "v"), ("Nats-TTL", "1s")], &"x".repeat(90))
        .publish_with("a", &[(ID, "big")], &"x".repeat(90))
        .publish_with("a", &[(ID, "big")], "x")
        .info("A")
        .create(json!({"name": "H", "subjects": ["h"], "storage": "memory"}))
        .publish_raw("h", headers(&[("K", &"x".repeat(65_519))]), "x", "64k - 1 of headers")
        .publish_raw("h", headers(&[("K", &"x".repeat(65_520))]), "x", "64k of headers")
        .publish_raw("h", headers(&[("K", &"x".repeat(65_521))]), "x", "64k + 1 of headers")
        .publish_raw("h", headers(&[("K", &"x".repeat(65_600))]), "x", "more of headers")
        .publish("h", &"x".repeat(1_048_576))
        .info("H")
}

fn rollups(name: &'static str, storage: &str) -> Script {
    let mut script = Script::new(name).create(json!({"name": "A", "subjects": ["a.>"],
        "storage": storage, "allow_rollup_hdrs": true}));
    for number in 1..=9 {
        script = script.publish(&format!("a.{}", number % 3), "x");
    }
    script
        .publish_with("a.1", &[(ROLLUP, "sub")], "rolled up")
        .info("A")
        .publish_with("a.1", &[(ROLLUP, "SUB")], "again")
        .publish_with("a.9", &[(ROLLUP, "sub")], "alone")
        .publish_with("a.2", &[(ROLLUP, "junk")], "x")
        .publish_with("a.2", &[(ROLLUP, "")], "x")
        .publish_with("a.2", &[(ROLLUP, "sub"), (LAST_OF, "5")], "unmet")
        .publish_with("a.2", &[(ROLLUP, "sub"), (LAST_OF, "8")], "met")
        .publish_with("a.2", &[(ROLLUP, "sub"), (ID, "r")], "with an id")
        .publish_with("a.2", &[(ROLLUP, "sub"), (ID, "r")], "with an id")
        .info("A")
        .restart_if(storage)
        .info("A")
        .publish_with("a.0", &[(ROLLUP, "all")], "all")
        .info("A")
        .publish_with("a.0", &[(ROLLUP, "ALL")], "all again")
        .info("A")
        .restart_if(storage)
        .info("A")
        .publish("a.0", "next")
}

fn transformed() -> Script {
    let mut script = Script::new("publish/transformed").listen("out.>");
    let rows = [
        ("in.*.*", "to.{{wildcard(2)}}.{{wildcard(1)}}", "in.a.b"),
        ("in.*.*", "to.$2", "in.a.b"),
        ("in.>", "to.>", "in.a.b"),
        ("in.*.*", "to.{{partition(7,1,2)}}", "in.a.b"),
        ("in.*.*", "to.{{partition(7)}}", "in.a.b"),
        ("in.*", "to.{{split(1,-)}}", "in.a-b-c"),
        ("in.*", "to.{{splitfromleft(1,2)}}", "in.abcdef"),
        ("in.*", "to.{{splitfromright(1,2)}}", "in.abcdef"),
        ("in.*", "to.{{slicefromleft(1,2)}}", "in.abcde"),
        ("in.*", "to.{{slicefromright(1,2)}}", "in.abcde"),
        ("in.*", "to.{{left(1,2)}}", "in.abcde"),
        ("in.*", "to.{{right(1,2)}}", "in.abcde"),
        ("in.*", "to.{{left(1,9)}}", "in.abcde"),
        ("in.*", "to.$1", "in.no.match"),
        ("in.x", "to.fixed", "in.x"),
    ];
    for (at, (source, destination, subject)) in rows.into_iter().enumerate() {
        let name = format!("A{at}");
        script = script
            .create(json!({"name": name, "subjects": ["in.>"], "storage": "memory",
                "subject_transform": {"src": source, "dest": destination},
                "republish": {"src": ">", "dest": "out.>"}}))
            .publish(subject, "x")
            .hear(1)
            .show(&name, [1])
            .delete(&name);
    }
    script
}

/// What is published again is captured in the order in which it was stored.
fn captured_again() -> Script {
    Script::new("publish/captured_again")
        .with_loose_times()
        .create(json!({"name": "B", "subjects": ["out.>"]}))
        .create(json!({"name": "A", "subjects": ["in.>"],
            "republish": {"src": "in.>", "dest": "out.>"}}))
        .fill("in.{}", 300)
        .until("STREAM.INFO.B", Value::Null, "/state/last_seq", json!(300))
        .show("B", [1, 2, 3, 50, 100, 150, 200, 299, 300])
}

fn republished() -> Script {
    Script::new("publish/republished")
        .listen("out.>")
        .create(json!({"name": "A", "subjects": ["in.>"], "storage": "memory",
            "republish": {"src": "in.*", "dest": "out.{{wildcard(1)}}"}}))
        .publish("in.a", "one")
        .publish_with("in.b", &[("K", "v"), (ID, "x")], "two")
        .publish_with("in.b", &[(ID, "x")], "duplicate")
        .publish("in.a", "three")
        .publish("in.a.b", "no match")
        .publish("in.a", "")
        .hear(4)
        .update(json!({"name": "A", "subjects": ["in.>"], "storage": "memory",
            "republish": {"src": "in.>", "dest": "out.all.>", "headers_only": true}}))
        .publish("in.a", "headers only")
        .publish_with("in.c.d", &[("K", "v")], "headers only")
        .hear(2)
        .update(json!({"name": "A", "subjects": ["in.>"], "storage": "memory"}))
        .publish("in.a", "off")
        .info("A")
}

fn sealed_and_full() -> Script {
    let full = |extra: Value| {
        let mut config = json!({"name": "F", "subjects": ["f.>"], "storage": "memory",
            "discard": "new"});
        for (name, value) in extra.as_object().unwrap() {
            config[name] = value.clone();
        }
        config
    };
    let mut script = Script::new("publish/full")
        .create(json!({"name": "S", "subjects": ["s"], "storage": "memory"}))
        .publish("s", "one")
        .update(json!({"name": "S", "subjects": ["s"], "storage": "memory", "sealed": true}))
        .publish("s", "two")
        .publish_with("s", &[(STREAM, "X")], "two")
        .publish_with("s", &[(ID, "X")], "two")
        .publish("s", &"x".repeat(2_000));
    for extra in [
        json!({"max_msgs": 3}),
        json!({"max_bytes": 75}),
        json!({"max_msgs": 3, "max_msgs_per_subject": 1}),
        json!({"max_bytes": 75, "max_msgs_per_subject": 1}),
        json!({"max_msgs_per_subject": 2}),
        json!({"max_msgs_per_subject": 2, "discard_new_per_subject": true}),
        json!({"max_msgs_per_subject": 1, "discard_new_per_subject": true, "max_msgs": 2,
            "allow_rollup_hdrs": true}),
    ] {
        script = script.create(full(extra));
        for subject in ["f.1", "f.2", "f.1", "f.3", "f.1", "f.2", "f.4"] {
            script = script.publish(subject, "text");
        }
        script = script
            .publish_with("f.1", &[(ROLLUP, "sub")], "rollup")
            .publish_with("f.1", &[(ID, "i")], "id")
            .publish_with("f.1", &[(ID, "i")], "id")
            .publish("f.1", &"long".repeat(30))
            .info("F")
            .api("STREAM.PURGE.F", json!({"filter": "f.1"}))
            .publish("f.1", "room")
            .info("F")
            .delete("F");
    }
    script
}

#[test]
fn publish() {
    check(vec![
        plain(),
        deduplication(),
        expectations(),
        refusals(),
        rollups("publish/rollups", "memory"),
        rollups("publish/rollups_file", "file"),
        transformed(),
        republished(),
        captured_again(),
        sealed_and_full(),
    ]);
}
