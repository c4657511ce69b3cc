//! Verdicts on mirrors and sources, when streams are created and when they are updated.
//! Not here: what is copied (`mirrors`, `sources`).

use crate::run::check;
use crate::script::Script;
use serde_json::{Value, json};

/// Streams to copy from.
fn world(name: &'static str) -> Script {
    let memory = |mut config: Value| {
        config["storage"] = "memory".into();
        config
    };
    Script::new(name)
        .create(memory(json!({"name": "A", "subjects": ["a"], "max_msg_size": 100,
            "allow_direct": true})))
        .create(memory(json!({"name": "L", "subjects": ["p.>"]})))
        .create(memory(json!({"name": "S1", "subjects": ["s1"], "sources": [{"name": "M2"}]})))
        .create(memory(json!({"name": "F1", "subjects": ["f1"],
            "sources": [{"name": "F2", "filter_subject": "x"}]})))
        .create(memory(json!({"name": "N1", "sources": [{"name": "N2"}]})))
}

fn mirror_verdicts() -> Script {
    let mut script = world("origins/mirror");
    for fields in [
        json!({"mirror": {"name": "A"}}),
        json!({"mirror": {"name": "L"}, "mirror_direct": true}),
        json!({"mirror": {"name": "A"}, "mirror_direct": false}),
        json!({"mirror": {"name": "NONE"}, "mirror_direct": true}),
        json!({"mirror": {"name": "A"}, "pedantic": true}),
        json!({"mirror": {"name": "A"}, "pedantic": true, "mirror_direct": true}),
        json!({"mirror": {"name": "A"}, "subjects": ["m"]}),
        json!({"mirror": {"name": "A"}, "subjects": []}),
        json!({"mirror": {"name": "A"}, "sources": [{"name": "B"}]}),
        json!({"mirror": {"name": "A"}, "sources": []}),
        json!({"mirror": {"name": "A"}, "first_seq": 5}),
        json!({"mirror": {"name": "A"}, "first_seq": 5, "subjects": ["m"]}),
        json!({"mirror": {"name": "M"}}),
        json!({"name": "M2", "mirror": {"name": "S1"}}),
        json!({"name": "F2", "mirror": {"name": "F1"}}),
        json!({"name": "N2", "mirror": {"name": "N1"}}),
        json!({"mirror": {"name": ""}}),
        json!({"mirror": {"name": "a b"}}),
        json!({"mirror": {"name": "a.b"}}),
        json!({"mirror": {}}),
        json!({"mirror": {"name": "A", "opt_start_seq": 5}}),
        json!({"mirror": {"name": "A", "opt_start_time": "2020-01-01T00:00:00Z"}}),
        json!({"mirror": {"name": "A", "opt_start_time": "2020-01-01T00:00:00.123+02:00"}}),
        json!({"mirror": {"name": "A", "opt_start_seq": 5,
            "opt_start_time": "2020-01-01T00:00:00Z"}}),
        json!({"mirror": {"name": "A", "filter_subject": "a"}}),
        json!({"mirror": {"name": "A", "filter_subject": ""}}),
        json!({"mirror": {"name": "A", "filter_subject": "a..b"}}),
        json!({"mirror": {"name": "A", "filter_subject": "zzz"}}),
        json!({"mirror": {"name": "A", "filter_subject": "a",
            "subject_transforms": [{"src": "a", "dest": "b"}]}}),
        json!({"mirror": {"name": "A", "subject_transforms": []}}),
        json!({"mirror": {"name": "A"}, "max_msg_size": 50}),
        json!({"mirror": {"name": "A"}, "max_msg_size": 100}),
        json!({"mirror": {"name": "L"}, "max_msg_size": 50}),
        json!({"mirror": {"name": "A"}, "allow_msg_counter": true}),
        json!({"mirror": {"name": "A"}, "allow_atomic": true}),
        json!({"mirror": {"name": "A"}, "allow_batched": true}),
        json!({"mirror": {"name": "A"}, "allow_msg_schedules": true}),
        json!({"mirror": {"name": "A"}, "subject_delete_marker_ttl": 1_000_000_000}),
        json!({"mirror": {"name": "A"}, "duplicate_window": 1_000_000_000}),
        json!({"mirror": {"name": "A"}, "max_msgs": 0, "max_msgs_per_subject": 0}),
        json!({"mirror": {"name": "A"}, "retention": "workqueue"}),
        json!({"mirror": {"name": "A"}, "discard": "new", "max_msgs": 5}),
        json!({"mirror": {"name": "A"}, "max_age": 1_000_000_000}),
        json!({"mirror": {"name": "A"}, "sealed": true}),
        json!({"mirror": {"name": "A"}, "deny_delete": true, "deny_purge": true}),
        json!({"mirror": {"name": "A"}, "subject_transform": {"src": "a", "dest": "b"}}),
        json!({"mirror": {"name": "A"}, "republish": {"src": "a", "dest": "b"}}),
    ] {
        script = script.verdict(with_name(fields, "M"));
    }
    script
}

fn with_name(mut config: Value, name: &str) -> Value {
    config["storage"] = "memory".into();
    if config.get("name").is_none() {
        config["name"] = name.into();
    }
    config
}

fn source_verdicts() -> Script {
    let mut script = world("origins/source");
    let start = "2020-01-01T00:00:00Z";
    for fields in [
        json!({"sources": [{"name": "A"}]}),
        json!({"sources": [{"name": "A"}, {"name": "L"}], "subjects": ["own"]}),
        json!({"sources": [{"name": "NONE"}]}),
        json!({"sources": [{"name": "S"}], "subjects": ["s"]}),
        json!({"sources": [{"name": "S"}]}),
        json!({"sources": [{"name": "S", "filter_subject": "other"}], "subjects": ["s"]}),
        json!({"sources": [{"name": "S", "filter_subject": "s"}], "subjects": ["s"]}),
        json!({"name": "M2", "subjects": ["m2"], "sources": [{"name": "S1"}]}),
        json!({"name": "M2", "sources": [{"name": "S1"}]}),
        json!({"name": "M2", "subjects": ["m2"],
            "sources": [{"name": "S1", "filter_subject": "no"}]}),
        json!({"name": "F2", "subjects": ["f2"], "sources": [{"name": "F1"}]}),
        json!({"name": "N2", "sources": [{"name": "N1"}]}),
        json!({"name": "N2", "subjects": ["n2"], "sources": [{"name": "N1"}]}),
        json!({"sources": [{"name": ""}]}),
        json!({"sources": [{}]}),
        json!({"sources": [null]}),
        json!({"sources": [{"name": "A"}, null]}),
        json!({"sources": [{"name": "a.b"}]}),
        json!({"sources": [{"name": "A", "opt_start_seq": 5}]}),
        json!({"sources": [{"name": "A", "opt_start_seq": 5, "opt_start_time": start}]}),
        json!({"sources": [{"name": "A", "opt_start_time": start}]}),
        json!({"sources": [{"name": "A", "filter_subject": "a..b"}]}),
        json!({"sources": [{"name": "A", "filter_subject": "zzz"}]}),
        json!({"sources": [{"name": "A", "filter_subject": "a",
            "subject_transforms": [{"src": "a", "dest": "b"}]}]}),
        json!({"sources": [{"name": "A"}, {"name": "A"}]}),
        json!({"sources": [{"name": "A"}, {"name": "A", "opt_start_seq": 5}]}),
        json!({"sources": [{"name": "A"}, {"name": "A", "filter_subject": ">"}]}),
        json!({"sources": [{"name": "A"}, {"name": "A", "filter_subject": "a"}]}),
        json!({"sources": [{"name": "A", "filter_subject": "a"},
            {"name": "A", "filter_subject": "b"}]}),
        json!({"sources": [{"name": "A", "filter_subject": "a"},
            {"name": "A", "filter_subject": "a"}]}),
        json!({"sources": [{"name": "A", "subject_transforms": [{"src": "a", "dest": "x"}]},
            {"name": "A", "subject_transforms": [{"src": "a", "dest": "y"}]}]}),
        json!({"sources": [{"name": "A", "subject_transforms": [{"src": "a", "dest": "x"}]},
            {"name": "A", "subject_transforms": [{"src": "a", "dest": "x"}]}]}),
        json!({"sources": [{"name": "A"}], "max_msg_size": 50}),
        json!({"sources": [{"name": "L"}], "max_msg_size": 50}),
        json!({"sources": [{"name": "A"}], "allow_msg_schedules": true}),
        json!({"sources": [{"name": "A"}], "first_seq": 9}),
        json!({"sources": [{"name": "A"}], "mirror_direct": true}),
        json!({"sources": [{"name": "A"}], "duplicate_window": 1_000_000_000}),
        json!({"sources": [{"name": "A"}], "retention": "workqueue"}),
        json!({"sources": [{"name": "A"}], "subject_transform": {"src": "a", "dest": "b"}}),
    ] {
        script = script.verdict(with_name(fields, "S"));
    }
    script
}

fn transform_verdicts() -> Script {
    let pair = |src: &str, dest: &str| json!({"src": src, "dest": dest});
    let mut script = world("origins/transforms");
    for transforms in [
        json!([pair("a", "b")]),
        json!([pair("a", "")]),
        json!([pair("", "b")]),
        json!([pair("", "b.>")]),
        json!([pair("", "")]),
        json!([{"src": "a"}]),
        json!([{}]),
        json!([pair(">", "x.>")]),
        json!([pair("a..b", "c")]),
        json!([pair("a.*", "x.{{wildcard(2)}}")]),
        json!([pair("a.*", "x..y")]),
        json!([pair("a.*", "x")]),
        json!([pair("a.*", "x.$1")]),
        json!([pair("a", "x"), pair("b", "y")]),
        json!([pair("a", "x"), pair("a", "y")]),
        json!([pair("a.*", "x"), pair("a.b", "y")]),
        json!([pair("a.*.b", "x"), pair("a.c.*", "y")]),
        json!([pair("a.>", "x"), pair("b.>", "y")]),
        json!([pair("a.>", "x"), pair(">", "y")]),
        json!([pair("a", "x"), pair("", "y")]),
        json!([null]),
    ] {
        let origin = json!({"name": "L", "subject_transforms": transforms});
        script = script
            .verdict(with_name(json!({"mirror": origin}), "M"))
            .verdict(with_name(json!({"sources": [origin]}), "S"));
    }
    script
}

fn elsewhere() -> Script {
    let mut script = world("origins/elsewhere");
    let mut origins = Vec::new();
    for external in [
        json!({"api": "$JS.API"}),
        json!({"api": "$JS.*.API"}),
        json!({"api": "$JS.API.x", "deliver": "d.*"}),
        json!({"api": "$JS.d.API", "deliver": "d.*"}),
        json!({"api": "$JS.d.API", "deliver": "d.>"}),
        json!({"api": "$JS..API"}),
        json!({"api": 5}),
        json!({"unknown": 1}),
    ] {
        origins.push(json!({"name": "L", "external": external}));
    }
    for consumer in [
        json!({}),
        json!({"name": "C"}),
        json!({"deliver_subject": "d"}),
        json!({"name": "a.b", "deliver_subject": "d"}),
        json!({"name": "C", "deliver_subject": "d.*"}),
    ] {
        origins.push(json!({"name": "L", "consumer": consumer}));
    }
    for mut fields in [
        json!({"opt_start_seq": 5}),
        json!({"opt_start_time": "2020-01-01T00:00:00Z"}),
        json!({"filter_subject": "a"}),
    ] {
        fields["name"] = "L".into();
        fields["consumer"] = json!({"name": "C", "deliver_subject": "d"});
        origins.push(fields);
    }
    for origin in origins {
        script = script
            .verdict(with_name(json!({"mirror": origin}), "M"))
            .verdict(with_name(json!({"sources": [origin]}), "S"));
    }
    let consumer = json!({"name": "C", "deliver_subject": "d"});
    let transforms = json!([{"src": "a", "dest": "b"}]);
    let overlap = json!({"api": "$JS.d.API", "deliver": "p"});
    let own = json!({"name": "L", "consumer": consumer});
    script
        .verdict(with_name(json!({"sources": [own, own]}), "S"))
        .verdict(with_name(
            json!({"sources": [{"name": "L"}, {"name": "X", "external": overlap}]}),
            "S",
        ))
        .create(with_name(json!({"mirror": own}), "OWN1"))
        .create(with_name(json!({"sources": [own, {"name": "A", "consumer": consumer}]}), "OWN2"))
        .create(with_name(
            json!({"mirror": {"name": "L", "consumer": consumer, "subject_transforms": transforms}}),
            "OWN3",
        ))
        .create(with_name(
            json!({"mirror": {"name": "L", "external": {"api": "$JS.d.API", "deliver": "q"}}}),
            "FAR",
        ))
}

fn updates() -> Script {
    let start = "2020-01-01T00:00:00Z";
    let mut script = world("origins/updates")
        .create(with_name(json!({"mirror": {"name": "L"}}), "M"))
        .create(with_name(json!({"subjects": ["plain"]}), "P"))
        .create(with_name(json!({"sources": [{"name": "L"}]}), "S"))
        .contacts("M")
        .contacts("S");
    for fields in [
        json!({"mirror": {"name": "L"}}),
        json!({"mirror": {"name": "A"}}),
        json!({"mirror": {"name": "L", "filter_subject": "p.x"}}),
        json!({"mirror": {"name": "L", "opt_start_seq": 5}}),
        json!({"mirror": {"name": "L", "opt_start_time": start}}),
        json!({"mirror": {"name": "L"}, "subjects": ["m"]}),
        json!({"mirror": {"name": "L"}, "description": "changed"}),
        json!({"mirror": {"name": "L"}, "max_msg_size": 5}),
        json!({"mirror": {"name": "L"}, "mirror_direct": true}),
        json!({"mirror": {"name": "L"}, "sources": [{"name": "A"}]}),
        json!({"mirror": {"name": "L"}, "first_seq": 3}),
        json!({"mirror": {"name": "M"}}),
    ] {
        script = script.update(with_name(fields, "M"));
    }
    for fields in [
        json!({"mirror": {"name": "L"}}),
        json!({"mirror": {"name": "L"}, "subjects": ["plain"]}),
        json!({"sources": [{"name": "L"}]}),
        json!({"sources": [{"name": "P"}], "subjects": ["plain"]}),
        json!({"subjects": ["plain"], "sources": [{"name": "L"}, {"name": "A"}]}),
        json!({"subjects": ["plain"], "sources": [{"name": "A"}]}),
        json!({"subjects": ["plain"]}),
    ] {
        script = script.update(with_name(fields, "P")).contacts("P");
    }
    for fields in [
        json!({"sources": [{"name": "L", "filter_subject": "p.x"}]}),
        json!({"sources": [{"name": "L"}, {"name": "L"}]}),
        json!({"sources": [{"name": ""}]}),
        json!({"sources": [{"name": "NONE"}, {"name": "L"}]}),
        json!({"sources": []}),
        json!({}),
        json!({"subjects": ["s"], "sources": [{"name": "L"}]}),
    ] {
        script = script.update(with_name(fields, "S"));
    }
    script
        .update(with_name(json!({}), "M"))
        .update(with_name(json!({"subjects": ["m"], "mirror": {"name": "L"}}), "M"))
        .update(with_name(json!({"mirror": {"name": "L"}}), "M"))
}

#[test]
fn origin_verdicts() {
    check(vec![mirror_verdicts(), source_verdicts(), transform_verdicts(), elsewhere(), updates()]);
}
