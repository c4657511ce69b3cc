//! Schedules: what publishers may say, what they publish and when, and what ends them.
//! Not here: patterns beyond a few (the server's own tests).

use crate::run::check;
use crate::script::Script;
use serde_json::{Value, json};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(12);
const PAST: &str = "@at 2020-01-01T00:00:00Z";
const FAR: &str = "@at 2099-01-01T00:00:00Z";

fn stream(storage: &str, fields: Value) -> Value {
    let mut config =
        json!({"name": "A", "subjects": ["a.>"], "storage": storage, "allow_msg_schedules": true});
    for (name, value) in fields.as_object().unwrap() {
        config[name] = value.clone();
    }
    config
}

fn last(script: Script, sequence: u64) -> Script {
    script.until_within("STREAM.INFO.A", "/state/last_seq", sequence.into(), PATIENCE)
}

const TARGET: (&str, &str) = ("Nats-Schedule-Target", "a.t");

#[expect(clippy::too_many_lines, reason = "a table")]
fn verdicts() -> Script {
    let mut script = Script::new("schedules/verdicts")
        .with_loose_times()
        .create(stream("memory", json!({"allow_atomic": true})))
        .create(json!({"name": "B", "subjects": ["b.>"], "storage": "memory"}));
    for pattern in [
        FAR,
        "@at 2099-01-01T00:00:00",
        "@at 2099-01-01T00:00:00.5+01:00",
        "@at x",
        "@every 1h",
        "@every 1s500ms",
        "@every 999ms",
        "@every x",
        "@every 5",
        "@daily",
        "@yearly",
        "@reboot",
        "0 0 0 1 1 *",
        "0 0 0 30 2 *",
        "* * * * *",
        "x",
        "61 * * * * *",
        "",
    ] {
        let fields = [("Nats-Schedule", pattern), TARGET];
        script = script.publish_with("a.s", &fields, "x").publish_with("b.s", &fields, "x");
    }
    let more: [&[(&str, &str)]; 25] = [
        &[],
        &[("Nats-Schedule-Target", "")],
        &[("Nats-Schedule-Target", "a.s")],
        &[("Nats-Schedule-Target", "a.*")],
        &[("Nats-Schedule-Target", "c")],
        &[TARGET, ("Nats-Schedule-TTL", "5s")],
        &[TARGET, ("Nats-Schedule-TTL", "x")],
        &[TARGET, ("Nats-Schedule-Rollup", "sub")],
        &[TARGET, ("Nats-Schedule-Rollup", "all")],
        &[TARGET, ("Nats-Schedule-Source", "a.src")],
        &[TARGET, ("Nats-Schedule-Source", "a.t")],
        &[TARGET, ("Nats-Schedule-Source", "a.s")],
        &[TARGET, ("Nats-Schedule-Source", "a.>")],
        &[TARGET, ("Nats-Schedule-Source", "c")],
        &[TARGET, ("Nats-Schedule-Time-Zone", "Europe/Berlin")],
        &[TARGET, ("Nats-Schedule-Time-Zone", "")],
        &[TARGET, ("Nats-Schedule-Time-Zone", "Nowhere")],
        &[TARGET, ("Nats-Rollup", "sub")],
        &[TARGET, ("Nats-Rollup", "all")],
        &[TARGET, ("Nats-Scheduler", "a.x")],
        &[TARGET, ("Nats-Schedule-Next", "purge")],
        &[TARGET, ("Nats-Schedule-Next", "x"), ("Nats-Scheduler", "a.x")],
        &[TARGET, ("Nats-Msg-Id", "m")],
        &[TARGET, ("Nats-Expected-Last-Sequence", "99")],
        &[("Nats-Schedule-Target", "c"), ("Nats-Expected-Last-Sequence", "99")],
    ];
    for fields in more {
        for pattern in [FAR, "0 0 0 1 1 *"] {
            let fields = [&[("Nats-Schedule", pattern)], fields].concat();
            script = script.publish_with("a.s", &fields, "x");
        }
    }
    // Without a schedule.
    for fields in [
        &[("Nats-Schedule-Time-Zone", "Nowhere")][..],
        &[("Nats-Scheduler", "a.s")],
        &[("Nats-Schedule-Next", "purge")],
        &[("Nats-Schedule-Next", "purge"), ("Nats-Scheduler", "a.e")],
        &[("Nats-Schedule-Next", "later"), ("Nats-Scheduler", "a.s")],
        &[("Nats-Schedule-Next", "purge"), ("Nats-Scheduler", "a.none")],
        &[("Nats-Schedule-Next", "purge"), ("Nats-Scheduler", "a.e2")],
        &[("Nats-Schedule-Next", "purge"), ("Nats-Scheduler", "a.s")],
    ] {
        script = script.publish_with("a.e", fields, "x").publish_with("b.e", fields, "x");
    }
    let member = |sequence| [("Nats-Batch-Id", "b"), ("Nats-Batch-Sequence", sequence)];
    let first = [&member("1")[..], &[("Nats-Schedule", FAR), TARGET]].concat();
    let second = [&member("2")[..], &[("Nats-Batch-Commit", "1")]].concat();
    script
        .publish_with("a.b", &first, "x")
        .publish_with("a.c", &second, "x")
        .info("A")
        .info("B")
        .api("STREAM.MSG.GET.A", json!({"last_by_subj": "a.b"}))
}

/// Schedules that come once, and those that were replaced before.
fn once(name: &'static str, storage: &str) -> Script {
    let with = |pattern, more: &[(&'static str, &'static str)]| {
        [&[("Nats-Schedule", pattern), TARGET, ("K", "v")], more].concat()
    };
    let script = Script::new(name)
        .with_loose_times()
        .create(stream(storage, json!({"allow_msg_ttl": true})))
        .publish_with("a.src", &[("S", "t")], "sampled")
        .publish_with("a.1", &with(PAST, &[("Nats-Schedule-TTL", "1h")]), "one");
    let script = last(script, 3).show("A", 1..=3);
    let sampling = [("Nats-Schedule-Source", "a.src"), ("Nats-Schedule-Rollup", "sub")];
    let script =
        last(script.publish_with("a.2", &with(PAST, &sampling), "two"), 5).show("A", 3..=5);
    let script = script
        .publish_with("a.3", &with(FAR, &[]), "three")
        .publish_with("a.3", &with(FAR, &[("Nats-Schedule-Target", "a.u")]), "three again")
        .publish_with("a.4", &with(FAR, &[]), "four")
        .api("STREAM.PURGE.A", json!({"filter": "a.4"}))
        .info("A")
        .restart_if(storage)
        .publish_with("a.3", &with(PAST, &[]), "three at last");
    last(script, 10).info("A").show("A", [10])
}

/// One that comes again and again, over a restart, until it is ended.
fn again(name: &'static str, storage: &str) -> Script {
    let fields = [("Nats-Schedule", "@every 1s"), TARGET, ("Nats-Schedule-Rollup", "sub")];
    let script = Script::new(name)
        .with_loose_times()
        .create(stream(storage, json!({})))
        .publish_with("a.1", &fields, "again");
    let script = last(script, 2).restart_if(storage);
    let script = last(script, 3);
    script
        .publish_with("a.e", &[("Nats-Schedule-Next", "purge"), ("Nats-Scheduler", "a.1")], "end")
        .api("STREAM.MSG.GET.A", json!({"seq": 1}))
        .info("A")
        .hush()
        .hush()
        .info("A")
}

fn configurations() -> Script {
    let mut script = Script::new("schedules/configurations");
    for fields in [
        json!({}),
        json!({"discard": "new"}),
        json!({"deny_purge": true}),
        json!({"pedantic": true}),
        json!({"pedantic": true, "allow_rollup_hdrs": true}),
        json!({"allow_msg_counter": true}),
        json!({"retention": "workqueue"}),
        json!({"sources": [{"name": "X"}]}),
        json!({"subjects": [], "mirror": {"name": "X"}}),
    ] {
        script = script.verdict(stream("memory", fields));
    }
    let plain = json!({"name": "A", "subjects": ["a.>"], "storage": "memory"});
    script
        .create(plain.clone())
        .update(stream("memory", json!({})))
        .update(plain)
        .update(stream("memory", json!({"description": "d"})))
}

#[test]
fn schedules() {
    check(vec![
        verdicts(),
        once("schedules/once", "file"),
        once("schedules/once_memory", "memory"),
        again("schedules/again", "file"),
        again("schedules/again_memory", "memory"),
        configurations(),
    ]);
}
