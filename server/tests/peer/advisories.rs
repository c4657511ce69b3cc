//! Advisories on streams and on requests.
//! Not here: those on consumers and clusters.

use crate::run::check;
use crate::script::Script;
use serde_json::{Value, json};

fn actions() -> Script {
    let config = |description: &str| json!({"name": "A", "subjects": ["a"], "storage": "memory", "description": description});
    Script::new("advisories/actions")
        .listen("$JS.EVENT.ADVISORY.STREAM.>")
        .create(config("one"))
        .create(config("one"))
        .create(config("two"))
        .update(config("two"))
        .update(config("two"))
        .api("STREAM.PURGE.A", Value::Null)
        .update(json!({"name": "NONE"}))
        .delete("A")
        .delete("A")
        .create(json!({"name": "E", "storage": "memory"}))
        .hear(5)
}

/// A stream of advisories. Whether it catches the one on its own creation is a matter of time in nats-server.
fn captured() -> Script {
    Script::new("advisories/captured")
        .create(json!({"name": "EVENTS", "subjects": ["$JS.EVENT.ADVISORY.STREAM.>"]}))
        .only_error()
        .create(json!({"name": "A", "storage": "memory"}))
        .update(json!({"name": "A", "storage": "memory", "max_msgs": 5}))
        .delete("A")
        .until(
            "STREAM.INFO.EVENTS",
            json!({"subjects_filter": "$JS.EVENT.ADVISORY.STREAM.*.A"}),
            "/state/subjects",
            json!({
                "$JS.EVENT.ADVISORY.STREAM.CREATED.A": 1,
                "$JS.EVENT.ADVISORY.STREAM.UPDATED.A": 1,
                "$JS.EVENT.ADVISORY.STREAM.DELETED.A": 1,
            }),
        )
}

/// The consumers of a stream go with it, and that is told before.
fn with_consumers() -> Script {
    let consumer =
        json!({"stream_name": "A", "config": {"durable_name": "C", "ack_policy": "explicit"}});
    Script::new("advisories/with_consumers")
        .create(json!({"name": "A", "subjects": ["a"], "storage": "memory"}))
        .api("CONSUMER.DURABLE.CREATE.A.C", consumer)
        .listen("$JS.EVENT.ADVISORY.CONSUMER.>")
        .listen("$JS.EVENT.ADVISORY.STREAM.>")
        .delete("A")
        .hear(2)
}

fn audits() -> Script {
    Script::new("advisories/audits")
        .listen("$JS.EVENT.ADVISORY.API")
        .api("INFO", Value::Null)
        .api("STREAM.CREATE.A", json!({"name": "A", "storage": "memory"}))
        .api("STREAM.INFO.NONE", json!({}))
        .api("STREAM.NAMES", json!({"offset": 0}))
        .hear(4)
}

#[test]
fn advisories() {
    check(vec![actions(), captured(), with_consumers(), audits()]);
}
