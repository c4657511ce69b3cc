//! Streams as nats-server 2.15.1 tells of them, and the sheets of NATS's page on data replication.

use super::*;
use serde_json::json;

fn config() -> serde_json::Value {
    json!({
        "name": "ARCHIVE", "retention": "limits", "max_consumers": -1, "max_msgs": -1, "max_bytes": -1,
        "max_age": 0, "max_msgs_per_subject": -1, "max_msg_size": -1, "discard": "old", "storage": "file",
        "num_replicas": 1, "duplicate_window": 120_000_000_000_i64, "compression": "none",
        "allow_direct": true, "mirror_direct": false, "sealed": false, "deny_delete": false,
        "deny_purge": false, "allow_rollup_hdrs": false, "consumer_limits": {},
        "sources": [{"name": "RETURNS"}, {"name": "ORDERS"}],
        "metadata": {"_nats.level": "5", "_nats.req.level": "0", "_nats.ver": "2.15.1"},
    })
}

fn text(info: &serde_json::Value) -> String {
    sheet(&StreamInfo::read(info).unwrap()).to_string()
}

#[test]
fn a_new_archive_reads_as_in_the_walkthrough() {
    let info = json!({
        "type": "io.nats.jetstream.api.v1.stream_create_response", "config": config(),
        "created": "some day",
        "state": {"messages": 0, "bytes": 0, "first_seq": 0, "first_ts": "0001-01-01T00:00:00Z",
            "last_seq": 0, "last_ts": "0001-01-01T00:00:00Z", "consumer_count": 0},
        "sources": [{"name": "ORDERS", "lag": 0, "active": -1},
            {"name": "RETURNS", "active": 135_000_000_000_i64, "error": {"code": 404,
            "err_code": 10059, "description": "stream not found"}}],
    });
    let expected = "\
Information for Stream ARCHIVE created some day

Configuration:

     Acknowledgements: true
            Retention: File - Limits
             Replicas: 1
       Discard Policy: Old
     Duplicate Window: 2m0s
    Allows Msg Delete: true
         Allows Purge: true
       Allows Rollups: false
     Maximum Messages: unlimited
        Maximum Bytes: unlimited
          Maximum Age: unlimited
 Maximum Message Size: unlimited
    Maximum Consumers: unlimited
              Sources: ORDERS
                       RETURNS

Source Information:

          Stream Name: ORDERS
                  Lag: 0
            Last Seen: never

          Stream Name: RETURNS
                  Lag: unknown
            Last Seen: 2m15s
                Error: stream not found

State:

             Messages: 0
                Bytes: 0 B
             FirstSeq: 0
              LastSeq: 0
     Active Consumers: 0
";
    assert_eq!(text(&info), expected);
}

#[test]
fn what_is_out_of_the_ordinary_is_shown() {
    let mut config = config();
    for (field, value) in [
        ("description", json!("of all")),
        ("subjects", json!(["a", "b.>"])),
        ("retention", json!("workqueue")),
        ("compression", json!("s2")),
        ("max_msgs", json!(1234)),
        ("max_msgs_per_subject", json!(5)),
        ("max_bytes", json!(1024)),
        ("max_age", json!(3_600_000_000_000_i64)),
        ("no_ack", json!(true)),
        ("first_seq", json!(7)),
        ("sealed", json!(true)),
        ("allow_direct", json!(false)),
        (
            "sources",
            json!([{"name": "A", "opt_start_seq": 7, "filter_subject": "a.>",
            "external": {"api": "$JS.hub.API", "deliver": ""}}]),
        ),
        ("metadata", json!({"owner": "me"})),
    ] {
        config[field] = value;
    }
    let info = json!({
        "config": config,
        "cluster": {"name": "C1", "leader": "n1", "replicas": [
            {"name": "n2", "current": true, "active": 1_500_000, "lag": 3}]},
        "state": {"messages": 1234, "bytes": 3392, "first_seq": 2, "first_ts": "2022-01-21T11:49:52.1Z",
            "last_seq": 9, "last_ts": "2022-01-21T11:49:53Z", "num_deleted": 2, "num_subjects": 3,
            "lost": {"msgs": [3], "bytes": 10}},
    });
    let text = text(&info);
    for line in [
        "          Description: of all\n",
        "             Subjects: a, b.>\n",
        "     Acknowledgements: false\n",
        "            Retention: File - WorkQueue\n",
        "          Compression: S2\n",
        "       First Sequence: 7\n",
        "               Sealed: true\n",
        "           Direct Get: false\n",
        "     Maximum Messages: 1,234\n",
        "  Maximum Per Subject: 5\n",
        "        Maximum Bytes: 1.0 KiB\n",
        "          Maximum Age: 1h0m0s\n",
        "              Sources: A, Start Seq: 7, Filter: a.>, API Prefix: $JS.hub.API\n",
        "             Metadata: owner: me\n",
        "              Replica: n2, current, seen 2ms ago, 3 operations behind\n",
        "        Lost Messages: 1\n",
        "             FirstSeq: 2 @ 2022-01-21T11:49:52 UTC\n",
        "     Deleted Messages: 2\n",
        "   Number of Subjects: 3\n",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}
