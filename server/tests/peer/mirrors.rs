//! Mirrors: what they hold after everything that can happen to them and to their origins.
//! Not here: which configurations are taken (`origin_verdicts`).

use crate::run::check;
use crate::script::Script;
use serde_json::{Value, json};
use std::time::Duration;

const SECOND: i64 = 1_000_000_000;

/// An origin `A` on `a.>` in a file.
fn origin(name: &'static str) -> Script {
    Script::new(name).create(json!({"name": "A", "subjects": ["a.>"]}))
}

fn publishes(mut script: Script, subjects: &[&str]) -> Script {
    for (at, subject) in subjects.iter().enumerate() {
        script = script.publish(subject, &format!("text {at}"));
    }
    script
}

fn drop_at_origin(script: Script, sequence: u64) -> Script {
    script.api("STREAM.MSG.DELETE.A", json!({"seq": sequence}))
}

fn plain(name: &'static str, storage: &str) -> Script {
    let script = origin(name)
        .publish_with("a.1", &[("K", "v"), ("Nats-Msg-Id", "i1")], "one")
        .publish_with("a.2", &[("Nats-Expected-Last-Sequence", "1")], "two")
        .publish_with(
            "a.2",
            &[("Nats-Expected-Stream", "A"), ("Nats-Expected-Last-Subject-Sequence", "2")],
            "three",
        )
        .publish_with("a.2", &[("X", "y"), ("Nats-Expected-Last-Msg-Id", "")], "four")
        .publish("a.3", "five")
        .create(json!({"name": "M", "mirror": {"name": "A"}, "storage": storage}))
        .reaches("M", 5)
        .show("A", 1..=5)
        .show("M", 1..=5)
        .publish("M", "nobody listens")
        .publish("a.1", "six")
        .reaches("M", 6);
    let script = drop_at_origin(script, 2).info("M");
    script
        .api("STREAM.PURGE.A", Value::Null)
        .info("M")
        .publish("a.1", "seven")
        .reaches("M", 7)
        .show("M", [2, 7])
        .api("STREAM.MSG.DELETE.M", json!({"seq": 3}))
        .info("M")
        .api("STREAM.PURGE.M", json!({"keep": 3}))
        .info("M")
        .publish("a.1", "eight")
        .reaches("M", 8)
        .api("STREAM.PURGE.M", Value::Null)
        .info("M")
        .publish("a.1", "nine")
        .reaches("M", 9)
        .info("A")
        .api("STREAM.LIST", Value::Null)
}

fn gaps(name: &'static str, storage: &str) -> Script {
    let mut script = publishes(origin(name), &["a.1"; 12]);
    for sequence in [1, 2, 5, 6, 9, 12] {
        script = drop_at_origin(script, sequence);
    }
    script = script
        .create(json!({"name": "M", "mirror": {"name": "A"}, "storage": storage}))
        .reaches("M", 11)
        .info("A")
        .publish("a.1", "after the deleted end")
        .reaches("M", 13);
    script = publishes(script, &["a.1"; 3]).reaches("M", 16);
    for sequence in [14, 15, 16] {
        script = drop_at_origin(script, sequence);
    }
    script
        .info("M")
        .api("STREAM.PURGE.A", json!({"seq": 30}))
        .publish("a.1", "far")
        .info("A")
        .reaches("M", 30)
        .show("M", [10, 11, 12, 13, 29, 30])
}

fn starts() -> Script {
    let mut script = publishes(origin("mirrors/starts"), &["a.1"; 6]);
    let past = "2020-01-01T00:00:00Z";
    for (at, (start, last)) in [
        (json!({"opt_start_seq": 3}), 6),
        (json!({"opt_start_seq": 6}), 6),
        (json!({"opt_start_seq": 1}), 6),
        (json!({"opt_start_time": past}), 6),
        (json!({"opt_start_seq": 4, "opt_start_time": past}), 6),
        (json!({"opt_start_seq": 4, "opt_start_time": "2099-01-01T00:00:00Z"}), 6),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("M{at}");
        let mut mirror = start;
        mirror["name"] = "A".into();
        script = script.create(json!({"name": name, "mirror": mirror})).reaches(&name, last);
    }
    script = script
        .create(json!({"name": "L", "mirror": {"name": "A", "opt_start_seq": 9}}))
        .create(json!({"name": "T",
            "mirror": {"name": "A", "opt_start_time": "2099-01-01T00:00:00Z"}}))
        .reaches("T", 6);
    publishes(script, &["a.2"; 4])
        .reaches("M0", 10)
        .reaches("T", 10)
        .until("STREAM.INFO.L", Value::Null, "/state/last_seq", json!(10))
        .show("L", [8, 9, 10])
}

fn filters() -> Script {
    let pair = |src: &str, dest: &str| json!({"src": src, "dest": dest});
    let subjects = ["a.1", "a.2", "a.3.x", "a.1", "a.2", "a.4", "a.1", "a.3.y", "a.2", "a.4"];
    let mut script = publishes(origin("mirrors/filters"), &subjects);
    let mut names = Vec::new();
    for (at, (mirror, last)) in [
        (json!({"filter_subject": "a.1"}), 7),
        (json!({"filter_subject": "a.*"}), 10),
        (json!({"filter_subject": "a.3.>"}), 8),
        (json!({"filter_subject": "a.2", "opt_start_seq": 3}), 9),
        (json!({"subject_transforms": [pair("a.1", "b.1")]}), 7),
        (json!({"subject_transforms": [pair("a.1", "")]}), 7),
        (json!({"subject_transforms": [pair("a.1", "b.1"), pair("a.2", "")]}), 9),
        (json!({"subject_transforms": [pair("a.*.*", "c.{{wildcard(2)}}.$1")]}), 8),
        (json!({"subject_transforms": [pair(">", "all.>")]}), 10),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("M{at}");
        let mut mirror = mirror;
        mirror["name"] = "A".into();
        script = script
            .create(json!({"name": name, "mirror": mirror}))
            .reaches(&name, last)
            .show(&name, [last]);
        names.push(name);
    }
    script = script
        .create(json!({"name": "NO", "mirror": {"name": "A", "filter_subject": "zzz"}}))
        .contacts("NO")
        .plain_info("NO")
        .create(json!({"name": "T", "mirror": {"name": "A"},
            "subject_transform": {"src": "a.*", "dest": "t.$1"}}))
        .reaches("T", 10)
        .show("T", [1, 3]);
    script = drop_at_origin(script, 7);
    script = publishes(script, &["a.4", "a.1", "a.3.z", "a.2"]);
    for (name, last) in names.iter().zip([12, 14, 13, 14, 12, 12, 14, 13, 14]) {
        script = script.reaches(name, last);
    }
    script.plain_info("NO")
}

fn limits() -> Script {
    let subjects = ["a.1", "a.2", "a.1", "a.3", "a.1", "a.2", "a.4", "a.1"];
    let mut script = publishes(origin("mirrors/limits"), &subjects);
    for (at, limits) in [
        json!({"max_msgs": 3}),
        json!({"max_bytes": 150}),
        json!({"max_msgs_per_subject": 1}),
        json!({"max_msgs_per_subject": 1, "max_msgs": 2}),
        json!({"duplicate_window": SECOND}),
        json!({"deny_delete": true, "deny_purge": true}),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("M{at}");
        let mut config = limits;
        config["name"] = name.as_str().into();
        config["mirror"] = json!({"name": "A"});
        script = script.create(config).reaches(&name, 8);
    }
    script = publishes(script, &["a.1", "a.9"]);
    for at in 0..6 {
        script = script.reaches(&format!("M{at}"), 10);
    }
    script
}

fn aged() -> Script {
    let short = json!({"name": "S", "mirror": {"name": "A"}, "max_age": SECOND});
    let script = publishes(origin("mirrors/aged"), &["a.1", "a.2", "a.1"]);
    let script = script
        .create(short)
        .until("STREAM.INFO.S", Value::Null, "/state/last_seq", json!(3))
        .until("STREAM.INFO.S", Value::Null, "/state/messages", json!(0))
        .info("S")
        .create(json!({"name": "T", "mirror": {"name": "A"}, "max_age": SECOND}))
        .until("STREAM.INFO.T", Value::Null, "/state/last_seq", json!(3))
        .until("STREAM.INFO.T", Value::Null, "/state/messages", json!(0))
        .info("T");
    publishes(script, &["a.7"])
        .until("STREAM.INFO.S", Value::Null, "/state/last_seq", json!(4))
        .until("STREAM.INFO.T", Value::Null, "/state/last_seq", json!(4))
        .until("STREAM.INFO.S", Value::Null, "/state/messages", json!(0))
        .restart()
        .contacts("S")
        .info("S")
}

fn full() -> Script {
    let full = json!({"name": "M", "mirror": {"name": "A"}, "max_msgs": 3, "discard": "new"});
    publishes(origin("mirrors/full"), &["a.1"; 5])
        .create(full)
        .until("STREAM.INFO.M", Value::Null, "/state/last_seq", json!(3))
        .show("M", 1..=4)
}

fn missing() -> Script {
    Script::new("mirrors/missing")
        .create(json!({"name": "M", "mirror": {"name": "A"}}))
        .until("STREAM.INFO.M", Value::Null, "/mirror/error/err_code", json!(10059))
        .plain_info("M")
        .create(json!({"name": "A", "subjects": ["a.>"]}))
        .publish("a.1", "one")
        .publish("a.2", "two")
        .reaches("M", 2)
        .publish("a.2", "three")
        .reaches("M", 3)
        .show("M", 1..=3)
}

fn recreated() -> Script {
    let script = publishes(origin("mirrors/recreated"), &["a.old"; 5])
        .create(json!({"name": "M", "mirror": {"name": "A"}}))
        .reaches("M", 5)
        .delete("A")
        .until("STREAM.INFO.M", Value::Null, "/mirror/error/err_code", json!(10059))
        .create(json!({"name": "A", "subjects": ["a.>"]}));
    publishes(script, &["a.new"; 7])
        .until_within("STREAM.INFO.M", "/state/last_seq", json!(7), Duration::from_secs(30))
        .info("M")
        .show("M", [5, 6, 7])
}

fn promoted() -> Script {
    let script = publishes(origin("mirrors/promoted"), &["a.1", "a.2", "a.1"])
        .create(json!({"name": "M", "mirror": {"name": "A"}}))
        .reaches("M", 3)
        .update(json!({"name": "M", "subjects": ["m.>"]}))
        .info("M")
        .publish("m.1", "own");
    publishes(script, &["a.1", "a.1"])
        .publish("m.1", "own")
        .info("M")
        .show("M", 1..=5)
        .restart()
        .publish("m.1", "own")
        .publish("a.1", "six")
        .info("M")
        .update(json!({"name": "M", "subjects": ["m.>"], "mirror": {"name": "A"}}))
        .update(json!({"name": "M", "mirror": {"name": "A"}}))
}

fn chained() -> Script {
    let script = publishes(origin("mirrors/chained"), &["a.1"; 6]);
    let script = drop_at_origin(script, 3)
        .create(json!({"name": "M1", "mirror": {"name": "A"}}))
        .reaches("M1", 6)
        .create(json!({"name": "M2", "mirror": {"name": "M1"}}))
        .reaches("M2", 6)
        .create(json!({"name": "M3", "mirror": {"name": "M2"}, "storage": "memory"}))
        .reaches("M3", 6)
        .api("STREAM.MSG.DELETE.M1", json!({"seq": 4}))
        .api("STREAM.PURGE.M2", json!({"seq": 3}));
    publishes(script, &["a.2"; 3]).reaches("M3", 9).info("M1").info("M2").show("M3", 1..=9)
}

fn restarted(name: &'static str, is_killed: bool) -> Script {
    let end = |script: Script| if is_killed { script.kill() } else { script.restart() };
    let script = origin(name)
        .create(json!({"name": "M", "mirror": {"name": "A"}}))
        .create(json!({"name": "F", "mirror": {"name": "A", "filter_subject": "a.2"}}))
        .fill("a.1", 300)
        .fill("a.2", 300)
        .reaches("M", 600)
        .reaches("F", 600);
    let script = end(script).info("A").fill("a.1", 2_000);
    let script = end(script).fill("a.2", 50).reaches("M", 2_650).reaches("F", 2_650);
    end(script)
        .contacts("M")
        .contacts("F")
        .info("M")
        .info("F")
        .show("M", [1, 600, 601, 2_650])
        .show("F", [301, 2_650])
}

fn special_messages() -> Script {
    let script = Script::new("mirrors/special")
        .create(json!({"name": "A", "subjects": ["a.>"], "allow_rollup_hdrs": true,
            "allow_direct": true}))
        .create(json!({"name": "M", "mirror": {"name": "A"}, "allow_rollup_hdrs": true,
            "allow_direct": true}))
        .create(json!({"name": "N", "mirror": {"name": "A"}}));
    publishes(script, &["a.1", "a.2", "a.1", "a.2"])
        .reaches("M", 4)
        .reaches("N", 4)
        .publish_with("a.1", &[("Nats-Rollup", "sub")], "rolled up")
        .reaches("M", 5)
        .reaches("N", 5)
        .direct("M", json!({"last_by_subj": "a.2"}))
        .direct("M.a.1", Value::Null)
        .direct("N", json!({"seq": 1}))
        .publish_with("a.1", &[("Nats-Rollup", "all")], "rolled up")
        .reaches("M", 6)
        .reaches("N", 6)
        .info("A")
        .listen("out.>")
        .update(json!({"name": "N", "mirror": {"name": "A"},
            "republish": {"src": "a.*", "dest": "out.{{wildcard(1)}}"}}))
        .publish_with("a.9", &[("K", "v")], "again")
        .hear(1)
        .publish("nobody", "")
}

#[test]
fn mirrors() {
    check(vec![
        plain("mirrors/plain", "file"),
        plain("mirrors/plain_memory", "memory"),
        gaps("mirrors/gaps", "file"),
        gaps("mirrors/gaps_memory", "memory"),
        starts(),
        filters(),
        limits(),
        aged(),
        full(),
        promoted(),
        chained(),
        special_messages(),
    ]);
}

#[test]
fn mirrors_that_wait() {
    check(vec![
        missing(),
        recreated(),
        restarted("mirrors/restarted", false),
        restarted("mirrors/killed", true),
    ]);
}
