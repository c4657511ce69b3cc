//! What consumers deliver, to those who ask and to those who listen, and what acknowledgements do.
//! Not here: configurations (`consumer_config`).

use crate::run::check;
use crate::script::Script;
use serde_json::{Value, json};

const SECOND: u64 = 1_000_000_000;

/// A stream with messages `a.1`, `a.2`, `a.0`, `a.1`, ... and a listener on `d`.
fn filled(name: &'static str, count: u64) -> Script {
    filled_with(name, count, "file")
}

fn filled_with(name: &'static str, count: u64, storage: &str) -> Script {
    let mut script = Script::new(name).with_loose_times().listen("d").create(
        json!({"name": "A", "subjects": ["a.>"], "storage": storage, "allow_direct": true}),
    );
    for number in 1..=count {
        script = script.publish(&format!("a.{}", number % 3), &format!("text {number}"));
    }
    script
}

fn explicit(fields: Value) -> Value {
    with(json!({"durable_name": "C", "name": "C", "ack_policy": "explicit"}), fields)
}

fn with(mut config: Value, fields: Value) -> Value {
    for (name, value) in fields.as_object().unwrap() {
        config[name] = value.clone();
    }
    config
}

trait Consume {
    /// Shows the consumer.
    fn shown(self) -> Self;
}

impl Consume for Script {
    fn shown(self) -> Self {
        self.api("CONSUMER.INFO.A.C", Value::Null)
    }
}

/// Requests of every kind to a consumer with ten messages, then to one with none.
fn requests() -> Script {
    let mut script = filled("consumers/requests", 10).consumer(&explicit(json!({})));
    for (body, count) in [
        ("", 1),
        ("2", 2),
        ("junk", 1),
        ("{\"batch\":2,\"no_wait\":true}", 2),
        ("{\"batch\":1,\"max_bytes\":10}", 1),
        ("{\"batch\":9,\"max_bytes\":150,\"expires\":3000000000}", 3),
        ("{\"batch\":9,\"expires\":500000000}", 4),
        ("{\"batch\":1,\"no_wait\":true}", 1),
        ("{\"batch\":1,\"no_wait\":true,\"expires\":300000000}", 1),
        ("{\"batch\":1,\"expires\":300000000}", 1),
        ("{\"batch\":1,\"expires\":400000000,\"idle_heartbeat\":150000000}", 3),
        ("{\"batch\":1,\"expires\":100000000,\"idle_heartbeat\":90000000}", 1),
        ("{\"batch\":\"x\"}", 1),
        ("{\"group\":\"g\"}", 0),
        ("{\"batch\":1,\"priority\":11}", 1),
    ] {
        script = script.pull("C", body).hear(count);
    }
    script.shown().hush()
}

fn bounds() -> Script {
    let config = explicit(json!({"max_batch": 2, "max_expires": SECOND, "max_bytes": 100,
        "max_waiting": 2}));
    filled("consumers/bounds", 0)
        .consumer(&config)
        .pull("C", "{\"batch\":3}")
        .hear(1)
        .pull("C", "{\"batch\":1,\"expires\":2000000000}")
        .hear(1)
        .pull("C", "{\"batch\":1,\"max_bytes\":101,\"expires\":1000000000}")
        .hear(1)
        .pull("C", "{\"batch\":1,\"expires\":1000000000}")
        .pull("C", "{\"batch\":1,\"expires\":1000000000}")
        .pull("C", "{\"batch\":1,\"expires\":1000000000}")
        .hear(1)
        .pull("C", "{\"batch\":1,\"expires\":1000000000,\"idle_heartbeat\":400000000}")
        .hear(2)
        .hush()
}

fn answers(name: &'static str, storage: &str) -> Script {
    filled_with(name, 12, storage)
        .listen("$JS.EVENT.ADVISORY.CONSUMER.MSG_NAKED.>")
        .listen("$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>")
        .consumer(&explicit(json!({"ack_wait": 30 * SECOND})))
        .pull("C", "6")
        .hear(6)
        .shown()
        .confirmed(1, "+ACK")
        .shown()
        .confirmed(0, "")
        .shown()
        .confirmed(0, "+ACK")
        .confirmed(2, "+OK")
        .confirmed(3, "+WPI")
        .confirmed(4, "junk")
        .confirmed(4, "-NAK")
        .hear(1)
        .pull("C", "1")
        .hear(1)
        .shown()
        .answer(3, "-NAK {\"delay\": 300000000}")
        .hear(1)
        .pull("C", "2")
        .hear(2)
        .shown()
        .confirmed(5, "+TERM no use")
        .hear(1)
        .answer(6, "+NXT")
        .shown()
        .confirmed(6, "+NXT 2")
        .shown()
        .unanswered("$JS.ACK.A.C.1.99.99.1.0", &[], "+ACK")
        .unanswered("$JS.ACK.A.C.1.x.99.1.0", &[], "+ACK")
        .shown()
        .kill()
}

fn redelivery() -> Script {
    let config = explicit(json!({"ack_wait": 400_000_000, "max_deliver": 3}));
    filled("consumers/redelivery", 3)
        .listen("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>")
        .consumer(&config)
        .pull("C", "{\"batch\":3}")
        .hear(3)
        .pull("C", "{\"batch\":3}")
        .hear(3)
        .answer(4, "+ACK")
        .pull("C", "{\"batch\":2}")
        .hear(2)
        .hear(2)
        .pull("C", "{\"batch\":1,\"no_wait\":true}")
        .hear(1)
        .shown()
}

fn backoff() -> Script {
    let config = explicit(json!({"backoff": [200_000_000, 500_000_000], "max_deliver": 4}));
    filled("consumers/backoff", 1)
        .consumer(&config)
        .pull("C", "{\"batch\":4,\"expires\":9000000000}")
        .hear(4)
        .shown()
}

fn all(name: &'static str) -> Script {
    filled(name, 8)
        .consumer(&explicit(json!({"ack_policy": "all"})))
        .pull("C", "5")
        .hear(5)
        .confirmed(2, "+ACK")
        .shown()
        .confirmed(1, "+ACK")
        .shown()
        .answer(3, "-NAK")
        .pull("C", "2")
        .hear(2)
        .confirmed(4, "+ACK")
        .shown()
}

fn none() -> Script {
    filled("consumers/none", 4)
        .consumer(&explicit(json!({"ack_policy": "none"})))
        .pull("C", "3")
        .hear(3)
        .shown()
        .unanswered("$JS.ACK.A.C.1.1.1.1.0", &[], "+ACK")
        .shown()
}

fn full() -> Script {
    filled("consumers/full", 6)
        .consumer(&explicit(json!({"max_ack_pending": 2})))
        .pull("C", "5")
        .hear(2)
        .hush()
        .shown()
        .answer(0, "+ACK")
        .hear(1)
        .answer(1, "-NAK")
        .hear(1)
        .hush()
        .pull("C", "{\"batch\":1,\"no_wait\":true}")
        .hear(1)
        .shown()
}

/// Where consumers begin, by policy and filter.
fn starts() -> Script {
    let mut script = filled("consumers/starts", 9)
        .api("STREAM.MSG.DELETE.A", json!({"seq": 4}))
        .api("STREAM.MSG.DELETE.A", json!({"seq": 1}));
    let mut number = 0;
    for policy in [
        json!({"deliver_policy": "all"}),
        json!({"deliver_policy": "last"}),
        json!({"deliver_policy": "new"}),
        json!({"deliver_policy": "by_start_sequence", "opt_start_seq": 4}),
        json!({"deliver_policy": "by_start_sequence", "opt_start_seq": 12}),
        json!({"deliver_policy": "by_start_time", "opt_start_time": "2020-01-01T00:00:00Z"}),
        json!({"deliver_policy": "by_start_time", "opt_start_time": "2099-01-01T00:00:00Z"}),
        json!({"deliver_policy": "last_per_subject"}),
    ] {
        for filter in [
            json!({}),
            json!({"filter_subject": "a.1"}),
            json!({"filter_subject": "a.*"}),
            json!({"filter_subjects": ["a.1", "a.2"]}),
            json!({"filter_subject": "b"}),
        ] {
            let name = format!("C{number}");
            let config = json!({"name": name, "ack_policy": "none",
                "inactive_threshold": 60 * SECOND});
            let config = with(with(config, policy.clone()), filter.clone());
            let info = format!("CONSUMER.INFO.A.{name}");
            let once = "{\"batch\":4,\"no_wait\":true}";
            script = script.consumer(&config).pull(&name, once).drain();
            number += 1;
            script = script.api(&info, Value::Null);
        }
    }
    script
}

fn push() -> Script {
    let config = explicit(json!({"deliver_subject": "d", "max_ack_pending": 3}));
    filled("consumers/push", 5)
        .consumer(&config)
        .hear(3)
        .hush()
        .shown()
        .pull("C", "1")
        .hear(1)
        .answer(0, "+ACK")
        .hear(1)
        .answer(1, "-NAK")
        .hear(1)
        .shown()
        .publish("a.1", "new")
        // nats-server counts it some time after it was acknowledged.
        .until("CONSUMER.INFO.A.C", Value::Null, "/num_pending", json!(2))
        .answer(2, "+ACK")
        .hear(1)
        .api("CONSUMER.DELETE.A.C", Value::Null)
        .publish("a.1", "newer")
        .hush()
}

fn ordered() -> Script {
    let config = json!({"name": "C", "deliver_subject": "d", "ack_policy": "none",
        "flow_control": true, "idle_heartbeat": 500_000_000, "max_deliver": 1, "mem_storage": true,
        "ack_wait": 22 * 3600 * SECOND, "num_replicas": 1, "filter_subject": "a.1"});
    filled("consumers/ordered", 7).consumer(&config).hear(3).hear(1).publish("a.2", "other").hear(1)
}

fn flow() -> Script {
    let config = json!({"name": "C", "deliver_subject": "d", "ack_policy": "none",
        "flow_control": true, "idle_heartbeat": 5 * SECOND});
    let large = "x".repeat(600_000);
    Script::new("consumers/flow")
        .with_loose_times()
        .create(json!({"name": "A", "subjects": ["a.>"]}))
        .publish("a.1", &large)
        .publish("a.1", &large)
        .publish("a.1", &large)
        .publish("a.1", &large)
        .listen("d")
        .consumer(&config)
        .hear(4)
        .hush()
        .answer(2, "")
        .hear(2)
        .api("CONSUMER.INFO.A.C", Value::Null)
}

fn headers_only() -> Script {
    filled("consumers/headers_only", 1)
        .publish_with("a.1", &[("K", "v")], "text")
        .consumer(&explicit(json!({"headers_only": true})))
        .pull("C", "2")
        .hear(2)
}

fn removed() -> Script {
    filled("consumers/removed", 8)
        .listen("$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>")
        .consumer(&explicit(json!({})))
        .pull("C", "4")
        .hear(4)
        .api("STREAM.MSG.DELETE.A", json!({"seq": 2}))
        .hear(1)
        .api("STREAM.MSG.DELETE.A", json!({"seq": 6}))
        .shown()
        .pull("C", "2")
        .hear(2)
        .api("STREAM.PURGE.A", json!({"filter": "a.1"}))
        .pull("C", "{\"batch\":1,\"no_wait\":true}")
        .hear(1)
        .api("STREAM.PURGE.A", Value::Null)
        .pull("C", "{\"batch\":1,\"no_wait\":true}")
        .hear(1)
        .publish("a.1", "new")
        .pull("C", "1")
        .hear(1)
}

fn paused() -> Script {
    filled("consumers/paused", 3)
        .listen("$JS.EVENT.ADVISORY.CONSUMER.PAUSE.>")
        .consumer(&explicit(json!({})))
        // nats-server looks whether a new consumer is paused after it has answered: a pause that
        // comes at once is announced twice.
        .hush()
        .api("CONSUMER.PAUSE.A.C", json!({"pause_until": "2099-01-01T00:00:00Z"}))
        .hear(1)
        .shown()
        .pull("C", "2")
        .hush()
        .api("CONSUMER.PAUSE.A.C", Value::Null)
        .pull("C", "1")
        .hear(4)
        .shown()
        .api("CONSUMER.PAUSE.A.X", Value::Null)
}

fn resets() -> Script {
    filled("consumers/resets", 6)
        .consumer(&explicit(json!({})))
        .pull("C", "4")
        .hear(4)
        .answer(0, "+ACK")
        .answer(1, "+ACK")
        .shown()
        .api("CONSUMER.RESET.A.C", Value::Null)
        .pull("C", "1")
        .hear(1)
        .api("CONSUMER.RESET.A.C", json!({"seq": 5}))
        .pull("C", "1")
        .hear(1)
        .api("CONSUMER.RESET.A.C", json!({"seq": 1}))
        .shown()
        .consumer(&json!({"name": "N", "deliver_policy": "new"}))
        .api("CONSUMER.RESET.A.N", json!({"seq": 1}))
}

fn groups() -> Script {
    let group =
        |policy: &str| explicit(json!({"priority_policy": policy, "priority_groups": ["g"]}));
    filled("consumers/groups", 6)
        .listen("$JS.EVENT.ADVISORY.CONSUMER.UNPINNED.>")
        .consumer(&group("overflow"))
        .pull("C", "1")
        .hear(1)
        .pull("C", "{\"batch\":1}")
        .hear(1)
        .pull("C", "{\"batch\":1,\"group\":\"x\"}")
        .hear(1)
        .pull("C", "{\"batch\":1,\"group\":\"g\",\"min_pending\":9,\"expires\":300000000}")
        .hear(1)
        .pull("C", "{\"batch\":1,\"group\":\"g\",\"min_pending\":3}")
        .hear(1)
        .pull("C", "{\"batch\":1,\"group\":\"g\",\"id\":\"x\"}")
        .hear(1)
        .api("CONSUMER.UNPIN.A.C", json!({"group": "x"}))
        .api("CONSUMER.UNPIN.A.C", json!({"group": ""}))
        .api("CONSUMER.UNPIN.A.C", json!({"group": "g"}))
        .hear(1)
}

fn deleted() -> Script {
    filled("consumers/deleted", 0)
        .listen("$JS.EVENT.ADVISORY.CONSUMER.CREATED.>")
        .listen("$JS.EVENT.ADVISORY.CONSUMER.DELETED.>")
        .consumer(&explicit(json!({})))
        .hear(1)
        .pull("C", "{\"batch\":1,\"expires\":9000000000}")
        .api("CONSUMER.DELETE.A.C", Value::Null)
        .hear(2)
        .unanswered("$JS.API.CONSUMER.MSG.NEXT.A.C", &[("Nats-Required-Api-Level", "99")], "")
        .consumer(&json!({"name": "E", "inactive_threshold": 100_000_000}))
        .hear(1)
        .hear(1)
}

fn restarts(name: &'static str, is_killed: bool) -> Script {
    let config = explicit(json!({"ack_wait": 30 * SECOND}));
    let script = filled(name, 9)
        .consumer(&config)
        .pull("C", "5")
        .hear(5)
        .answer(4, "+ACK")
        .answer(2, "-NAK")
        .pull("C", "1")
        .hear(1)
        .confirmed(0, "+ACK")
        .shown();
    let script = if is_killed { script.kill() } else { script.restart() };
    script.listen("d").shown().pull("C", "2").hear(2).shown()
}

#[test]
fn consumers() {
    check(vec![
        requests(),
        bounds(),
        answers("consumers/answers", "file"),
        answers("consumers/answers_memory", "memory"),
        redelivery(),
        backoff(),
        all("consumers/all"),
        none(),
        full(),
        starts(),
        push(),
        ordered(),
        flow(),
        headers_only(),
        removed(),
        paused(),
        resets(),
        groups(),
        deleted(),
        restarts("consumers/restarted", false),
        restarts("consumers/killed", true),
    ]);
}
