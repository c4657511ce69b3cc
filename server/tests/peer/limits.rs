//! Limits and the state they leave: messages, bytes, per subject, age; before and after a restart.
//! Not here: refusing at a limit (`publish`), limits that change (`stream_update`).

use crate::run::check;
use crate::script::Script;
use serde_json::{Value, json};

fn counted(name: &'static str, storage: &str) -> Script {
    let mut script = Script::new(name);
    for (at, limits) in [
        json!({"max_msgs": 5}),
        json!({"max_bytes": 400}),
        json!({"max_msgs_per_subject": 1}),
        json!({"max_msgs_per_subject": 2, "max_msgs": 4}),
        json!({"max_msgs_per_subject": 2, "max_bytes": 300}),
        json!({"max_msgs": 1}),
        json!({"first_seq": 100, "max_msgs": 3}),
        json!({"max_bytes": 70}),
        json!({"max_bytes": 300, "max_msgs": 4, "max_msgs_per_subject": 2}),
        json!({"max_msgs_per_subject": 1, "allow_rollup_hdrs": true, "compression": "s2"}),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("A{at}");
        let mut config = json!({"name": name, "subjects": [format!("{name}.>")],
            "storage": storage});
        for (field, value) in limits.as_object().unwrap() {
            config[field] = value.clone();
        }
        script = script.create(config).plain_info(&name);
        for (number, subject) in ["x", "y", "x", "z", "x", "w", "y", "y", "v"].iter().enumerate() {
            let subject = format!("{name}.{subject}");
            script = match number % 3 {
                0 => script.publish_with(&subject, &[("Header", "value")], "some text"),
                1 => script.publish(&subject, ""),
                _ => script.publish(&subject, "a longer text than the others have"),
            };
            script = script.info(&name);
        }
    }
    script = script.restart_if(storage);
    for at in 0..10 {
        let name = format!("A{at}");
        script = script.info(&name).publish(&format!("{name}.x"), "after").info(&name);
    }
    script
}

fn states(name: &'static str, storage: &str) -> Script {
    let delete = |script: Script, sequence: u64| {
        script.api("STREAM.MSG.DELETE.A", json!({"seq": sequence})).info("A")
    };
    let mut script = Script::new(name)
        .create(json!({"name": "A", "subjects": ["a.>"], "storage": storage}))
        .plain_info("A");
    for number in 1..=8 {
        script = script.publish(&format!("a.{}", number % 2), "text");
    }
    for sequence in [3, 2, 1, 8, 6] {
        script = delete(script, sequence);
    }
    script = script.restart_if(storage).info("A");
    for sequence in [7, 4, 5] {
        script = delete(script, sequence);
    }
    script = script.restart_if(storage).info("A").publish("a.1", "nine").info("A");
    script = delete(script, 9).restart_if(storage).publish("a.1", "ten").info("A");
    script
        .api("STREAM.PURGE.A", Value::Null)
        .info("A")
        .restart_if(storage)
        .info("A")
        .publish("a.1", "eleven")
        .info("A")
}

fn aged(name: &'static str, storage: &str) -> Script {
    let second = 1_000_000_000_i64;
    let info = "STREAM.INFO.A";
    Script::new(name)
        .create(json!({"name": "A", "subjects": ["a"], "storage": storage, "max_age": second}))
        .publish("a", "one")
        .publish("a", "two")
        .until(info, Value::Null, "/state/messages", json!(0))
        .info("A")
        .publish("a", "three")
        .info("A")
        .until(info, Value::Null, "/state/messages", json!(0))
        .restart_if(storage)
        .info("A")
        .publish("a", "four")
        .restart_if(storage)
        .until(info, Value::Null, "/state/messages", json!(0))
        .info("A")
        .update(json!({"name": "A", "subjects": ["a"], "storage": storage}))
        .publish("a", "five")
        .publish("a", "six")
        .update(json!({"name": "A", "subjects": ["a"], "storage": storage,
            "max_age": 200_000_000}))
        .until(info, Value::Null, "/state/messages", json!(0))
        .info("A")
}

fn memory_is_forgotten() -> Script {
    Script::new("limits/memory")
        .create(json!({"name": "M", "subjects": ["m"], "storage": "memory"}))
        .create(json!({"name": "F", "subjects": ["f"], "storage": "file"}))
        .publish("m", "one")
        .publish("f", "one")
        .restart()
        .api("STREAM.NAMES", Value::Null)
        .info("M")
        .info("F")
        .kill()
        .api("STREAM.NAMES", Value::Null)
        .info("F")
}

fn many(name: &'static str, storage: &str) -> Script {
    Script::new(name)
        .create(json!({"name": "A", "subjects": ["a.>"], "storage": storage, "max_msgs": 2_000}))
        .fill("a.{}", 3_000)
        .api("STREAM.INFO.A", Value::Null)
        .api("STREAM.PURGE.A", json!({"seq": 1_500}))
        .api("STREAM.INFO.A", Value::Null)
        .api("STREAM.PURGE.A", json!({"filter": "a.2000"}))
        .api("STREAM.MSG.DELETE.A", json!({"seq": 2_500}))
        .api("STREAM.INFO.A", Value::Null)
        .restart_if(storage)
        .api("STREAM.INFO.A", json!({"deleted_details": true}))
        .fill("a.again", 100)
        .api("STREAM.INFO.A", Value::Null)
}

fn killed() -> Script {
    Script::new("limits/killed")
        .create(json!({"name": "A", "subjects": ["a.>"], "storage": "file"}))
        .fill("a.{}", 500)
        .api("STREAM.MSG.DELETE.A", json!({"seq": 100}))
        .api("STREAM.PURGE.A", json!({"seq": 50}))
        .kill()
        .api("STREAM.INFO.A", json!({"deleted_details": true}))
        .show("A", [49, 50, 99, 100, 500])
        .fill("a.{}", 10)
        .api("STREAM.INFO.A", Value::Null)
}

#[test]
fn limits() {
    check(vec![
        counted("limits/counted", "memory"),
        counted("limits/counted_file", "file"),
        states("limits/states", "memory"),
        states("limits/states_file", "file"),
        aged("limits/aged", "memory"),
        aged("limits/aged_file", "file"),
        memory_is_forgotten(),
        many("limits/many", "memory"),
        many("limits/many_file", "file"),
        killed(),
    ]);
}
