//! Streams whose messages stay only for their consumers: by interest, and as work queues.
//! Not here: what consumers deliver (`consumers`).

use crate::run::check;
use crate::script::Script;
use serde_json::{Value, json};

fn stream(name: &'static str, retention: &str, storage: &str) -> Script {
    Script::new(name).with_loose_times().listen("d").create(json!({"name": "A",
        "subjects": ["a.>"], "retention": retention, "storage": storage}))
}

fn consumer(name: &str, filter: &str) -> Value {
    json!({"durable_name": name, "name": name, "ack_policy": "explicit", "filter_subject": filter})
}

/// Waits until so many messages are left, and shows the stream.
fn left(script: Script, messages: u64) -> Script {
    script.until("STREAM.INFO.A", Value::Null, "/state/messages", messages.into()).info("A")
}

fn queue(name: &'static str, storage: &str) -> Script {
    let mut script = stream(name, "workqueue", storage)
        .consumer(&consumer("C", "a.1"))
        .consumer(&consumer("D", "a.2"));
    for number in 0..9 {
        script = script.publish(&format!("a.{}", number % 3), "text");
    }
    script = script
        .pull("C", "3")
        .hear(3)
        .pull("D", "1")
        .hear(1)
        .confirmed(1, "+ACK")
        .confirmed(3, "+TERM")
        .answer(0, "-NAK");
    script = left(script, 7).restart_if(storage);
    if storage == "file" {
        script = script.listen("d");
    }
    script = left(script, 7).pull("C", "{\"batch\":1,\"expires\":2000000000}");
    script
        .hear(1)
        .api("STREAM.MSG.DELETE.A", json!({"seq": 1}))
        .api("CONSUMER.DELETE.A.D", Value::Null)
        .info("A")
}

fn interest(name: &'static str, storage: &str) -> Script {
    let script = stream(name, "interest", storage).publish("a.1", "nobody");
    let script = left(script, 0)
        .consumer(&consumer("C", "a.1"))
        .consumer(&consumer("D", ""))
        .publish("a.1", "both")
        .publish("a.2", "one")
        .publish("a.1", "both again");
    let script = left(script, 3).pull("C", "2").hear(2).pull("D", "3").hear(3);
    let script = left(script.confirmed(0, "+ACK"), 3);
    let script = left(script.confirmed(2, "+ACK"), 2);
    let script = left(script.confirmed(3, "+ACK"), 1);
    let script = left(script.api("CONSUMER.DELETE.A.D", Value::Null), 1);
    let script = left(script.answer(1, "+ACK"), 0).publish("a.2", "nobody");
    let script = left(script, 0).publish("a.1", "one");
    left(script, 1).api("CONSUMER.DELETE.A.C", Value::Null).until(
        "STREAM.INFO.A",
        Value::Null,
        "/state/messages",
        json!(0),
    )
}

fn all() -> Script {
    let script = stream("retention/all", "interest", "memory")
        .consumer(&json!({"durable_name": "C", "name": "C", "ack_policy": "all"}))
        .consumer(&json!({"name": "N", "ack_policy": "none", "deliver_subject": "d"}))
        .publish("a.1", "1")
        .hear(1)
        .publish("a.1", "2")
        .hear(1)
        .publish("a.1", "3")
        .hear(1)
        .pull("C", "3")
        .hear(3);
    left(left(script, 3).answer(4, "+ACK"), 1)
}

fn given_up() -> Script {
    let config = json!({"durable_name": "C", "name": "C", "ack_policy": "explicit",
        "ack_wait": 200_000_000, "max_deliver": 2});
    let script = stream("retention/given_up", "workqueue", "file")
        .listen("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>")
        .consumer(&config)
        .publish("a.1", "1")
        .pull("C", "{\"batch\":3,\"expires\":9000000000}")
        .hear(3);
    left(script, 1)
}

fn changed() -> Script {
    let config = |retention: &str| json!({"name": "A", "subjects": ["a.>"], "retention": retention, "storage": "file"});
    let script = stream("retention/changed", "limits", "file")
        .publish("a.1", "1")
        .consumer(&consumer("C", "a.1"))
        .update(config("workqueue"))
        .update(config("interest"))
        .pull("C", "1")
        .hear(1)
        .answer(0, "+ACK");
    let script = left(script, 0).update(config("limits")).publish("a.2", "3");
    left(script, 1)
}

#[test]
fn retention() {
    check(vec![
        queue("retention/queue", "file"),
        queue("retention/queue_memory", "memory"),
        interest("retention/interest", "file"),
        interest("retention/interest_memory", "memory"),
        all(),
        given_up(),
        changed(),
    ]);
}
