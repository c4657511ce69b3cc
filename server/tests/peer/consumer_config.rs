//! Configurations of consumers: what is refused, what is filled in, what an update may change, and lists.
//! Not here: what consumers deliver (`consumers`).

use crate::run::check;
use crate::script::Script;
use serde_json::{Value, json};

/// A stream with a few messages.
fn filled(name: &'static str) -> Script {
    let mut script = Script::new(name)
        .create(json!({"name": "A", "subjects": ["a.>"], "storage": "file",
            "consumer_limits": {}}));
    for number in 1..=6 {
        script = script.publish(&format!("a.{}", number % 3), "text");
    }
    script
}

#[expect(clippy::too_many_lines, reason = "a table")]
/// Configurations of a consumer `C`, each made and deleted again.
fn configs() -> Vec<Value> {
    let second = 1_000_000_000_u64;
    let mut rows = vec![
        json!({}),
        json!({"durable_name": "C"}),
        json!({"durable_name": "D"}),
        json!({"description": "text"}),
        json!({"metadata": {"k": "v", "_nats.ver": "x"}}),
    ];
    for policy in
        ["all", "last", "new", "by_start_sequence", "by_start_time", "last_per_subject", "x"]
    {
        rows.push(json!({"deliver_policy": policy}));
        rows.push(json!({"deliver_policy": policy, "opt_start_seq": 3}));
        rows.push(json!({"deliver_policy": policy, "opt_start_time": "2020-01-01T00:00:00Z"}));
        rows.push(json!({"deliver_policy": policy, "filter_subject": "a.1"}));
    }
    for policy in ["none", "all", "explicit", "flow_control", "x"] {
        rows.push(json!({"ack_policy": policy}));
        rows.push(json!({"ack_policy": policy, "ack_wait": 5 * second, "max_ack_pending": 7}));
        rows.push(json!({"ack_policy": policy, "deliver_subject": "d"}));
        rows.push(json!({"ack_policy": policy, "deliver_subject": "d", "max_ack_pending": 7}));
        rows.push(json!({"ack_policy": policy, "deliver_subject": "d", "flow_control": true,
            "idle_heartbeat": second}));
        rows.push(json!({"ack_policy": policy, "deliver_subject": "d", "max_deliver": 3}));
        rows.push(json!({"ack_policy": policy, "backoff": [second, 2 * second]}));
    }
    rows.extend([
        json!({"deliver_policy": "by_start_sequence", "opt_start_seq": 99}),
        json!({"deliver_policy": "by_start_sequence", "opt_start_seq": 3,
            "opt_start_time": "2020-01-01T00:00:00Z"}),
        json!({"deliver_policy": "by_start_time", "opt_start_time": "2099-01-01T00:00:00Z"}),
        json!({"deliver_policy": "last_per_subject", "filter_subjects": ["a.1", "a.2"]}),
        json!({"deliver_policy": "last_per_subject", "filter_subject": "b"}),
        json!({"deliver_policy": "last", "filter_subject": "b"}),
        json!({"ack_policy": "explicit", "ack_wait": -1}),
        json!({"ack_policy": "explicit", "backoff": [-1]}),
        json!({"ack_policy": "explicit", "backoff": [1, 2, 3], "max_deliver": 2}),
        json!({"ack_policy": "explicit", "backoff": [1, 2, 3], "max_deliver": 3}),
        json!({"ack_policy": "explicit", "max_deliver": -5}),
        json!({"ack_policy": "explicit", "max_ack_pending": -5}),
        json!({"max_waiting": 3}),
        json!({"max_waiting": -3}),
        json!({"max_batch": 3, "max_expires": second, "max_bytes": 100}),
        json!({"max_batch": -3}),
        json!({"max_expires": 5}),
        json!({"inactive_threshold": second}),
        json!({"inactive_threshold": -1}),
        json!({"headers_only": true, "replay_policy": "original"}),
        json!({"replay_policy": "x"}),
        json!({"sample_freq": "30%"}),
        json!({"sample_freq": "30"}),
        json!({"sample_freq": "x"}),
        json!({"sample_freq": "-1"}),
        json!({"rate_limit_bps": 1000}),
        json!({"idle_heartbeat": second}),
        json!({"flow_control": true}),
        json!({"deliver_subject": "d", "rate_limit_bps": 1000}),
        json!({"deliver_subject": "d", "flow_control": true}),
        json!({"deliver_subject": "d", "idle_heartbeat": second}),
        json!({"deliver_subject": "d", "idle_heartbeat": 5}),
        json!({"deliver_subject": "d", "max_waiting": 5}),
        json!({"deliver_subject": "d", "deliver_group": "g"}),
        json!({"deliver_subject": "d.*"}),
        json!({"deliver_subject": "d..e"}),
        json!({"deliver_subject": "a.1"}),
        json!({"deliver_group": "g"}),
        json!({"filter_subject": "a.1"}),
        json!({"filter_subject": "b"}),
        json!({"filter_subject": "a..b"}),
        json!({"filter_subject": ">"}),
        json!({"filter_subjects": []}),
        json!({"filter_subjects": [""]}),
        json!({"filter_subjects": ["a.1", "a.2"]}),
        json!({"filter_subjects": ["a.1", "a.*"]}),
        json!({"filter_subjects": ["a.1", "a.1"]}),
        json!({"filter_subjects": ["a.1", "a..b"]}),
        json!({"filter_subject": "a.1", "filter_subjects": ["a.2"]}),
        json!({"num_replicas": 1}),
        json!({"num_replicas": 3}),
        json!({"num_replicas": -1}),
        json!({"mem_storage": true}),
        json!({"direct": true}),
        json!({"pause_until": "2099-01-01T00:00:00Z"}),
        json!({"pause_until": "0001-01-01T00:00:00Z"}),
        json!({"priority_groups": ["g"]}),
        json!({"priority_timeout": second}),
        json!({"priority_policy": "overflow"}),
        json!({"priority_policy": "overflow", "priority_groups": ["g"]}),
        json!({"priority_policy": "overflow", "priority_groups": [""]}),
        json!({"priority_policy": "overflow", "priority_groups": ["a.b"]}),
        json!({"priority_policy": "overflow", "priority_groups": ["abcdefghijklmnopq"]}),
        json!({"priority_policy": "pinned_client", "priority_groups": ["g"]}),
        json!({"priority_policy": "pinned_client", "priority_groups": ["g"],
            "priority_timeout": second}),
        json!({"priority_policy": "prioritized", "priority_groups": ["g", "h"]}),
        json!({"priority_policy": "overflow", "priority_groups": ["g"], "deliver_subject": "d"}),
        json!({"priority_policy": "x"}),
        json!({"unknown": 1}),
    ]);
    rows
}

fn verdicts() -> Script {
    let mut script = filled("consumer_config/verdicts");
    for config in configs() {
        let request = json!({"stream_name": "A", "config": config});
        script = script.api("CONSUMER.CREATE.A.C", request).api("CONSUMER.DELETE.A.C", Value::Null);
    }
    script
}

fn pedantic() -> Script {
    let mut script = filled("consumer_config/pedantic");
    for config in [
        json!({"max_deliver": -5}),
        json!({"max_ack_pending": -5}),
        json!({"max_waiting": -5}),
        json!({"max_batch": -5}),
        json!({"inactive_threshold": -5}),
        json!({"ack_policy": "explicit", "backoff": [5]}),
        json!({"ack_policy": "explicit"}),
        json!({"ack_policy": "flow_control", "deliver_subject": "d", "max_ack_pending": 5}),
    ] {
        let request = json!({"stream_name": "A", "config": config, "pedantic": true});
        script = script.api("CONSUMER.CREATE.A.C", request).api("CONSUMER.DELETE.A.C", Value::Null);
    }
    script
}

fn subjects() -> Script {
    let with = |config: Value| json!({"stream_name": "A", "config": config});
    filled("consumer_config/subjects")
        .api("CONSUMER.CREATE.A", with(json!({"name": "E"})))
        .api("CONSUMER.CREATE.A", with(json!({"durable_name": "E"})))
        .api("CONSUMER.CREATE.A", with(json!({"name": "x/y"})))
        .api("CONSUMER.CREATE.A", with(json!({"name": "x.y"})))
        .api("CONSUMER.CREATE.A.E2", with(json!({"name": "other"})))
        .api("CONSUMER.CREATE.A.D", with(json!({"durable_name": "other"})))
        .api("CONSUMER.CREATE.A.D", with(json!({"durable_name": "D"})))
        .api("CONSUMER.CREATE.A.F.a.1", with(json!({"durable_name": "F"})))
        .api("CONSUMER.CREATE.A.F.a.1", with(json!({"filter_subject": "a.2"})))
        .api("CONSUMER.CREATE.A.F.a.1", with(json!({"filter_subjects": ["a.1"]})))
        .api("CONSUMER.CREATE.A.F.a.*", with(json!({"filter_subject": "a.*"})))
        .api("CONSUMER.DURABLE.CREATE.A.L", with(json!({})))
        .api("CONSUMER.DURABLE.CREATE.A.L", with(json!({"durable_name": "M"})))
        .api(
            "CONSUMER.DURABLE.CREATE.A.L",
            with(json!({"durable_name": "L", "ack_policy": "explicit"})),
        )
        .api("CONSUMER.CREATE.B.X", with(json!({})))
        .api("CONSUMER.CREATE.B.X", json!({"stream_name": "B", "config": {}}))
        .api("CONSUMER.CREATE.A.X", json!({"config": {}}))
        .api("CONSUMER.CREATE.A.X", json!({"stream_name": "A"}))
        .api("CONSUMER.CREATE.A.X", Value::Null)
        .api("CONSUMER.CREATE.A.X", json!("junk"))
        .api("CONSUMER.INFO.A.D", Value::Null)
        .api("CONSUMER.INFO.A.D", json!({"x": 1}))
        .api("CONSUMER.INFO.A.nobody", Value::Null)
        .api("CONSUMER.INFO.B.D", Value::Null)
        .api("CONSUMER.NAMES.A", Value::Null)
        .api("CONSUMER.NAMES.A", json!({"offset": 2}))
        .api("CONSUMER.NAMES.A", json!({"offset": 99}))
        .api("CONSUMER.NAMES.B", Value::Null)
        .api("CONSUMER.LIST.A", json!({"offset": 1}))
        .api("CONSUMER.LIST.B", Value::Null)
        .api("STREAM.INFO.A", Value::Null)
        .api("CONSUMER.DELETE.A.nobody", Value::Null)
        .api("CONSUMER.DELETE.A.D", json!({"x": 1}))
        .api("CONSUMER.DELETE.A.D", Value::Null)
        .api("CONSUMER.DELETE.A.D", Value::Null)
        .api("CONSUMER.NAMES.A", Value::Null)
}

fn updates() -> Script {
    let second = 1_000_000_000_u64;
    let base = json!({"durable_name": "C", "ack_policy": "explicit", "filter_subject": "a.1"});
    let push = json!({"durable_name": "P", "deliver_subject": "d", "ack_policy": "explicit"});
    let mut script = filled("consumer_config/updates").consumer(&base).consumer(&push);
    let changes = [
        json!({}),
        json!({"description": "new"}),
        json!({"ack_wait": 5 * second}),
        json!({"max_deliver": 4}),
        json!({"max_ack_pending": 9}),
        json!({"filter_subject": "a.2"}),
        json!({"filter_subject": "", "filter_subjects": ["a.0", "a.1"]}),
        json!({"backoff": [second], "max_deliver": 4}),
        json!({"headers_only": true}),
        json!({"inactive_threshold": 60 * second}),
        json!({"metadata": {"k": "v"}}),
        json!({"sample_freq": "50"}),
        json!({"max_batch": 5}),
        json!({"deliver_policy": "new"}),
        json!({"ack_policy": "all"}),
        json!({"replay_policy": "original"}),
        json!({"max_waiting": 7}),
        json!({"mem_storage": true}),
        json!({"deliver_policy": "by_start_sequence", "opt_start_seq": 3}),
        json!({"deliver_subject": "e"}),
        json!({"deliver_subject": "", "description": "pull"}),
        json!({"idle_heartbeat": second}),
        json!({"rate_limit_bps": 5000}),
        json!({"deliver_group": "g"}),
        json!({"pause_until": "2099-01-01T00:00:00Z"}),
    ];
    for base in [&base, &push] {
        for change in &changes {
            let mut config = base.clone();
            for (name, value) in change.as_object().unwrap() {
                config[name] = value.clone();
            }
            let name = base["durable_name"].as_str().unwrap();
            let subject = format!("CONSUMER.CREATE.A.{name}");
            for action in ["create", "update", ""] {
                let request = json!({"stream_name": "A", "config": config, "action": action});
                script = script.api(&subject, request);
            }
        }
    }
    script
        .api("CONSUMER.CREATE.A.N", json!({"stream_name": "A", "config": {}, "action": "update"}))
        .api("CONSUMER.CREATE.A.N", json!({"stream_name": "A", "config": {}, "action": "create"}))
        .api("CONSUMER.CREATE.A.N", json!({"stream_name": "A", "config": {}, "action": "create"}))
        .api("CONSUMER.CREATE.A.N", json!({"stream_name": "A", "config": {}, "action": "x"}))
        .restart()
        .api("CONSUMER.INFO.A.C", Value::Null)
        .api("CONSUMER.INFO.A.P", Value::Null)
}

fn limits() -> Script {
    Script::new("consumer_config/limits")
        .create(json!({"name": "A", "subjects": ["a"], "storage": "memory", "max_consumers": 2,
            "consumer_limits": {"max_ack_pending": 5, "inactive_threshold": 60_000_000_000_u64}}))
        .consumer(&json!({"name": "C", "ack_policy": "explicit"}))
        .consumer(&json!({"name": "D", "ack_policy": "explicit", "max_ack_pending": 6}))
        .consumer(&json!({"name": "D", "inactive_threshold": 61_000_000_000_u64}))
        .consumer(&json!({"name": "D", "ack_policy": "explicit", "max_ack_pending": 4,
            "inactive_threshold": 30_000_000_000_u64}))
        .consumer(&json!({"name": "E"}))
        .consumer(&json!({"name": "D", "ack_policy": "explicit", "max_ack_pending": 4,
            "inactive_threshold": 30_000_000_000_u64, "description": "another"}))
        // One of them alone is against the next two: nats-server names several in any order.
        .update(json!({"name": "A", "subjects": ["a"], "storage": "memory",
            "consumer_limits": {"max_ack_pending": 4}}))
        .update(json!({"name": "A", "subjects": ["a"], "storage": "memory",
            "consumer_limits": {"inactive_threshold": 40_000_000_000_u64}}))
        .update(json!({"name": "A", "subjects": ["a"], "storage": "memory",
            "consumer_limits": {"inactive_threshold": 90_000_000_000_u64}}))
        .api("INFO", Value::Null)
}

/// Consumers of a work queue.
fn queue() -> Script {
    let with = |name: &str, filter: &str| {
        json!({"name": name, "ack_policy": "explicit", "filter_subject": filter,
            "inactive_threshold": 60_000_000_000_u64})
    };
    Script::new("consumer_config/queue")
        .create(json!({"name": "A", "subjects": ["a.>"], "retention": "workqueue"}))
        .consumer(&json!({"name": "N", "ack_policy": "none"}))
        .consumer(&json!({"name": "N", "ack_policy": "none", "deliver_subject": "d"}))
        .consumer(&json!({"name": "N", "ack_policy": "all"}))
        .consumer(&json!({"name": "N", "ack_policy": "explicit", "deliver_policy": "new"}))
        .consumer(&json!({"name": "N", "ack_policy": "explicit", "num_replicas": 1}))
        .api("CONSUMER.DELETE.A.N", Value::Null)
        .consumer(&with("F", "a.1"))
        .consumer(&with("G", "a.2"))
        .consumer(&with("H", "a.*"))
        .consumer(&with("H", ">"))
        .consumer(&with("H", ""))
        .consumer(&with("G", "a.1"))
        .consumer(&with("G", "a.3"))
        .consumer(&with("H", "a.2"))
}

#[test]
fn consumer_config() {
    check(vec![verdicts(), pedantic(), subjects(), updates(), limits(), queue()]);
}
