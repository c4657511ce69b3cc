//! Sources: what streams hold that take from others, after everything that can happen to them and to their origins.
//! Not here: which configurations are taken (`origin_verdicts`).

use crate::run::check;
use crate::script::Script;
use serde_json::{Value, json};
use std::time::Duration;

const SECOND: i64 = 1_000_000_000;

/// Origins `A` on `a.>` and `B` on `b.>`, in files.
fn origins(name: &'static str) -> Script {
    Script::new(name)
        .with_loose_times()
        .create(json!({"name": "A", "subjects": ["a.>"]}))
        .create(json!({"name": "B", "subjects": ["b.>"]}))
}

fn publishes(mut script: Script, subjects: &[&str]) -> Script {
    for (at, subject) in subjects.iter().enumerate() {
        script = script.publish(subject, &format!("text {at}"));
    }
    script
}

/// Publishes one at a time, and waits until each has come to `S`, whose last sequence was `from`.
fn one_by_one(mut script: Script, from: u64, subjects: &[&str]) -> Script {
    for (subject, sequence) in subjects.iter().zip(from + 1..) {
        script = script.publish(subject, "text").until(
            "STREAM.INFO.S",
            Value::Null,
            "/state/last_seq",
            sequence.into(),
        );
    }
    script
}

fn sourcing(sources: Value, more: Value) -> Value {
    let mut config = more;
    config["name"] = "S".into();
    config["sources"] = sources;
    config
}

fn plain(name: &'static str, storage: &str) -> Script {
    let script = origins(name)
        .publish_with("a.1", &[("K", "v"), ("Nats-Msg-Id", "i1")], "one")
        .publish_with("a.2", &[("Nats-Expected-Last-Sequence", "1")], "two")
        .create(sourcing(
            json!([{"name": "A"}, {"name": "B"}]),
            json!({"subjects": ["own"], "storage": storage}),
        ))
        .reaches("S", 2)
        .contacts("S")
        .info("S");
    let script = one_by_one(script, 2, &["b.1", "own", "a.3", "b.2", "own"])
        .info("S")
        .show("S", 1..=7)
        .api("STREAM.MSG.DELETE.A", json!({"seq": 1}))
        .api("STREAM.PURGE.B", Value::Null)
        .info("S")
        .api("STREAM.MSG.DELETE.S", json!({"seq": 4}))
        .api("STREAM.PURGE.S", json!({"seq": 3}))
        .info("S");
    one_by_one(script, 7, &["b.3", "a.4"])
        .info("S")
        .show("S", [8, 9])
        .api("STREAM.PURGE.S", Value::Null)
        .publish("a.5", "after a purge")
        .reaches("S", 10)
        .show("S", [10])
        .api("STREAM.LIST", Value::Null)
        .create(json!({"name": "AGAIN", "sources": [{"name": "A"}], "storage": storage}))
        .reaches("AGAIN", 4)
        .show("AGAIN", 1..=4)
        .delete("S")
        .api("STREAM.LIST", Value::Null)
}

fn options() -> Script {
    let pair = |src: &str, dest: &str| json!({"src": src, "dest": dest});
    let past = "2020-01-01T00:00:00Z";
    let subjects = ["a.1", "a.2", "a.3.x", "a.1", "a.2", "a.4"];
    let mut script = publishes(origins("sources/options"), &subjects);
    for (source, messages) in [
        (json!({"opt_start_seq": 3}), 4),
        (json!({"opt_start_seq": 3, "opt_start_time": past}), 4),
        (json!({"opt_start_time": past}), 6),
        (json!({"filter_subject": "a.1"}), 2),
        (json!({"filter_subject": "a.*"}), 5),
        (json!({"filter_subject": "a.2", "opt_start_seq": 3}), 1),
        (json!({"subject_transforms": [pair("a.1", "b1.x")]}), 2),
        (json!({"subject_transforms": [pair("a.1", "")]}), 2),
        (json!({"subject_transforms": [pair("a.1", "x.1"), pair("a.2", ""), pair("a.4", "y")]}), 5),
        (json!({"subject_transforms": [pair("a.*.*", "c.$2.{{wildcard(1)}}")]}), 1),
        (json!({"subject_transforms": [pair(">", "all.>")]}), 6),
        (json!({"subject_transforms": [pair("a.*", "p.{{partition(5,1)}}")]}), 5),
    ] {
        let mut source = source;
        source["name"] = "A".into();
        script = script
            .create(sourcing(json!([source]), json!({"storage": "memory"})))
            .reaches("S", messages)
            .show("S", 1..=messages)
            .delete("S");
    }
    script = script
        .create(sourcing(
            json!([{"name": "A"}]),
            json!({"storage": "memory", "subject_transform": {"src": "a.*", "dest": "t.$1"}}),
        ))
        .reaches("S", 6)
        .show("S", [1, 3])
        .delete("S");
    for source in [
        json!({"name": "A", "opt_start_seq": 9}),
        json!({"name": "A", "opt_start_time": "2099-01-01T00:00:00Z"}),
        json!({"name": "A", "filter_subject": "zzz"}),
    ] {
        script = script
            .create(sourcing(json!([source]), json!({"storage": "memory"})))
            .contacts("S")
            .plain_info("S");
        script = publishes(script, &["a.7"]).delete("S");
    }
    script
}

fn twice() -> Script {
    let pair = |src: &str, dest: &str| json!([{"src": src, "dest": dest}]);
    let script = origins("sources/twice").create(sourcing(
        json!([{"name": "A", "filter_subject": "a.1"}, {"name": "A", "filter_subject": "a.2"},
            {"name": "A", "subject_transforms": pair("a.3", "x.3")}]),
        json!({}),
    ));
    let script = one_by_one(script.contacts("S"), 0, &["a.1", "a.2", "a.3", "a.2", "a.1"]);
    script
        .info("S")
        .show("S", 1..=5)
        .restart()
        .publish("a.3", "after a restart")
        .reaches("S", 6)
        .contacts("S")
        .info("S")
}

fn deduplicated() -> Script {
    let id = |id: &'static str| [("Nats-Msg-Id", id)];
    origins("sources/deduplicated")
        .create(sourcing(
            json!([{"name": "A"}, {"name": "B"}]),
            json!({"duplicate_window": 100 * SECOND, "subjects": ["own"]}),
        ))
        .contacts("S")
        .publish_with("a.1", &id("x"), "one")
        .reaches("S", 1)
        .publish_with("b.1", &id("x"), "known by then")
        .publish_with("own", &id("x"), "known by then")
        .publish_with("b.1", &id("y"), "two")
        .reaches("S", 2)
        .publish_with("own", &id("y"), "known by then")
        .publish_with("own", &id("z"), "three")
        .publish_with("a.1", &id("z"), "known by then")
        .publish("a.1", "four")
        .reaches("S", 4)
        .info("S")
        .show("S", 1..=4)
        .restart()
        .publish_with("b.1", &id("z"), "known by then")
        .publish("b.1", "five")
        .reaches("S", 5)
        .contacts("S")
        .info("S")
}

fn changed() -> Script {
    let with = |sources: Value| sourcing(sources, json!({"subjects": ["own"]}));
    let script = publishes(origins("sources/changed"), &["a.1", "a.2", "b.1", "b.2"]);
    let script = script
        .create(with(json!([{"name": "A"}])))
        .reaches("S", 2)
        .update(with(json!([{"name": "A"}, {"name": "B"}])))
        .reaches("S", 4)
        .contacts("S")
        .update(with(json!([{"name": "B"}])))
        .info("S");
    let script = publishes(script, &["a.3", "b.3"])
        .reaches("S", 5)
        .update(with(json!([{"name": "B"}, {"name": "A"}])))
        .reaches("S", 6)
        .contacts("S")
        .info("S")
        .show("S", [5, 6])
        .update(with(json!([{"name": "B"}, {"name": "A", "filter_subject": "a.1"}])))
        .reaches("S", 7)
        .show("S", [7])
        .update(with(json!([])))
        .info("S");
    publishes(script, &["a.1", "b.1", "own"])
        .info("S")
        .restart()
        .info("S")
        .update(with(json!([{"name": "B"}])))
        .reaches("S", 9)
        .show("S", [8, 9])
}

fn added_late() -> Script {
    let script = publishes(origins("sources/added_late"), &["a.1", "a.2"])
        .create(json!({"name": "S", "subjects": ["own"], "max_msgs": 2}));
    let script = publishes(script, &["own"; 4])
        .update(sourcing(json!([{"name": "A"}]), json!({"subjects": ["own"], "max_msgs": 2})))
        .contacts("S")
        .info("S")
        .publish("a.3", "new")
        .reaches("S", 5)
        .show("S", [5])
        .create(json!({"name": "T", "subjects": ["other"]}))
        .publish("other", "first")
        .update(json!({"name": "T", "subjects": ["other"], "sources": [{"name": "A"}]}))
        .reaches("T", 4)
        .show("T", 1..=4);
    script.info("S")
}

fn chained() -> Script {
    let script = publishes(origins("sources/chained"), &["a.1", "a.2"])
        .create(sourcing(json!([{"name": "A"}]), json!({})))
        .reaches("S", 2)
        .create(json!({"name": "M", "mirror": {"name": "S"}}))
        .reaches("M", 2)
        .create(json!({"name": "T", "sources": [{"name": "M"}]}))
        .reaches("T", 2)
        .create(json!({"name": "U", "sources": [{"name": "T", "filter_subject": "a.2"}],
            "storage": "memory"}))
        .reaches("U", 1);
    publishes(script, &["a.2", "a.1", "a.2"])
        .reaches("U", 3)
        .reaches("T", 5)
        .show("S", 1..=2)
        .show("M", 1..=2)
        .show("T", 1..=5)
        .show("U", 1..=3)
}

fn cyclic() -> Script {
    let script = Script::new("sources/cyclic")
        .create(json!({"name": "X", "subjects": ["x"], "sources": [{"name": "Y",
            "subject_transforms": [{"src": "y", "dest": "from.y"}]}]}))
        .create(json!({"name": "Y", "subjects": ["y"], "sources": [{"name": "X",
            "filter_subject": "nothing"}]}))
        .create(json!({"name": "Y", "subjects": ["y"], "sources": [{"name": "X",
            "subject_transforms": [{"src": "x", "dest": "from.x"}]}]}));
    script.api("STREAM.NAMES", Value::Null)
}

fn special_messages() -> Script {
    let roll = |value: &'static str| [("Nats-Rollup", value)];
    let script = Script::new("sources/special")
        .with_loose_times()
        .create(json!({"name": "A", "subjects": ["a.>"], "allow_rollup_hdrs": true}))
        .create(sourcing(
            json!([{"name": "A"}]),
            json!({"allow_rollup_hdrs": true, "subjects": ["own"]}),
        ))
        .create(json!({"name": "T", "sources": [{"name": "A"}]}))
        .contacts("S")
        .contacts("T");
    publishes(script, &["a.1", "a.2", "a.1"])
        .reaches("S", 3)
        .reaches("T", 3)
        .publish("own", "text")
        .publish_with("a.1", &roll("sub"), "rolled up")
        .reaches("S", 5)
        .reaches("T", 4)
        .publish_with("a.1", &roll("all"), "rolled up")
        .reaches("S", 6)
        .reaches("T", 5)
        .show("T", [4, 5])
        .listen("out.>")
        .update(json!({"name": "T", "sources": [{"name": "A"}],
            "republish": {"src": ">", "dest": "out.>"}}))
        .publish("a.9", "again")
        .hear(1)
        .reaches("T", 6)
        .info("T")
}

fn from_a_workqueue() -> Script {
    let script = Script::new("sources/workqueue")
        .with_loose_times()
        .create(json!({"name": "A", "subjects": ["a.>"], "retention": "workqueue"}));
    publishes(script, &["a.1", "a.2", "a.1"])
        .create(sourcing(json!([{"name": "A"}]), json!({})))
        .reaches("S", 3)
        .publish("a.3", "later")
        .reaches("S", 4)
        .until_within("STREAM.INFO.A", "/state/messages", json!(0), Duration::from_secs(5))
}

fn limits() -> Script {
    let subjects = ["a.1", "a.2", "a.1", "a.3", "a.1", "a.2", "a.4", "a.1"];
    let mut script = publishes(origins("sources/limits"), &subjects);
    for (at, limits) in [
        json!({"max_msgs": 3}),
        json!({"max_bytes": 250}),
        json!({"max_msgs_per_subject": 1}),
        json!({"storage": "memory", "max_bytes": 250}),
        json!({"first_seq": 50}),
    ]
    .into_iter()
    .enumerate()
    {
        let last = if limits.get("first_seq").is_some() { 57 } else { 8 };
        let name = format!("S{at}");
        let mut config = sourcing(json!([{"name": "A"}]), limits);
        config["name"] = name.as_str().into();
        script = script.create(config).reaches(&name, last).show(&name, [last]);
    }
    script
        .create(sourcing(json!([{"name": "A"}]), json!({"max_age": SECOND})))
        .until("STREAM.INFO.S", Value::Null, "/state/last_seq", json!(8))
        .until("STREAM.INFO.S", Value::Null, "/state/messages", json!(0))
        .info("S")
        .restart()
        .publish("a.1", "nine")
        .until("STREAM.INFO.S", Value::Null, "/state/last_seq", json!(9))
}

fn refused() -> Script {
    let full =
        |limit: i64| sourcing(json!([{"name": "A"}]), json!({"max_msgs": limit, "discard": "new"}));
    publishes(origins("sources/refused"), &["a.1", "a.2", "a.3", "a.4", "a.5"])
        .create(full(3))
        .until("STREAM.INFO.S", Value::Null, "/state/last_seq", json!(3))
        .plain_info("S")
        .update(full(10))
        .only_error()
        .until("STREAM.INFO.S", Value::Null, "/state/last_seq", json!(5))
        .show("S", 1..=5)
}

fn too_large() -> Script {
    let small = |limit: i64| sourcing(json!([{"name": "A"}]), json!({"max_msg_size": limit}));
    let script = publishes(origins("sources/too_large"), &["a.1"])
        .publish("a.2", &"x".repeat(400))
        .publish("a.3", "three")
        .create(small(200))
        .until("STREAM.INFO.S", Value::Null, "/state/last_seq", json!(1))
        .plain_info("S")
        .update(small(1_000))
        .only_error()
        .until("STREAM.INFO.S", Value::Null, "/state/last_seq", json!(3));
    script.show("S", 1..=3)
}

fn missing() -> Script {
    let script = Script::new("sources/missing")
        .with_loose_times()
        .create(json!({"name": "B", "subjects": ["b.>"]}))
        .publish("b.1", "one")
        .create(sourcing(json!([{"name": "A"}, {"name": "B"}]), json!({})))
        .until("STREAM.INFO.S", Value::Null, "/state/last_seq", json!(1))
        .create(json!({"name": "A", "subjects": ["a.>"]}));
    publishes(script, &["a.1", "a.2"]).reaches("S", 3).contacts("S").info("S").show("S", 1..=3)
}

fn recreated() -> Script {
    let script = publishes(origins("sources/recreated"), &["a.old"; 3])
        .create(sourcing(json!([{"name": "A"}]), json!({})))
        .reaches("S", 3)
        .delete("A")
        .until("STREAM.INFO.S", Value::Null, "/sources/0/error/err_code", json!(10059))
        .create(json!({"name": "A", "subjects": ["a.>"]}));
    publishes(script, &["a.new"; 2]).reaches("S", 5).show("S", [3, 4, 5])
}

fn restarted(name: &'static str, is_killed: bool) -> Script {
    let end = |script: Script| if is_killed { script.kill() } else { script.restart() };
    let script = origins(name)
        .create(sourcing(json!([{"name": "A"}, {"name": "B"}]), json!({"subjects": ["own"]})))
        .contacts("S")
        .fill("a.1", 300)
        .fill("b.1", 300)
        .reaches("S", 600);
    let script = end(script).fill("a.1", 2_000);
    let script = end(script).fill("b.1", 50).reaches("S", 2_650).contacts("S").info("S");
    let script = end(script).contacts("S").info("S").publish("own", "last");
    let script = end(script.api("STREAM.PURGE.S", Value::Null)).contacts("S").info("S");
    script.publish("a.1", "after the purge").reaches("S", 2_652).show("S", [2_652])
}

#[test]
fn sources() {
    check(vec![
        plain("sources/plain", "file"),
        plain("sources/plain_memory", "memory"),
        options(),
        twice(),
        deduplicated(),
        changed(),
        added_late(),
        chained(),
        cyclic(),
        special_messages(),
        limits(),
    ]);
}

#[test]
fn sources_that_wait() {
    check(vec![
        from_a_workqueue(),
        refused(),
        too_large(),
        missing(),
        recreated(),
        restarted("sources/restarted", false),
        restarted("sources/killed", true),
    ]);
}
