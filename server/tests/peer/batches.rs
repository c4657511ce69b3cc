//! Batches: those that are stored whole or not at all, and those that are a fast stream of publishes.
//! Not here: single publishes (`publish`).

use crate::run::check;
use crate::script::Script;
use serde_json::{Value, json};

const END: (&str, &str) = ("Nats-Batch-Commit", "1");

/// A stream for batches, with fields of its own.
fn with(fields: Value) -> Value {
    let mut config = json!({"name": "A", "subjects": ["a.>"], "storage": "memory",
        "allow_atomic": true});
    for (name, value) in fields.as_object().unwrap() {
        config[name] = value.clone();
    }
    config
}

/// A member of an atomic batch.
fn member(
    script: Script,
    batch: &str,
    (sequence, subject): (&str, &str),
    more: &[(&str, &str)],
) -> Script {
    let mut fields = vec![("Nats-Batch-Id", batch), ("Nats-Batch-Sequence", sequence)];
    fields.extend_from_slice(more);
    script.publish_with(subject, &fields, "text")
}

/// Batches of one stream, one after the other: number, subject and further headers of each member.
type Members<'a> = &'a [(&'a str, &'a str, &'a [(&'a str, &'a str)])];

#[expect(clippy::too_many_lines, reason = "a table")]
fn atomic(name: &'static str, storage: &str) -> Script {
    let id = ("Nats-Msg-Id", "m");
    let tables: &[(Value, &[Members<'_>])] = &[
        (
            json!({}),
            &[
                &[("1", "a.1", &[END])],
                &[("1", "a.1", &[]), ("2", "a.2", &[("K", "v")]), ("3", "a.1", &[END])],
                &[("1", "a.1", &[]), ("2", "a.2", &[("Nats-Batch-Commit", "eob")])],
                &[("1", "a.1", &[("Nats-Batch-Commit", "eob")])],
                &[("1", "a.1", &[("Nats-Batch-Commit", "2")])],
                &[("1", "a.1", &[("Nats-Batch-Commit", "")])],
                &[("2", "a.1", &[])],
                &[("0", "a.1", &[])],
                &[("x", "a.1", &[])],
                &[("", "a.1", &[])],
                &[("1", "a.1", &[]), ("3", "a.1", &[END])],
                &[("1", "a.1", &[]), ("1", "a.1", &[]), ("2", "a.1", &[END])],
            ],
        ),
        (
            json!({}),
            &[
                &[("1", "a.1", &[id]), ("2", "a.1", &[id, END])],
                &[("1", "a.1", &[id, END])],
                &[("1", "a.1", &[]), ("2", "a.1", &[id, END])],
                &[
                    ("1", "a.1", &[]),
                    ("2", "a.1", &[id, ("Nats-Expected-Last-Sequence", "9"), END]),
                ],
                &[
                    ("1", "a.1", &[]),
                    ("2", "a.1", &[id, ("Nats-Expected-Last-Subject-Sequence", "9"), END]),
                ],
                &[
                    ("1", "a.1", &[]),
                    (
                        "2",
                        "a.1",
                        &[
                            ("Nats-Expected-Last-Msg-Id", "z"),
                            ("Nats-Expected-Last-Sequence", "9"),
                            END,
                        ],
                    ),
                ],
                &[("1", "a.1", &[("Nats-Expected-Stream", "X")]), ("2", "a.1", &[END])],
                &[("1", "a.1", &[("Nats-Expected-Last-Msg-Id", "m"), END])],
                &[("1", "a.1", &[("Nats-Expected-Last-Sequence", "1"), END])],
                &[("1", "a.1", &[("Nats-Expected-Last-Sequence", "1")]), ("2", "a.1", &[END])],
                &[("1", "a.1", &[]), ("2", "a.1", &[("Nats-Expected-Last-Sequence", "2"), END])],
                &[("1", "a.9", &[("Nats-Expected-Last-Subject-Sequence", "0"), END])],
                &[
                    ("1", "a.9", &[]),
                    ("2", "a.9", &[("Nats-Expected-Last-Subject-Sequence", "3"), END]),
                ],
                &[
                    ("1", "a.7", &[]),
                    ("2", "a.8", &[("Nats-Expected-Last-Subject-Sequence", "0"), END]),
                ],
                &[("1", "a.1", &[("Nats-Rollup", "sub"), END])],
                &[("1", "a.1", &[("Nats-TTL", "5s"), END])],
                &[("1", "a.1", &[("Nats-Incr", "5"), END])],
                &[("1", "a.1", &[("Nats-Stream-Source", "x"), END])],
            ],
        ),
        (
            json!({"allow_rollup_hdrs": true}),
            &[
                &[("1", "a.1", &[]), ("2", "a.2", &[]), ("3", "a.1", &[END])],
                &[("1", "a.1", &[("Nats-Rollup", "sub"), END])],
                &[("1", "a.1", &[]), ("2", "a.1", &[("Nats-Rollup", "sub"), END])],
                &[("1", "a.3", &[]), ("2", "a.2", &[("Nats-Rollup", "sub"), END])],
                &[("1", "a.3", &[]), ("2", "a.2", &[("Nats-Rollup", "all"), END])],
            ],
        ),
        (
            json!({"max_msgs": 3, "discard": "new"}),
            &[
                &[("1", "a.1", &[]), ("2", "a.1", &[END])],
                &[("1", "a.1", &[]), ("2", "a.1", &[END])],
                &[("1", "a.1", &[END])],
            ],
        ),
        (
            json!({"max_msgs": 2, "max_msgs_per_subject": 1, "max_msg_size": 200}),
            &[
                &[("1", "a.1", &[]), ("2", "a.2", &[]), ("3", "a.3", &[END])],
                &[("1", "a.3", &[]), ("2", "a.3", &[END])],
            ],
        ),
        (json!({"allow_atomic": false}), &[&[("1", "a.1", &[END])], &[("1", "a.1", &[])]]),
    ];
    let mut script = Script::new(name).with_loose_times();
    for (at, (fields, batches)) in tables.iter().enumerate() {
        let (stream, subject) = (format!("S{at}"), format!("s{at}."));
        let mut config = with(fields.clone());
        config["name"] = stream.as_str().into();
        config["subjects"] = json!([format!("{subject}>")]);
        config["storage"] = storage.into();
        script = script.create(config);
        for (number, members) in batches.iter().enumerate() {
            for (sequence, name, more) in *members {
                let name = name.replace("a.", &subject);
                script = member(script, &format!("b{number}"), (sequence, &name), more);
            }
            script = script.plain_info(&stream);
        }
        script = script.restart_if(storage).plain_info(&stream);
    }
    script
}

fn open_batches() -> Script {
    let script = Script::new("batches/open")
        .with_loose_times()
        .listen("$JS.EVENT.ADVISORY.STREAM.BATCH_ABANDONED.>")
        .create(with(json!({"storage": "file"})))
        .create(json!({"name": "M", "mirror": {"name": "A"}}))
        .create(json!({"name": "S", "sources": [{"name": "A"}]}))
        .contacts("M")
        .contacts("S");
    let script = member(script, "one", ("1", "a.1"), &[]);
    let script = member(script, "two", ("1", "a.1"), &[]).publish("a.0", "between");
    let script = member(script, "two", ("2", "a.2"), &[END]).info("A");
    let script = member(script, "one", ("2", "a.3"), &[("K", "v"), END])
        .info("A")
        .reaches("M", 5)
        .show("A", 1..=5)
        .show("M", 1..=5)
        .until("STREAM.INFO.S", Value::Null, "/state/last_seq", json!(5))
        .api("STREAM.MSG.GET.S", json!({"last_by_subj": "a.3"}));
    let script = member(script, "gap", ("1", "a.1"), &[]);
    let script = member(script, "gap", ("3", "a.1"), &[]).hear(1);
    let script = member(script, "lost", ("1", "a.1"), &[]).restart();
    let script = member(script, "lost", ("2", "a.1"), &[END]).info("A");
    let script = member(script, "off", ("1", "a.1"), &[])
        .update(with(json!({"storage": "file", "allow_atomic": false})))
        .update(with(json!({"storage": "file"})));
    let script = member(script, "off", ("2", "a.1"), &[END]);
    let long = "x".repeat(64);
    let script = member(script, &long, ("1", "a.1"), &[END]);
    let longer = "x".repeat(65);
    member(script, &longer, ("1", "a.1"), &[END]).info("A")
}

/// A member of a fast batch: its place in the batch, what it is to it, and how many of them are answered.
fn fast_member(
    script: Script,
    (batch, gap): (&str, &str),
    (sequence, operation): (u64, u8),
    fields: &[(&str, &str)],
    answers: usize,
) -> Script {
    let reply = format!("fast.{batch}.10.{gap}.{sequence}.{operation}.$FI");
    let script = script.send_from(&reply, "a.1", fields, "text");
    if answers > 0 { script.hear(answers) } else { script }
}

fn fast() -> Script {
    let failing = [("Nats-Expected-Last-Sequence", "99")];
    let batched = with(json!({"allow_atomic": false, "allow_batched": true}));
    let mut script = Script::new("batches/fast").listen("fast.>").create(batched);
    for (batch, gap, members) in [
        ("b1", "fail", &[(1, 0, &[][..], 1), (2, 3, &[], 1)][..]),
        ("b2", "fail", &[(1, 2, &[], 1)]),
        ("b3", "fail", &[(1, 0, &[], 1), (2, 1, &failing, 2), (3, 1, &[], 1)]),
        ("b4", "ok", &[(1, 0, &[], 1), (3, 2, &[], 2)]),
        ("b5", "fail", &[(1, 0, &[], 1), (3, 1, &[], 2)]),
        ("b6", "fail", &[(2, 1, &[], 1)]),
        ("b7", "other", &[(1, 0, &[], 1)]),
        ("b8", "fail", &[(1, 9, &[], 1)]),
        ("b9", "ok", &[(1, 0, &[], 1), (2, 1, &failing, 1), (3, 2, &[], 1)]),
    ] {
        for (sequence, operation, fields, answers) in members {
            script = fast_member(script, (batch, gap), (*sequence, *operation), fields, *answers);
        }
        script = script.info("A");
    }
    script
        .update(with(json!({"allow_atomic": false})))
        .send_from("fast.c.10.fail.1.0.$FI", "a.1", &[], "text")
        .hear(1)
}

#[test]
fn batches() {
    check(vec![
        atomic("batches/atomic", "memory"),
        atomic("batches/atomic_file", "file"),
        open_batches(),
        fast(),
    ]);
}
