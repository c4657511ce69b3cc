//! The tables against those of NATS's page on data replication, with the bytes of nats-server 2.15.1.

use super::*;
use serde_json::json;

fn streams() -> Vec<StreamInfo> {
    let state = |messages: u64, bytes: u64| json!({"messages": messages, "bytes": bytes, "consumer_count": 0, "num_deleted": 0});
    let replicas = |leader: &str, others: [&str; 2]| {
        let replicas = others.map(|name| json!({"name": name, "current": true}));
        json!({"name": "c2", "leader": leader, "replicas": replicas})
    };
    [
        json!({"config": {"name": "ARCHIVE", "storage": "file",
            "sources": [{"name": "ORDERS"}, {"name": "RETURNS"}]}, "state": state(200, 27_648),
            "sources": [{"name": "ORDERS", "lag": 0, "active": 14_480_000_000_i64},
                {"name": "RETURNS", "lag": 1234, "active": 9_830_000_000_i64}]}),
        json!({"config": {"name": "ORDERS", "storage": "memory"}, "state": state(100, 3392),
            "cluster": replicas("n2-c2", ["n3-c2", "n1-c2"])}),
        json!({"config": {"name": "REPORT", "storage": "file", "mirror": {"name": "ARCHIVE"}},
            "state": {"messages": 200, "bytes": 27_648, "lost": {"msgs": [3, 4], "bytes": 100},
                "deleted": [1, 2, 3]},
            "mirror": {"name": "ARCHIVE", "active": -1,
                "error": {"code": 404, "err_code": 10059, "description": "stream not found"}}}),
        json!({"config": {"name": "RETURNS", "storage": "memory"}, "state": state(100, 3592)}),
    ]
    .iter()
    .map(|stream| StreamInfo::read(stream).unwrap())
    .collect()
}

#[test]
fn the_report_on_streams() {
    let expected = "\
+--------------------------------------------------------------------------------------------------------------+
|                                                Stream Report                                                 |
+---------+---------+-------------+-----------+----------+---------+-----------+---------+----------------------+
| Stream  | Storage | Replication | Consumers | Messages | Bytes   | Lost      | Deleted | Cluster              |
+---------+---------+-------------+-----------+----------+---------+-----------+---------+----------------------+
| ORDERS  | Memory  |             | 0         | 100      | 3.3 KiB | 0         | 0       | n1-c2, n2-c2*, n3-c2 |
| RETURNS | Memory  |             | 0         | 100      | 3.5 KiB | 0         | 0       |                      |
| ARCHIVE | File    | Sourced     | 0         | 200      | 27 KiB  | 0         | 0       |                      |
| REPORT  | File    | Mirror      | 0         | 200      | 27 KiB  | 2 (100 B) | 3       |                      |
+---------+---------+-------------+-----------+----------+---------+-----------+---------+----------------------+";
    let text = table(streams(), true).to_string();
    // The title is as wide as the table, whatever stands in it.
    let widths: Vec<_> = text.lines().map(str::len).collect();
    assert!(widths.iter().all(|width| *width == widths[0]), "{text}");
    assert_eq!(
        text.lines().skip(2).collect::<Vec<_>>(),
        expected.lines().skip(2).collect::<Vec<_>>()
    );
}

#[test]
fn the_report_on_replication() {
    let expected = "\
+---------------------------------------------------------------------------------+
|                               Replication Report                                |
+---------+--------+---------------+--------+---------+--------------------------+
| Stream  | Kind   | Source Stream | Active | Lag     | Error                    |
+---------+--------+---------------+--------+---------+--------------------------+
| ARCHIVE | Source | ORDERS        | 14.48s | 0       |                          |
| ARCHIVE | Source | RETURNS       | 9.83s  | 1,234   |                          |
| REPORT  | Mirror | ARCHIVE       | never  | unknown | stream not found (10059) |
+---------+--------+---------------+--------+---------+--------------------------+";
    let text = replication::table(&streams()).to_string();
    assert_eq!(
        text.lines().skip(2).collect::<Vec<_>>(),
        expected.lines().skip(2).collect::<Vec<_>>()
    );
}

#[test]
fn a_server_without_copies_has_no_column_for_them() {
    let alone = vec![streams().remove(1)];
    assert!(!table(alone, false).to_string().contains("Replication"));
}

#[test]
fn servers_of_a_cluster() {
    for (cluster, expected) in [
        (json!({"leader": "n1"}), "n1*"),
        (json!({}), ""),
        (
            json!({"leader": "b", "replicas": [{"name": "c", "current": true, "offline": true},
            {"name": "a", "current": false}]}),
            "a!, b*, c!",
        ),
    ] {
        let cluster: Cluster = serde_json::from_value(cluster).unwrap();
        assert_eq!(cluster_text(&cluster), expected);
    }
}
