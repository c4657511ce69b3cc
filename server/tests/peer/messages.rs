//! Reading, deleting and purging messages: every selector and every error, by the API and directly.
//! Not here: what limits remove (`limits`).

use crate::run::check;
use crate::script::Script;
use serde_json::{Value, json};

/// A stream of twelve messages on six subjects, two of them deleted.
fn filled(name: &'static str, storage: &str) -> Script {
    let mut script = Script::new(name)
        .create(json!({"name": "A", "subjects": ["a.>"], "storage": storage,
            "allow_direct": true}))
        .create(json!({"name": "E", "subjects": ["e"], "storage": storage, "allow_direct": true}))
        .create(json!({"name": "P", "subjects": ["p"], "storage": storage}));
    for number in 1..=12 {
        let subject = format!("a.{}.{}", number % 2, number % 3);
        let text = format!("message {number}");
        script = match number % 4 {
            0 => script.publish_with(&subject, &[("K", "v"), ("Nats-Msg-Id", &text)], &text),
            _ => script.publish(&subject, &text),
        };
    }
    script
        .api("STREAM.MSG.DELETE.A", json!({"seq": 5}))
        .api("STREAM.MSG.DELETE.A", json!({"seq": 6, "no_erase": true}))
}

/// Bodies that select messages.
const SELECTORS: &[&str] = &[
    "",
    "{}",
    " { } ",
    "null",
    "junk",
    "5",
    "[]",
    "{\"unknown\":1}",
    "{\"seq\":0}",
    "{\"seq\":1}",
    "{\"seq\":4}",
    "{\"seq\":5}",
    "{\"seq\":12}",
    "{\"seq\":13}",
    "{\"seq\":-1}",
    "{\"seq\":\"1\"}",
    "{\"last_by_subj\":\"a.0.0\"}",
    "{\"last_by_subj\":\"a.*.0\"}",
    "{\"last_by_subj\":\">\"}",
    "{\"last_by_subj\":\"zzz\"}",
    "{\"last_by_subj\":\"\"}",
    "{\"last_by_subj\":\"a..b\"}",
    "{\"last_by_subj\":\"a.0.0\",\"seq\":3}",
    "{\"next_by_subj\":\"a.1.>\"}",
    "{\"next_by_subj\":\"a.1.>\",\"seq\":1}",
    "{\"next_by_subj\":\"a.1.>\",\"seq\":4}",
    "{\"next_by_subj\":\"a.0.*\",\"seq\":6}",
    "{\"next_by_subj\":\"a.0.1\",\"seq\":11}",
    "{\"next_by_subj\":\">\",\"seq\":5}",
    "{\"next_by_subj\":\">\",\"seq\":13}",
    "{\"next_by_subj\":\"zzz\",\"seq\":1}",
    "{\"next_by_subj\":\"a..b\",\"seq\":1}",
    "{\"next_by_subj\":\"\",\"seq\":2}",
    "{\"next_by_subj\":\">\",\"last_by_subj\":\">\"}",
    "{\"start_time\":\"2020-01-01T00:00:00Z\"}",
    "{\"start_time\":\"2099-01-01T00:00:00Z\"}",
    "{\"start_time\":\"junk\"}",
    "{\"start_time\":\"2020-01-01T00:00:00Z\",\"seq\":2}",
    "{\"start_time\":\"2020-01-01T00:00:00Z\",\"next_by_subj\":\"a.1.>\"}",
    "{\"start_time\":\"2099-01-01T00:00:00Z\",\"next_by_subj\":\"a.1.>\"}",
    "{\"start_time\":\"2020-01-01T00:00:00Z\",\"last_by_subj\":\"a.1.1\"}",
    "{\"start_time\":\"2020-01-01T00:00:00Z\",\"next_by_subj\":\"a.1.>\",\"seq\":3}",
    "{\"no_hdr\":true,\"seq\":4}",
    "{\"no_hdr\":true,\"seq\":5}",
    "{\"no_hdr\":true,\"last_by_subj\":\"a.0.1\"}",
];

/// Bodies that select several messages.
const BATCHES: &[&str] = &[
    "{\"batch\":3}",
    "{\"batch\":3,\"seq\":1}",
    "{\"batch\":3,\"seq\":4}",
    "{\"batch\":99,\"seq\":9}",
    "{\"batch\":3,\"seq\":13}",
    "{\"batch\":0,\"seq\":1}",
    "{\"batch\":-1,\"seq\":1}",
    "{\"batch\":3,\"next_by_subj\":\"a.1.>\"}",
    "{\"batch\":3,\"next_by_subj\":\"a.1.>\",\"seq\":4}",
    "{\"batch\":3,\"next_by_subj\":\"zzz\"}",
    "{\"batch\":3,\"next_by_subj\":\"zzz\",\"seq\":2}",
    "{\"batch\":3,\"last_by_subj\":\"a.1.1\"}",
    "{\"batch\":3,\"seq\":1,\"max_bytes\":1}",
    "{\"batch\":9,\"seq\":1,\"max_bytes\":100}",
    "{\"max_bytes\":100,\"seq\":1}",
    "{\"batch\":3,\"start_time\":\"2020-01-01T00:00:00Z\"}",
    "{\"batch\":3,\"start_time\":\"2099-01-01T00:00:00Z\"}",
    "{\"batch\":3,\"start_time\":\"2020-01-01T00:00:00Z\",\"seq\":1}",
    "{\"batch\":2,\"no_hdr\":true,\"seq\":1}",
    "{\"multi_last\":[\"a.0.0\"]}",
    "{\"multi_last\":[\"a.0.0\",\"a.1.1\"]}",
    "{\"multi_last\":[\"a.1.1\",\"a.0.0\",\"a.1.1\"]}",
    "{\"multi_last\":[\"a.*.0\",\"a.1.>\"]}",
    "{\"multi_last\":[\">\"]}",
    "{\"multi_last\":[\"zzz\"]}",
    "{\"multi_last\":[\"zzz\",\"a.0.0\"]}",
    "{\"multi_last\":[\"a..b\"]}",
    "{\"multi_last\":[]}",
    "{\"multi_last\":[\">\"],\"batch\":2}",
    "{\"multi_last\":[\">\"],\"batch\":2,\"seq\":9}",
    "{\"multi_last\":[\">\"],\"max_bytes\":60}",
    "{\"multi_last\":[\">\"],\"up_to_seq\":4}",
    "{\"multi_last\":[\">\"],\"up_to_seq\":6}",
    "{\"multi_last\":[\">\"],\"up_to_seq\":99}",
    "{\"multi_last\":[\"a.0.0\"],\"up_to_seq\":3}",
    "{\"multi_last\":[\">\"],\"up_to_time\":\"2099-01-01T00:00:00Z\"}",
    "{\"multi_last\":[\">\"],\"up_to_time\":\"2020-01-01T00:00:00Z\"}",
    "{\"multi_last\":[\">\"],\"up_to_time\":\"2099-01-01T00:00:00Z\",\"up_to_seq\":4}",
    "{\"multi_last\":[\">\"],\"seq\":4}",
    "{\"multi_last\":[\">\"],\"last_by_subj\":\"a.0.0\"}",
    "{\"multi_last\":[\">\"],\"next_by_subj\":\"a.0.0\"}",
    "{\"multi_last\":[\">\"],\"start_time\":\"2020-01-01T00:00:00Z\"}",
    "{\"multi_last\":\">\"}",
    "{\"up_to_seq\":4}",
    "{\"up_to_seq\":4,\"seq\":1}",
];

fn gets(name: &'static str, storage: &str) -> Script {
    let mut script = filled(name, storage);
    for body in SELECTORS.iter().chain(BATCHES) {
        script = script.api("STREAM.MSG.GET.A", (*body).into());
    }
    for stream in ["E", "NONE"] {
        for body in ["", "{\"seq\":1}", "{\"last_by_subj\":\">\"}", "{\"next_by_subj\":\">\"}"] {
            script = script.api(format!("STREAM.MSG.GET.{stream}"), body.into());
        }
    }
    script
}

fn direct(name: &'static str, storage: &str) -> Script {
    let mut script = filled(name, storage);
    for body in SELECTORS.iter().chain(BATCHES) {
        script = script.direct("A", (*body).into());
    }
    for stream in ["E", "P", "NONE"] {
        for body in [
            "",
            "{\"seq\":1}",
            "{\"last_by_subj\":\">\"}",
            "{\"multi_last\":[\">\"]}",
            "{\"batch\":2}",
        ] {
            script = script.direct(stream, body.into());
        }
    }
    for target in ["A.a.0.0", "A.a.1.1", "A.zzz", "A.a.*.0", "A.>", "E.e", "P.p", "NONE.x"] {
        for body in
            ["", "{}", "{\"seq\":1}", "{\"last_by_subj\":\"a.0.0\"}", "{\"no_hdr\":true}", "junk"]
        {
            script = script.direct(target, body.into());
        }
    }
    script
}

fn deletes(name: &'static str, storage: &str) -> Script {
    let mut script = filled(name, storage);
    for body in [
        "",
        "{}",
        "junk",
        "null",
        "{\"seq\":0}",
        "{\"seq\":5}",
        "{\"seq\":99}",
        "{\"seq\":-1}",
        "{\"unknown\":1}",
        "{\"seq\":4,\"no_erase\":true}",
        "{\"seq\":7}",
        "{\"seq\":1}",
        "{\"seq\":2}",
        "{\"seq\":12}",
        "{\"seq\":12}",
    ] {
        script = script.api("STREAM.MSG.DELETE.A", body.into());
    }
    script = script
        .info("A")
        .api("STREAM.MSG.DELETE.NONE", json!({"seq": 1}))
        .api("STREAM.MSG.DELETE.E", json!({"seq": 1}))
        .api("STREAM.MSG.DELETE.A", json!({"seq": 3}))
        .info("A")
        .restart_if(storage)
        .info("A")
        .publish("a.1.1", "next");
    for sequence in [8, 9, 10, 11, 13] {
        script = script.api("STREAM.MSG.DELETE.A", json!({"seq": sequence})).info("A");
    }
    script
        .restart_if(storage)
        .info("A")
        .publish("a.1.1", "next")
        .info("A")
        .update(json!({"name": "A", "subjects": ["a.>"], "storage": storage,
            "allow_direct": true, "deny_delete": true}))
        .api("STREAM.MSG.DELETE.A", json!({"seq": 14}))
        .api("STREAM.MSG.DELETE.A", json!({"seq": 1}))
        .info("A")
}

fn purges(name: &'static str, storage: &str) -> Script {
    let mut script = filled(name, storage);
    for body in [
        "junk",
        "[]",
        "{\"unknown\":1}",
        "{\"seq\":1,\"keep\":1}",
        "{\"seq\":1}",
        "{\"seq\":3}",
        "{\"seq\":3}",
        "{\"filter\":\"zzz\"}",
        "{\"filter\":\"a.0.2\"}",
        "{\"filter\":\"a..b\"}",
        "{\"filter\":\"a.1.*\",\"seq\":8}",
        "{\"filter\":\"a.1.*\",\"keep\":1}",
        "{\"filter\":\">\",\"keep\":9}",
        "{\"keep\":3}",
        "{\"keep\":99}",
        "{\"keep\":0}",
    ] {
        script = script.api("STREAM.PURGE.A", body.into()).info("A");
    }
    script = script
        .restart_if(storage)
        .info("A")
        .publish("a.1.1", "next")
        .publish("a.1.2", "next")
        .api("STREAM.PURGE.A", json!({"filter": "a.1.1"}))
        .api("STREAM.PURGE.A", json!({"filter": "a.1.1", "seq": 99}))
        .info("A")
        .api("STREAM.PURGE.A", json!({"seq": 99}))
        .info("A")
        .restart_if(storage)
        .info("A")
        .publish("a.1.1", "next")
        .info("A")
        .api("STREAM.PURGE.A", "".into())
        .info("A")
        .api("STREAM.PURGE.E", "".into())
        .info("E")
        .api("STREAM.PURGE.NONE", "".into());
    script
        .update(json!({"name": "A", "subjects": ["a.>"], "storage": storage,
            "allow_direct": true, "deny_purge": true}))
        .api("STREAM.PURGE.A", "".into())
        .api("STREAM.PURGE.A", json!({"seq": 1, "keep": 1}))
}

fn many(name: &'static str, storage: &str) -> Script {
    Script::new(name)
        .create(json!({"name": "A", "subjects": ["a.>"], "storage": storage,
            "allow_direct": true}))
        .fill("a.{}", 1_024)
        .direct_count("A", json!({"multi_last": ["a.*"]}))
        .direct_count("A", json!({"batch": 1_100, "seq": 1}))
        .fill("a.more.{}", 200)
        .direct_count("A", json!({"multi_last": ["a.>"]}))
        .direct_count("A", json!({"multi_last": ["a.*"]}))
        .direct_count("A", json!({"batch": 1_100, "seq": 1}))
        .direct_count("A", json!({"batch": 9_999, "seq": 500}))
        .direct_count("A", json!({"batch": 500, "next_by_subj": "a.*", "seq": 100}))
        .api("STREAM.INFO.A", json!({"subjects_filter": "a.more.*"}))
}

fn switched() -> Script {
    Script::new("messages/switched")
        .create(json!({"name": "A", "subjects": ["a"], "storage": "memory"}))
        .publish("a", "one")
        .direct("A", json!({"seq": 1}))
        .update(json!({"name": "A", "subjects": ["a"], "storage": "memory", "allow_direct": true}))
        .direct("A", json!({"seq": 1}))
        .direct("A.a", Value::Null)
        .update(json!({"name": "A", "subjects": ["a"], "storage": "memory"}))
        .direct("A", json!({"seq": 1}))
        .direct("A.a", Value::Null)
        .delete("A")
        .direct("A", json!({"seq": 1}))
}

#[test]
fn messages() {
    check(vec![
        gets("messages/get", "memory"),
        gets("messages/get_file", "file"),
        direct("messages/direct", "memory"),
        direct("messages/direct_file", "file"),
        deletes("messages/delete", "memory"),
        deletes("messages/delete_file", "file"),
        purges("messages/purge", "memory"),
        purges("messages/purge_file", "file"),
        many("messages/many", "memory"),
        many("messages/many_file", "file"),
        switched(),
    ]);
}
