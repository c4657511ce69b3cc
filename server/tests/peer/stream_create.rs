//! Verdicts on creating streams: single fields, subjects, what is echoed, and what a second creation is told.
//! Not here: mirrors and sources (`origin_verdicts`).

use crate::run::check;
use crate::script::Script;
use serde_json::{Value, json};

/// A configuration with these fields beside a name and memory storage.
fn with(fields: Value) -> Value {
    let mut config = json!({"name": "A", "storage": "memory"});
    for (name, value) in fields.as_object().unwrap() {
        config[name] = value.clone();
    }
    config
}

fn verdicts(name: &'static str, rows: Vec<Value>) -> Script {
    let other = json!({"name": "OTHER", "subjects": ["other.>", "second"], "storage": "memory"});
    let script = Script::new(name).create(other);
    rows.into_iter().fold(script, |script, row| script.verdict(with(row)))
}

fn names_and_texts() -> Script {
    let text = |count: usize| "x".repeat(count);
    let fields = vec![
        json!({}),
        json!({"description": "d"}),
        json!({"description": text(4096)}),
        json!({"description": text(4097)}),
        json!({"name": text(255)}),
        json!({"name": text(256)}),
        json!({"metadata": {"k": "v", "": "empty"}}),
        json!({"metadata": {"k": text(131_071)}}),
        json!({"metadata": {"k": text(131_072)}}),
        json!({"metadata": {"_nats.ver": "1", "_nats.level": "9", "_nats.req.level": "7"}}),
        json!({"metadata": {"_nats.other": "x"}}),
        json!({"metadata": null}),
        json!({"description": null, "subjects": null, "max_msgs": null}),
        json!({"template_owner": "x"}),
    ];
    let mut script = verdicts("stream_create/texts", fields);
    for name in ["a b", "a\tb", "a*b", "a>b", "a/b", "a\\b", "ä", "a-b_c", "\u{0}"] {
        let subject = format!("STREAM.CREATE.{name}");
        if name.contains([' ', '\t', '\u{0}']) {
            script = script.api("STREAM.CREATE.X", json!({"name": name}));
        } else {
            script = script.api(subject, json!({"name": name, "storage": "memory"}));
        }
    }
    script
        .unanswered("$JS.API.STREAM.CREATE.a.b", &[], "{\"name\":\"a.b\"}")
        .api("STREAM.CREATE.X", json!({"name": "Y"}))
        .api("STREAM.CREATE.X", json!({"name": ""}))
        .api("STREAM.CREATE.X", json!({}))
        .api("STREAM.CREATE.X", json!({"subjects": ["a"]}))
        .api("STREAM.NAMES", Value::Null)
}

fn bodies() -> Script {
    let bodies = [
        "",
        "{}",
        "null",
        "5",
        "\"x\"",
        "[]",
        "junk",
        "{",
        "{\"name\":\"A\"} x",
        "{\"name\":5}",
        "{\"name\":\"A\",\"unknown\":1}",
        "{\"name\":\"A\",\"unknown\":{\"a\":1},\"other\":2}",
        "{\"NAME\":\"A\",\"Storage\":\"memory\"}",
        "  {\"name\":\"A\"}  ",
        "{\"name\":\"A\",\"name\":\"B\"}",
        "{\"name\":\"A\",\"max_msgs\":\"5\"}",
        "{\"name\":\"A\",\"max_msgs\":1.5}",
        "{\"name\":\"A\",\"max_msgs\":1e3}",
        "{\"name\":\"A\",\"max_msgs\":9223372036854775807}",
        "{\"name\":\"A\",\"max_msgs\":9223372036854775808}",
        "{\"name\":\"A\",\"max_msg_size\":2147483647}",
        "{\"name\":\"A\",\"max_msg_size\":2147483648}",
        "{\"name\":\"A\",\"first_seq\":-1}",
        "{\"name\":\"A\",\"subjects\":\"a\"}",
        "{\"name\":\"A\",\"subjects\":[5]}",
        "{\"name\":\"A\",\"subjects\":[null]}",
        "{\"name\":\"A\",\"sealed\":\"yes\"}",
        "{\"name\":\"A\",\"retention\":\"x\"}",
        "{\"name\":\"A\",\"retention\":null}",
        "{\"name\":\"A\",\"retention\":5}",
        "{\"name\":\"A\",\"retention\":\"Limits\"}",
        "{\"name\":\"A\",\"storage\":\"disk\"}",
        "{\"name\":\"A\",\"discard\":\"all\"}",
        "{\"name\":\"A\",\"compression\":\"zip\"}",
        "{\"name\":\"A\",\"persist_mode\":\"x\"}",
        "{\"name\":\"A\",\"mirror\":[]}",
        "{\"name\":\"A\",\"mirror\":null,\"sources\":null}",
        "{\"name\":\"A\",\"sources\":{}}",
        "{\"name\":\"A\",\"sources\":[]}",
        "{\"name\":\"A\",\"metadata\":{\"k\":5}}",
        "{\"name\":\"A\",\"placement\":{\"unknown\":1}}",
        "{\"name\":\"A\",\"republish\":{\"unknown\":1}}",
        "{\"name\":\"A\",\"mirror\":{\"name\":\"B\",\"unknown\":1}}",
        "{\"name\":\"A\",\"sources\":[{\"name\":\"B\",\"unknown\":1}]}",
        "{\"name\":\"A\",\"sources\":[{\"name\":\"B\",\"external\":{\"x\":1}}]}",
        "{\"name\":\"A\",\"sources\":[{\"name\":\"B\",\"opt_start_time\":\"x\"}]}",
        "{\"name\":\"A\",\"sources\":[{\"name\":\"B\",\"opt_start_seq\":-1}]}",
        "{\"name\":\"A\",\"subject_transform\":{\"src\":\"a\",\"dst\":\"b\"}}",
        "{\"name\":\"A\",\"consumer_limits\":{\"x\":1}}",
    ];
    let script = Script::new("stream_create/bodies");
    // In memory: nats-server sometimes fails to create a file stream where it has just deleted one.
    let in_memory = |body: &str| body.replacen("\"A\"", "\"A\",\"storage\":\"memory\"", 1);
    bodies.into_iter().fold(script, |script, body| {
        script.api("STREAM.CREATE.A", in_memory(body).into()).delete("A")
    })
}

fn numbers() -> Script {
    let second = 1_000_000_000_i64;
    let mut rows = Vec::new();
    for name in ["max_msgs", "max_bytes", "max_msgs_per_subject", "max_msg_size", "max_consumers"] {
        for value in [0, -1, -2, 1, 7] {
            rows.push(json!({name: value}));
        }
    }
    for value in [0, -1, 1, 99_999_999, 100_000_000, second, 200 * second] {
        rows.push(json!({"max_age": value}));
        rows.push(json!({"duplicate_window": value}));
    }
    rows.extend([
        json!({"max_age": second, "duplicate_window": second}),
        json!({"max_age": second, "duplicate_window": 2 * second}),
        json!({"max_age": second, "duplicate_window": 0}),
        json!({"max_age": 600 * second, "duplicate_window": 0}),
        json!({"num_replicas": 0}),
        json!({"num_replicas": -1}),
        json!({"num_replicas": 1}),
        json!({"num_replicas": 2}),
        json!({"num_replicas": 3}),
        json!({"num_replicas": 6}),
        json!({"first_seq": 1}),
        json!({"first_seq": 1000}),
        json!({"max_bytes": 2_000_000_000_i64}),
        json!({"max_bytes": 20_000_000_000_i64, "storage": "file"}),
        json!({"max_bytes": 1_000_000, "storage": "file"}),
        json!({"consumer_limits": {"inactive_threshold": second, "max_ack_pending": 5}}),
        json!({"consumer_limits": {"inactive_threshold": -1}}),
        json!({"consumer_limits": {"max_ack_pending": -5}}),
        json!({"subject_delete_marker_ttl": -1}),
        json!({"subject_delete_marker_ttl": 1}),
    ]);
    verdicts("stream_create/numbers", rows)
}

fn flags() -> Script {
    verdicts(
        "stream_create/flags",
        vec![
            json!({"sealed": true}),
            json!({"deny_delete": true}),
            json!({"deny_purge": true}),
            json!({"allow_rollup_hdrs": true}),
            json!({"deny_purge": true, "allow_rollup_hdrs": true}),
            json!({"deny_delete": true, "allow_rollup_hdrs": true}),
            json!({"discard": "new"}),
            json!({"discard_new_per_subject": true}),
            json!({"discard": "old", "discard_new_per_subject": true, "max_msgs_per_subject": 1}),
            json!({"discard": "new", "discard_new_per_subject": true}),
            json!({"discard": "new", "discard_new_per_subject": true, "max_msgs_per_subject": 2}),
            json!({"retention": "limits"}),
            json!({"retention": "workqueue"}),
            json!({"retention": "workqueue", "discard": "new"}),
            json!({"compression": "none"}),
            json!({"compression": "s2"}),
            json!({"compression": "s2", "storage": "file"}),
            json!({"no_ack": true}),
            json!({"allow_direct": true}),
            json!({"mirror_direct": true}),
            json!({"placement": {}}),
            json!({"placement": {"cluster": "c"}}),
            json!({"placement": {"tags": ["a"]}}),
            json!({"placement": {"preferred": "n"}}),
            json!({"persist_mode": "default"}),
            json!({"pedantic": true}),
            json!({"pedantic": true, "max_msgs": -5}),
            json!({"pedantic": true, "max_age": 1_000_000_000}),
            json!({"pedantic": true, "max_msgs_per_subject": -2}),
            json!({"pedantic": true, "max_consumers": -2}),
            json!({"pedantic": true, "max_msg_size": -2}),
            json!({"pedantic": true, "max_bytes": -2}),
        ],
    )
}

fn subjects() -> Script {
    let lists: &[&[&str]] = &[
        &[],
        &["a"],
        &["A"],
        &["a", "b", "c.*", "d.>"],
        &[""],
        &["a..b"],
        &[".a"],
        &["a."],
        &["a b"],
        &["a.>.b"],
        &["a*.b>"],
        &["a", "a"],
        &["a.*", "a.b"],
        &["a.*.c", "a.b.*"],
        &["a.>", "a.b"],
        &["other.x"],
        &["other.*"],
        &["*.x"],
        &["second"],
        &["other"],
        &[">"],
        &["*"],
        &["*.>"],
        &["$JS.API.x"],
        &["$JS.>"],
        &["$JS.EVENT.>"],
        &["$JS.EVENT.ADVISORY.x"],
        &["$JSC.x"],
        &["$NRG.x"],
        &["$SYS.x"],
        &["$SYS.ACCOUNT.>"],
        &["$SYS.ACCOUNT.x.CONNECT"],
        &["$KV.x.>"],
        &["$OTHER.x"],
        &["_INBOX.x"],
    ];
    let mut rows: Vec<Value> = lists.iter().map(|list| json!({"subjects": list})).collect();
    for subject in [">", "$JS.>", "$SYS.>", "*", "*.>"] {
        rows.push(json!({"subjects": [subject], "no_ack": true}));
    }
    rows.push(json!({"subjects": [">"], "no_ack": true, "num_replicas": 3}));
    rows.push(json!({"name": "OTHER2", "subjects": ["other.y"]}));
    verdicts("stream_create/subjects", rows)
}

fn transforms() -> Script {
    let pair = |src: &str, dest: &str| json!({"src": src, "dest": dest});
    let mut rows = Vec::new();
    for (src, dest) in [
        ("a", "b"),
        ("a.*", "b.{{wildcard(1)}}"),
        ("a.*", "b.$1"),
        ("a.*", "b.$2"),
        ("a.*", "b.{{wildcard(2)}}"),
        ("a.*", "b.{{wildcard(0)}}"),
        ("a.*.*", "b.{{wildcard(2)}}.{{wildcard(1)}}"),
        ("a.*.*", "b.{{wildcard(1)}}"),
        ("a.*", "b"),
        ("a.>", "b.>"),
        ("a.>", "b"),
        ("a", "b.>"),
        (">", "b.>"),
        ("", "b.>"),
        ("", "b"),
        ("", ""),
        ("a", ""),
        ("a..b", "c"),
        ("a.*", "x..y"),
        ("a.*", "x y"),
        ("a.*", "b.{{partition(3,1)}}"),
        ("a.*.*", "b.{{partition(3,1,2)}}.{{wildcard(1)}}"),
        ("a.*", "b.{{partition(0,1)}}"),
        ("a.*", "b.{{partition(3,2)}}"),
        ("a", "b.{{partition(3)}}"),
        ("a.*", "b.{{partition(3)}}"),
        ("a.*", "b.{{random(3)}}"),
        ("a.*", "b.{{random(0)}}"),
        ("a.*", "b.{{random(x)}}"),
        ("a.*", "b.{{split(1,-)}}"),
        ("a.*", "b.{{split(1)}}"),
        ("a.*", "b.{{split(2,-)}}"),
        ("a.*", "b.{{left(1,2)}}"),
        ("a.*", "b.{{right(1,2)}}"),
        ("a.*", "b.{{left(1)}}"),
        ("a.*", "b.{{SplitFromLeft(1,2)}}"),
        ("a.*", "b.{{splitfromright(1,2)}}"),
        ("a.*", "b.{{SliceFromLeft(1,2)}}"),
        ("a.*", "b.{{slicefromright(1,2)}}"),
        ("a.*", "b.{{unknown(1)}}"),
        ("a.*", "b.{{wildcard}}"),
        ("a.*", "b.{{wildcard()}}"),
        ("a.*", "b.{{wildcard(x)}}"),
        ("a.*", "b.{{ wildcard(1) }}"),
        ("a.*", "b.{{wildcard(1)"),
        ("a.*", "b.*"),
        ("*", ">"),
        ("a.$1", "b"),
    ] {
        rows.push(json!({"subjects": ["in.>"], "subject_transform": pair(src, dest)}));
    }
    rows.push(json!({"subjects": ["in.>"], "subject_transform": {}}));
    rows.push(json!({"subjects": ["in.>"], "subject_transform": null}));
    rows.push(json!({"subjects": ["in.>"], "subject_transform": {"src": "a"}}));
    verdicts("stream_create/transforms", rows)
}

fn republish() -> Script {
    let mut rows = Vec::new();
    for republish in [
        json!({"src": "in.>", "dest": "out.>"}),
        json!({"dest": "out.>"}),
        json!({"src": ">", "dest": "out.>", "headers_only": true}),
        json!({"src": "in.*", "dest": "out.{{wildcard(1)}}"}),
        json!({"src": "in.*", "dest": "out.$1"}),
        json!({"src": "in.*", "dest": "out"}),
        json!({"src": "in.*", "dest": "out.>"}),
        json!({"src": "in.*", "dest": "out.$2"}),
        json!({"src": "other", "dest": "out"}),
        json!({"src": "in.>", "dest": "in.x"}),
        json!({"src": "in.>", "dest": "in.x.>"}),
        json!({"src": "in.>", "dest": ">"}),
        json!({"src": "in..x", "dest": "out"}),
        json!({"src": "in.x", "dest": ""}),
        json!({"src": "in.x", "dest": "out..x"}),
        json!({}),
        json!({"src": "in.x"}),
    ] {
        rows.push(json!({"subjects": ["in.>"], "republish": republish}));
    }
    verdicts("stream_create/republish", rows)
}

fn second_creation() -> Script {
    let base = json!({"name": "A", "subjects": ["a.>"], "storage": "memory", "max_msgs": 5});
    let same = [
        json!({"max_msgs_per_subject": 0}),
        json!({"max_bytes": -1, "max_age": 0, "num_replicas": 0}),
        json!({"duplicate_window": 120_000_000_000_i64}),
        json!({"metadata": {}}),
        json!({"metadata": {"_nats.ver": "x", "_nats.level": "3"}}),
        json!({"placement": {}}),
        json!({"retention": "limits", "discard": "old", "consumer_limits": {}}),
    ];
    let other = [
        json!({"max_msgs": 6}),
        json!({"subjects": ["a.*"]}),
        json!({"subjects": ["a.>", "b"]}),
        json!({"storage": "file"}),
        json!({"description": "x"}),
        json!({"metadata": {"k": "v"}}),
        json!({"duplicate_window": 100_000_000}),
        json!({"max_age": -5}),
        json!({"first_seq": 5}),
        json!({"allow_direct": true}),
        json!({"retention": "workqueue"}),
        json!({"subjects": ["taken"]}),
    ];
    let mut script = Script::new("stream_create/second")
        .create(json!({"name": "T", "subjects": ["taken"], "storage": "memory"}))
        .create(base.clone())
        .publish("a.x", "one");
    for fields in same.iter().chain(&other) {
        let mut config = base.clone();
        for (name, value) in fields.as_object().unwrap() {
            config[name] = value.clone();
        }
        script = script.create(config);
    }
    script.info("A").info("T")
}

fn unbuilt() -> Script {
    let mut script = Script::new("stream_create/unbuilt");
    for (at, fields) in [
        json!({"retention": "interest"}),
        json!({"allow_atomic": true}),
        json!({"allow_batched": true}),
        json!({"persist_mode": "async", "storage": "file"}),
    ]
    .into_iter()
    .enumerate()
    {
        let mut config = with(fields);
        config["name"] = format!("U{at}").into();
        script = script.create(config);
    }
    script
}

#[test]
fn stream_create() {
    check(vec![
        names_and_texts(),
        bodies(),
        numbers(),
        flags(),
        subjects(),
        transforms(),
        republish(),
        second_creation(),
        unbuilt(),
    ]);
}
