//! Verdicts as tables: configuration in, code and text out, all taken from what nats-server answers.

use super::*;
use crate::jetstream::config::parse;
use std::collections::BTreeMap;

type Streams = BTreeMap<String, Arc<StreamConfig>>;

/// Creates a stream among others, as far as verdicts go.
fn create(streams: &Streams, body: &str) -> Result<StreamConfig, ApiError> {
    let request = parse(body.as_bytes(), true)?;
    before_create(&request.config.name, &request.config)?;
    let config = check(&request, &|name| streams.get(name).cloned())?;
    replicas(&config)?;
    unusable_filters(&config)?;
    Ok(config)
}

fn world(bodies: &[&str]) -> Streams {
    let mut streams = Streams::new();
    for body in bodies {
        let config = create(&streams, body).unwrap_or_else(|error| panic!("{body}: {error:?}"));
        streams.insert(config.name.clone(), Arc::new(config));
    }
    streams
}

/// Each body gets its code, error code and text; an empty text is acceptance.
fn check_all(existing: &[&str], table: &[(&str, (u16, u16), &str)]) {
    let streams = world(existing);
    for (body, codes, text) in table {
        let found = create(&streams, body);
        match found {
            Ok(_) => assert!(text.is_empty(), "{body} was accepted, not {text:?}"),
            Err(error) => {
                assert_eq!(error.description, *text, "{body}");
                assert_eq!((error.code, error.err_code), *codes, "{body}");
            }
        }
    }
}

const OK: (u16, u16) = (0, 0);
const CONFIG: (u16, u16) = (500, 10052);

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn basic_fields() {
    let text = |count: usize| "x".repeat(count);
    let long_name = format!(r#"{{"name":"{}"}}"#, text(256));
    let long_description = format!(r#"{{"name":"A","description":"{}"}}"#, text(4097));
    let long_metadata = format!(r#"{{"name":"A","metadata":{{"k":"{}"}}}}"#, text(131_072));
    check_all(
        &[],
        &[
            (r#"{"name":"A"}"#, OK, ""),
            (r#"{"name":"A","allow_atomic":true}"#, OK, ""),
            (
                r#"{"name":"A","allow_atomic":true,"persist_mode":"async"}"#,
                CONFIG,
                "async persist mode is not supported with atomic batch publish",
            ),
            (
                r#"{"name":"A","storage":"memory","persist_mode":"async"}"#,
                CONFIG,
                "async persist mode is only supported on file storage",
            ),
            (r#"{"NAME":"A","Subjects":["a"]}"#, OK, ""),
            (&long_name, CONFIG, "stream name is too long, maximum allowed is 255"),
            (&long_description, CONFIG, "stream description is too long, maximum allowed is 4096"),
            (&long_metadata, CONFIG, "stream metadata exceeds maximum size of 131072 bytes"),
            (r#"{"name":"a/b"}"#, (400, 10128), "Stream name can not contain path separators"),
            (r#"{"name":"A","num_replicas":6}"#, CONFIG, "maximum replicas is 5"),
            (
                r#"{"name":"A","num_replicas":-1}"#,
                (400, 10133),
                "replicas count cannot be negative",
            ),
            (
                r#"{"name":"A","num_replicas":3}"#,
                (500, 10074),
                "replicas > 1 not supported in non-clustered mode",
            ),
            (r#"{"name":"A","max_age":-1}"#, CONFIG, "max age can not be negative"),
            (r#"{"name":"A","max_age":1}"#, CONFIG, "max age needs to be >= 100ms"),
            (
                r#"{"name":"A","duplicate_window":-1}"#,
                CONFIG,
                "duplicates window can not be negative",
            ),
            (
                r#"{"name":"A","duplicate_window":1}"#,
                CONFIG,
                "duplicates window needs to be >= 100ms",
            ),
            (
                r#"{"name":"A","max_age":1000000000,"duplicate_window":2000000000}"#,
                CONFIG,
                "duplicates window can not be larger then max age",
            ),
            (
                r#"{"name":"A","deny_purge":true,"allow_rollup_hdrs":true}"#,
                CONFIG,
                "roll-ups require the purge permission",
            ),
            (
                r#"{"name":"A","discard_new_per_subject":true}"#,
                CONFIG,
                "discard new per subject requires discard new policy to be set",
            ),
            (
                r#"{"name":"A","discard":"new","discard_new_per_subject":true}"#,
                CONFIG,
                "discard new per subject requires max msgs per subject > 0",
            ),
            (
                r#"{"name":"A","sealed":true}"#,
                CONFIG,
                "stream configuration for create can not be sealed",
            ),
            (
                r#"{"name":"A","mirror_direct":true}"#,
                CONFIG,
                "stream has no mirror but does have mirror direct",
            ),
            (
                r#"{"name":"A","placement":{"preferred":"n1"}}"#,
                CONFIG,
                "preferred server not permitted in placement",
            ),
            (
                r#"{"name":"A","pedantic":true,"max_msgs":-5}"#,
                (400, 10157),
                "pedantic mode: max_msgs must be set to -1",
            ),
            (
                r#"{"name":"A","pedantic":true,"max_age":1000000000}"#,
                (400, 10157),
                "pedantic mode: duplicate window cannot be bigger than max age",
            ),
        ],
    );
}

#[test]
fn subjects_transforms_republish() {
    let captures = "subjects that overlap with jetstream api require no-ack to be true";
    let system = "subjects that overlap with system api require no-ack to be true";
    check_all(
        &[],
        &[
            (r#"{"name":"A","subjects":["a..b"]}"#, CONFIG, "invalid subject"),
            (r#"{"name":"A","subjects":["a","a"]}"#, CONFIG, r#"subject "a" overlaps with "a""#),
            (
                r#"{"name":"A","subjects":["a.*.c","a.b.*"]}"#,
                CONFIG,
                r#"subject "a.*.c" overlaps with "a.b.*""#,
            ),
            (
                r#"{"name":"A","subjects":[">"]}"#,
                CONFIG,
                "capturing all subjects requires no-ack to be true",
            ),
            (r#"{"name":"A","subjects":[">"],"no_ack":true}"#, OK, ""),
            (r#"{"name":"A","subjects":["$JS.API.x"]}"#, CONFIG, captures),
            (r#"{"name":"A","subjects":["*.b"]}"#, CONFIG, captures),
            (r#"{"name":"A","subjects":["$JS.EVENT.>"]}"#, OK, ""),
            (r#"{"name":"A","subjects":["$SYS.x"]}"#, CONFIG, system),
            (r#"{"name":"A","subjects":["$SYS.ACCOUNT.>"]}"#, OK, ""),
            (
                r#"{"name":"A","subjects":["b"],"subject_transform":{"src":"b..c","dest":"x"}}"#,
                (400, 10155),
                "stream transform source: invalid subject b..c",
            ),
            (
                r#"{"name":"A","subjects":["b"],"subject_transform":{"src":"b.*","dest":"x..y"}}"#,
                (400, 10156),
                "stream transform: invalid mapping destination: invalid transform",
            ),
            (
                r#"{"name":"A","subjects":["b"],"subject_transform":{"src":"","dest":"x"}}"#,
                (400, 10156),
                "stream transform: invalid subject",
            ),
            (
                r#"{"name":"B","subjects":["b.*"],"republish":{"dest":"b.x"}}"#,
                CONFIG,
                "stream configuration for republish destination forms a cycle",
            ),
            (
                r#"{"name":"B","subjects":["b.*"],"republish":{"src":"x.*","dest":"q.>"}}"#,
                CONFIG,
                "stream configuration for republish with transform from 'x.*' to 'q.>' not valid",
            ),
        ],
    );
}

const ORIGINS: &[&str] = &[
    r#"{"name":"A","subjects":["a"],"max_msg_size":100,"allow_direct":true}"#,
    r#"{"name":"L","subjects":["p.>"]}"#,
    r#"{"name":"S1","subjects":["s1"],"sources":[{"name":"M2"}]}"#,
];

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn mirrors() {
    check_all(
        ORIGINS,
        &[
            (r#"{"name":"M","mirror":{"name":"NONE"}}"#, OK, ""),
            (
                r#"{"name":"M","mirror":{"name":"A"},"subjects":["m"]}"#,
                (400, 10034),
                "stream mirrors can not contain subjects",
            ),
            (
                r#"{"name":"M","mirror":{"name":"A"},"sources":[{"name":"B"}]}"#,
                (400, 10031),
                "stream mirrors can not also contain other sources",
            ),
            (
                r#"{"name":"M","mirror":{"name":"A"},"first_seq":5}"#,
                (400, 10143),
                "stream mirrors can not have first sequence configured",
            ),
            (r#"{"name":"M","mirror":{"name":"M"}}"#, CONFIG, "detected cycle"),
            (r#"{"name":"M2","mirror":{"name":"S1"}}"#, CONFIG, "detected cycle"),
            (
                r#"{"name":"M","mirror":{"name":""}}"#,
                (400, 10142),
                "mirrored stream name is invalid",
            ),
            (
                r#"{"name":"M","mirror":{"name":"A","opt_start_seq":5,
            "opt_start_time":"2020-01-01T00:00:00Z"}}"#,
                OK,
                "",
            ),
            (
                r#"{"name":"M","mirror":{"name":"A","filter_subject":"a..b"}}"#,
                (500, 10049),
                "subject filter 'a..b' for the mirror invalid subject",
            ),
            (
                r#"{"name":"M","mirror":{"name":"A","filter_subject":"a",
            "subject_transforms":[{"src":"a","dest":"b"}]}}"#,
                (400, 10150),
                "mirror with multiple subject transforms cannot also have a single subject filter",
            ),
            (
                r#"{"name":"M","mirror":{"name":"A","subject_transforms":[{"src":"a..b","dest":"b"}]}}"#,
                (400, 10151),
                "mirror transform source: invalid subject a..b",
            ),
            (
                r#"{"name":"M","mirror":{"name":"A",
            "subject_transforms":[{"src":"a.*","dest":"x.{{wildcard(2)}}"}]}}"#,
                (400, 10154),
                "mirror transform: invalid mapping destination: wildcard index out of range in \
             {{wildcard(2)}}: [2]",
            ),
            (
                r#"{"name":"M","mirror":{"name":"A",
            "subject_transforms":[{"src":"a.*","dest":"x"},{"src":"a.b","dest":"y"}]}}"#,
                (400, 10152),
                "mirror subject filters can not overlap",
            ),
            (
                r#"{"name":"M","mirror":{"name":"A"},"max_msg_size":50}"#,
                (400, 10030),
                "stream mirror must have max message size >= source",
            ),
            (r#"{"name":"M","mirror":{"name":"L"},"max_msg_size":50}"#, OK, ""),
            (
                r#"{"name":"M","mirror":{"name":"A"},"mirror_direct":false,"pedantic":true}"#,
                (400, 10157),
                "pedantic mode: origin stream has direct get set, mirror has it disabled",
            ),
        ],
    );
}

#[test]
fn what_mirrors_can_not_have() {
    check_all(
        ORIGINS,
        &[
            (
                r#"{"name":"M","mirror":{"name":"A","external":{"api":"$JS.API"}}}"#,
                (400, 10021),
                "stream external api prefix $JS.API must not overlap with $JS.API",
            ),
            (
                r#"{"name":"M","mirror":{"name":"A","external":{"api":"$JS.*.API"}}}"#,
                CONFIG,
                r#"stream external api prefix "$JS.*.API" must be a valid subject without wildcards"#,
            ),
            (
                r#"{"name":"M","mirror":{"name":"A","external":{"api":"$JS.X.API","deliver":"d.*"}}}"#,
                (400, 10024),
                "stream external delivery prefix d.* must not contain wildcards",
            ),
            (
                r#"{"name":"M","sources":[{"name":"L"},
            {"name":"A","external":{"api":"$JS.X.API","deliver":"p"}}]}"#,
                (400, 10022),
                "stream external delivery prefix p overlaps with stream subject p.>",
            ),
            (
                r#"{"name":"M","mirror":{"name":"A"},"allow_msg_counter":true}"#,
                (400, 10173),
                "stream mirrors can not also calculate counters",
            ),
            (
                r#"{"name":"M","mirror":{"name":"A"},"allow_atomic":true}"#,
                (400, 10198),
                "stream mirrors can not also use atomic publishing",
            ),
            (
                r#"{"name":"M","mirror":{"name":"A"},"allow_batched":true}"#,
                (400, 10209),
                "stream mirrors can not also use batch publishing",
            ),
            (
                r#"{"name":"M","mirror":{"name":"A"},"allow_msg_schedules":true}"#,
                (400, 10186),
                "stream mirrors can not also schedule messages",
            ),
            (
                r#"{"name":"M","mirror":{"name":"A"},"subject_delete_marker_ttl":1000000000}"#,
                CONFIG,
                "subject delete markers forbidden on mirrors",
            ),
            (
                r#"{"name":"M","mirror":{"name":"A","consumer":{"name":"d"}}}"#,
                (400, 10213),
                "stream mirror consumer config is invalid",
            ),
        ],
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn sources() {
    check_all(
        ORIGINS,
        &[
            (r#"{"name":"S","sources":[{"name":"NONE"}]}"#, OK, ""),
            (
                r#"{"name":"S","sources":[{"name":"a.b"}]}"#,
                (400, 10141),
                "sourced stream name is invalid",
            ),
            (r#"{"name":"S","sources":[null]}"#, (400, 10141), "sourced stream name is invalid"),
            (r#"{"name":"S","sources":[{"name":"S"}]}"#, CONFIG, "detected cycle"),
            (
                r#"{"name":"S","subjects":["s"],"sources":[{"name":"S","filter_subject":"t"}]}"#,
                OK,
                "",
            ),
            (
                r#"{"name":"S","sources":[{"name":"A"},{"name":"A","opt_start_seq":5}]}"#,
                (400, 10140),
                "duplicate source configuration detected",
            ),
            (
                r#"{"name":"S","sources":[{"name":"A","filter_subject":"x"},
            {"name":"A","filter_subject":"x.>"}]}"#,
                OK,
                "",
            ),
            (
                r#"{"name":"S","sources":[{"name":"A","filter_subject":"a..b"}]}"#,
                (500, 10049),
                "subject filter 'a..b' for the source: invalid subject",
            ),
            (
                r#"{"name":"S","sources":[{"name":"A","filter_subject":"a",
            "subject_transforms":[{"src":"a","dest":"b"}]}]}"#,
                (400, 10144),
                "source with multiple subject transforms cannot also have a single subject filter",
            ),
            (
                r#"{"name":"S","sources":[{"name":"A","subject_transforms":[{"src":"a..b","dest":"x"}]}]}"#,
                (400, 10145),
                "source transform source: invalid subject a..b",
            ),
            (
                r#"{"name":"S","sources":[{"name":"A",
            "subject_transforms":[{"src":"a.*","dest":"x.{{bad(1)}}"}]}]}"#,
                (400, 10146),
                "source transform: invalid mapping destination: unknown function in {{bad(1)}}",
            ),
            (
                r#"{"name":"S","sources":[{"name":"A",
            "subject_transforms":[{"src":"a.*","dest":"x"},{"src":"a.b","dest":"y"}]}]}"#,
                (400, 10147),
                "source filters can not overlap",
            ),
            (
                r#"{"name":"S","sources":[{"name":"A",
            "subject_transforms":[{"src":"a.*.b","dest":""},{"src":"a.c.*","dest":""}]}]}"#,
                OK,
                "",
            ),
            (
                r#"{"name":"S","sources":[{"name":"A"}],"max_msg_size":50}"#,
                (400, 10046),
                "stream source must have max message size >= target",
            ),
            (
                r#"{"name":"S","sources":[{"name":"A"}],"allow_msg_schedules":true}"#,
                (400, 10187),
                "stream source can not also schedule messages",
            ),
            (
                r#"{"name":"S","sources":[{"name":"A","consumer":{"name":"d"}}]}"#,
                (400, 10215),
                "stream source consumer config is invalid",
            ),
            (
                r#"{"name":"S","sources":[{"name":"A","consumer":{"name":"d","deliver_subject":"x"}},
            {"name":"A","filter_subject":"","consumer":{"name":"d","deliver_subject":"y"},
            "subject_transforms":[{"src":"a","dest":"b"}]}]}"#,
                (400, 10216),
                "duplicate stream source consumer detected",
            ),
        ],
    );
}

#[test]
fn defaults_are_filled_in() {
    let streams = world(ORIGINS);
    let fields = |body: &str, names: &[&str]| {
        let config = create(&streams, body).unwrap();
        let value = serde_json::to_value(config).unwrap();
        names.iter().map(|name| value.get(name).cloned().unwrap_or_default()).collect::<Vec<_>>()
    };
    use serde_json::json;
    for (body, name, expected) in [
        (r#"{"name":"P"}"#, "subjects", json!(["P"])),
        (r#"{"name":"P"}"#, "duplicate_window", json!(120_000_000_000_i64)),
        (r#"{"name":"P","max_age":60000000000}"#, "duplicate_window", json!(60_000_000_000_i64)),
        (r#"{"name":"P","max_msgs":0,"max_bytes":-7}"#, "max_bytes", json!(-1)),
        (r#"{"name":"P"}"#, "num_replicas", json!(1)),
        (r#"{"name":"P"}"#, "metadata", json!({"_nats.req.level": "0"})),
        (r#"{"name":"P","allow_atomic":true}"#, "metadata", json!({"_nats.req.level": "2"})),
        (
            r#"{"name":"P","allow_atomic":true,"allow_batched":true}"#,
            "metadata",
            json!({"_nats.req.level": "4"}),
        ),
        (
            r#"{"name":"P","metadata":{"_nats.req.level":"3","_nats.ver":"1"}}"#,
            "metadata",
            json!({"_nats.req.level": "0"}),
        ),
        (r#"{"name":"P","placement":{}}"#, "placement", json!(null)),
        (
            r#"{"name":"P","republish":{"dest":"r.>"}}"#,
            "republish",
            json!({"src": ">", "dest": "r.>"}),
        ),
        (r#"{"name":"P","sources":[{"name":"A"}]}"#, "duplicate_window", json!(null)),
        (r#"{"name":"P","sources":[{"name":"A"}]}"#, "subjects", json!(null)),
        (r#"{"name":"P","mirror":{"name":"A"}}"#, "mirror_direct", json!(true)),
        (
            r#"{"name":"P","mirror":{"name":"NONE"},"mirror_direct":true}"#,
            "mirror_direct",
            json!(true),
        ),
    ] {
        assert_eq!(fields(body, &[name]), [expected], "{body} {name}");
    }
}

#[test]
fn updates() {
    let base = r#"{"name":"A","subjects":["a"],"deny_delete":true,"deny_purge":true}"#;
    let plain = r#"{"name":"A","subjects":["a"]}"#;
    let mirror = r#"{"name":"A","mirror":{"name":"B"}}"#;
    let queue = r#"{"name":"A","subjects":["a"],"retention":"workqueue"}"#;
    let retention = "stream configuration update can not change retention policy to/from workqueue";
    for (old, new, codes, text) in [
        (plain, r#"{"name":"A"}"#, OK, ""),
        (
            plain,
            r#"{"name":"A","storage":"memory"}"#,
            CONFIG,
            "stream configuration update can not change storage type",
        ),
        (plain, queue, CONFIG, retention),
        (queue, plain, CONFIG, retention),
        (
            base,
            r#"{"name":"A","deny_purge":true}"#,
            CONFIG,
            "stream configuration update can not cancel deny message deletes",
        ),
        (
            base,
            r#"{"name":"A","deny_delete":true}"#,
            CONFIG,
            "stream configuration update can not cancel deny purge",
        ),
        (plain, mirror, (400, 10055), "stream mirror configuration can not be updated"),
        (
            mirror,
            r#"{"name":"A","mirror":{"name":"C"}}"#,
            (400, 10055),
            "stream mirror configuration can not be updated",
        ),
        (mirror, r#"{"name":"A","subjects":["m"]}"#, OK, ""),
    ] {
        let streams = Streams::new();
        let old = create(&streams, old).unwrap();
        let found = updated(&old, create(&streams, new).unwrap());
        let found = found.map_or_else(
            |error| ((error.code, error.err_code), error.description.into_owned()),
            |_| (OK, String::new()),
        );
        assert_eq!(found, (codes, text.to_owned()), "{new}");
    }
}

#[test]
fn sealing_brings_its_settings_and_stays() {
    let create = |body| create(&Streams::new(), body).unwrap();
    let old = create(r#"{"name":"A","max_age":60000000000,"allow_rollup_hdrs":true}"#);
    let mut wanted = old.clone();
    wanted.sealed = true;
    let sealed = updated(&old, wanted).unwrap();
    assert!(sealed.deny_delete && sealed.deny_purge && !sealed.allow_rollup_hdrs);
    assert_eq!(sealed.max_age, 0);
    let error = updated(&sealed, old).unwrap_err();
    assert_eq!(error.description, "stream configuration update can not unseal a sealed stream");
}
