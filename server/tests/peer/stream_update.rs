//! What an update may change, and what it does to what is stored.
//! Not here: updates of mirrors and sources (`origin_verdicts`).

use crate::run::check;
use crate::script::Script;
use serde_json::{Value, json};

/// Updates are made of a base and fields that replace its own; a field that is `null` is left out.
fn updates(mut script: Script, base: &Value, rows: &[Value]) -> Script {
    for row in rows {
        let mut config = base.clone();
        let map = config.as_object_mut().unwrap();
        for (name, value) in row.as_object().unwrap() {
            match value {
                Value::Null => drop(map.remove(name)),
                value => drop(map.insert(name.clone(), value.clone())),
            }
        }
        script = script.update(config);
    }
    script
}

fn fields() -> Script {
    let base = json!({"name": "A", "subjects": ["a.>"], "storage": "memory", "max_msgs": 50});
    let script = Script::new("stream_update/fields")
        .create(json!({"name": "T", "subjects": ["taken.>"], "storage": "memory"}))
        .create(base.clone())
        .publish("a.x", "one");
    let script = updates(
        script,
        &base,
        &[
            json!({}),
            json!({"description": "d"}),
            json!({"description": null}),
            json!({"metadata": {"k": "v"}}),
            json!({"metadata": {"_nats.req.level": "3"}}),
            json!({"storage": "file"}),
            json!({"storage": null}),
            json!({"retention": "workqueue"}),
            json!({"subjects": ["a.>", "b"]}),
            json!({"subjects": ["taken.x"]}),
            json!({"subjects": ["a..b"]}),
            json!({"subjects": null}),
            json!({"subjects": []}),
            json!({"subjects": ["a.>", "a.b"]}),
            json!({"max_msgs": 0}),
            json!({"max_consumers": 5}),
            json!({"max_consumers": 0}),
            json!({"max_age": 1}),
            json!({"max_age": 10_000_000_000_i64}),
            json!({"max_age": 10_000_000_000_i64, "duplicate_window": 20_000_000_000_i64}),
            json!({"duplicate_window": 200_000_000}),
            json!({"discard": "new"}),
            json!({"discard": "new", "discard_new_per_subject": true}),
            json!({"num_replicas": 3}),
            json!({"num_replicas": 6}),
            json!({"num_replicas": -1}),
            json!({"first_seq": 7}),
            json!({"compression": "s2"}),
            json!({"allow_direct": true}),
            json!({"mirror_direct": true}),
            json!({"no_ack": true}),
            json!({"placement": {"cluster": "c"}}),
            json!({"placement": {"preferred": "c"}}),
            json!({"republish": {"src": "a.>", "dest": "r.>"}}),
            json!({"republish": {"src": "a.>", "dest": "a.x"}}),
            json!({"subject_transform": {"src": "a.*", "dest": "a.y.$1"}}),
            json!({"subject_transform": {"src": "a.*", "dest": "a..$1"}}),
            json!({"consumer_limits": {"max_ack_pending": 5}}),
            json!({"allow_rollup_hdrs": true}),
            json!({"allow_rollup_hdrs": true, "deny_purge": true}),
            json!({"max_bytes": 100_000_000_000_i64}),
            json!({"pedantic": true, "max_bytes": -7}),
        ],
    );
    script
        .api("STREAM.UPDATE.A", json!({"name": "B"}))
        .api("STREAM.UPDATE.B", json!({"name": "B"}))
        .api("STREAM.UPDATE.B", json!({"name": "B", "num_replicas": 3}))
        .api("STREAM.UPDATE.B", json!({"name": "B", "mirror_direct": true}))
        .api("STREAM.UPDATE.A", json!({"name": "A", "unknown": 1}))
        .api("STREAM.UPDATE.A", "".into())
        .api("STREAM.UPDATE.A", "junk".into())
        .api("STREAM.UPDATE.A", "{}".into())
        .update(base)
        .info("A")
}

fn one_way() -> Script {
    let base = json!({"name": "A", "subjects": ["a"], "storage": "memory"});
    let script = Script::new("stream_update/one_way").create(base.clone()).publish("a", "one");
    let script = updates(
        script,
        &base,
        &[
            json!({"deny_delete": true}),
            json!({"deny_delete": false}),
            json!({"deny_delete": true, "deny_purge": true}),
            json!({"deny_delete": true}),
            json!({"deny_delete": true, "deny_purge": true, "allow_rollup_hdrs": true}),
            json!({"deny_delete": true, "deny_purge": true, "sealed": true,
                "max_age": 10_000_000_000_i64, "discard": "old"}),
            json!({"sealed": false, "deny_delete": true, "deny_purge": true}),
            json!({"sealed": true, "deny_delete": true, "deny_purge": true,
                "duplicate_window": 1_000_000_000}),
            json!({"sealed": true, "description": "x"}),
            json!({"sealed": true, "deny_delete": true, "deny_purge": true, "max_msgs": 1}),
        ],
    );
    script
        .publish("a", "refused")
        .api("STREAM.PURGE.A", Value::Null)
        .api("STREAM.MSG.DELETE.A", json!({"seq": 1}))
        .info("A")
        .create(base)
        .delete("A")
}

fn trimming(name: &'static str, storage: &str) -> Script {
    let base = json!({"name": "A", "subjects": ["a.>"], "storage": storage});
    let mut script = Script::new(name).create(base.clone());
    for number in 1..=12 {
        script = script.publish(&format!("a.{}", number % 3), "x");
    }
    let rows = [
        json!({"max_msgs_per_subject": 3}),
        json!({"max_msgs_per_subject": 3, "max_msgs": 7}),
        json!({"max_msgs_per_subject": 3, "max_msgs": 7, "max_bytes": 150}),
        json!({"max_msgs_per_subject": 1}),
        json!({"subjects": ["b"]}),
        json!({"subjects": ["a.>"], "discard": "new", "max_msgs": 2}),
    ];
    for row in rows {
        script = updates(script, &base, &[row]).info("A");
    }
    script.publish("a.1", "after").publish("a.9", "after").info("A").restart_if(storage).info("A")
}

#[test]
fn stream_update() {
    check(vec![
        fields(),
        one_way(),
        trimming("stream_update/trimming", "memory"),
        trimming("stream_update/trimming_file", "file"),
    ]);
}
