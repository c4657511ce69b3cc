//! The account's use and bounds, counters of the API, subjects that nobody answers, the API level a request asks for.
//! Not here: streams.

use crate::run::check;
use crate::script::Script;
use serde_json::{Value, json};

fn usage() -> Script {
    Script::new("account/usage")
        .api("INFO", Value::Null)
        .api("INFO", "junk".into())
        .create(json!({"name": "M", "subjects": ["m.>"], "storage": "memory"}))
        .create(json!({"name": "F", "subjects": ["f.>"], "max_bytes": 1_000_000}))
        .api("INFO", Value::Null)
        .publish("m.1", "text")
        .publish("m.2", "more text")
        .publish_with("f.1", &[("K", "v")], "text")
        .api("INFO", Value::Null)
        .api("STREAM.INFO.NONE", Value::Null)
        .api("STREAM.CREATE.X", json!({"name": "Y"}))
        .api("STREAM.MSG.GET.M", json!({"seq": 99}))
        .api("STREAM.PURGE.M", json!({"keep": 1}))
        .api("INFO", json!({}))
        .delete("M")
        .delete("F")
        .api("INFO", Value::Null)
        .restart()
        .api("INFO", Value::Null)
}

fn limited() -> Script {
    let memory =
        |name: &str, bytes: i64| json!({"name": name, "storage": "memory", "max_bytes": bytes});
    Script::new("account/limited")
        .create(memory("A", 600_000_000))
        .create(memory("B", 600_000_000))
        .create(memory("C", 300_000_000))
        .api("INFO", Value::Null)
        .update(memory("C", 500_000_000))
        .update(memory("C", 100_000_000))
        .delete("A")
        .create(memory("B", 600_000_000))
        .create(memory("A", 100_000_000))
        .api("INFO", Value::Null)
}

fn silence() -> Script {
    let mut script = Script::new("account/silence");
    for subject in [
        "$JS.API.NOTHING",
        "$JS.API.STREAM.NOTHING.A",
        "$JS.API.STREAM.CREATE",
        "$JS.API.STREAM.CREATE.A.B",
        "$JS.API.STREAM.INFO",
        "$JS.API.STREAM.NAMES.A",
        "$JS.API.STREAM.LIST.A",
        "$JS.API.INFO.A",
        "$JS.API.SERVER.REMOVE",
        "$JS.API.META.LEADER.STEPDOWN",
        "$JS.API.ACCOUNT.PURGE.A",
    ] {
        script = script.unanswered(subject, &[], "");
    }
    script
        .publish("$JS.NOTHING", "")
        .publish("$JS", "")
        .publish("$JS.ACK.x", "")
        .publish("$JS.EVENT.x", "")
        .api("STREAM.LEADER.STEPDOWN.A", Value::Null)
        .api("STREAM.PEER.REMOVE.A", json!({"peer": "x"}))
        .api("STREAM.PEER.EVACUATE.A", json!({"peer": "x"}))
        .api("STREAM.CANCEL_MOVE.A", Value::Null)
        .api("CONSUMER.PEER.EVACUATE.A.C", json!({"peer": "x"}))
        .api("INFO", Value::Null)
}

fn levels() -> Script {
    let name = "Nats-Required-Api-Level";
    let mut script = Script::new("account/levels")
        .create(json!({"name": "A", "subjects": ["a"], "storage": "memory", "allow_direct": true}))
        .publish("a", "one");
    for level in ["0", "1", "5", "6", "99", "-1", "x", "", " 5", "5 "] {
        let fields = [(name, level)];
        script = script
            .api_with("INFO", &fields, Value::Null)
            .api_with("STREAM.INFO.A", &fields, Value::Null)
            .api_with("STREAM.NAMES", &fields, Value::Null)
            .api_with("STREAM.LIST", &fields, Value::Null)
            .api_with("STREAM.MSG.GET.A", &fields, json!({"seq": 1}))
            .api_with("STREAM.PURGE.A", &fields, json!({"seq": 1}))
            .api_with("STREAM.MSG.DELETE.A", &fields, json!({"seq": 7}))
            .api_with("STREAM.DELETE.NONE", &fields, Value::Null)
            .api_with("STREAM.CREATE.B", &fields, json!({"name": "B", "storage": "memory"}))
            .api_with("STREAM.UPDATE.B", &fields, json!({"name": "B", "storage": "memory"}))
            .api_with("DIRECT.GET.A", &fields, json!({"seq": 1}))
            .api_with("DIRECT.GET.A.a", &fields, Value::Null);
    }
    script
        .api_with("INFO", &[("nats-required-api-level", "99")], Value::Null)
        .api_with("INFO", &[(name, "5"), (name, "99")], Value::Null)
        .api("INFO", Value::Null)
}

fn consumers() -> Script {
    let config =
        json!({"stream_name": "A", "config": {"durable_name": "C", "ack_policy": "explicit"}});
    Script::new("account/consumers")
        .create(json!({"name": "A", "subjects": ["a"], "storage": "memory"}))
        .api("CONSUMER.NAMES.A", Value::Null)
        .api("CONSUMER.LIST.A", json!({"offset": 0}))
        .api("CONSUMER.NAMES.NONE", Value::Null)
        .api("CONSUMER.LIST.NONE", Value::Null)
        .api("CONSUMER.INFO.A.NONE", Value::Null)
        .api("CONSUMER.DURABLE.CREATE.A.C", config)
        .api("STREAM.SNAPSHOT.A", json!({"deliver_subject": "d"}))
}

#[test]
fn account() {
    check(vec![usage(), limited(), silence(), levels(), consumers()]);
}
