//! Verdicts on streams, as tables.

use super::*;
use clap::Parser;
use serde_json::{Value, json};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    flags: StreamFlags,
}

fn check(info: &Value, line: &str) -> String {
    let words = ["headwater", "--stream", "S"].into_iter().chain(line.split_whitespace());
    let flags = Line::parse_from(words).flags;
    let info = StreamInfo::read(info).unwrap();
    let noted = Noted(info.config.metadata.as_ref());
    let mut verdict = Verdict::new("S".to_owned());
    for judge in [judge_servers, judge_messages, judge_subjects, judge_sources, judge_mirror] {
        judge(&info, &flags, &noted, &mut verdict).unwrap();
    }
    verdict.to_string()
}

#[test]
fn what_it_holds() {
    let info = json!({"state": {"messages": 5, "num_subjects": 3}});
    for (line, expected) in [
        ("", "OK S OK:0 sources | sources=0"),
        ("--msgs-warn 4", "OK S OK:5 messages OK:0 sources | messages=5;4 sources=0"),
        (
            "--msgs-warn 100 --msgs-critical 50",
            "CRITICAL S Crit:5 messages OK:0 sources | messages=5;100;50 sources=0",
        ),
        (
            "--msgs-warn 5 --msgs-critical 4",
            "WARNING S Warn:5 messages OK:0 sources | messages=5;5;4 sources=0",
        ),
        (
            "--subjects-warn 3 --subjects-critical 4",
            "WARNING S Warn:3 subjects OK:0 sources | subjects=3;3;4 sources=0",
        ),
        (
            "--subjects-warn 2 --subjects-critical 3",
            "CRITICAL S Crit:3 subjects OK:0 sources | subjects=3;2;3 sources=0",
        ),
        (
            "--subjects-warn 4 --subjects-critical 2",
            "WARNING S Warn:3 subjects OK:0 sources | subjects=3;4;2 sources=0",
        ),
        (
            "--subjects-warn 9 --subjects-critical 3",
            "CRITICAL S Crit:3 subjects OK:0 sources | subjects=3;9;3 sources=0",
        ),
        ("--min-sources 1", "CRITICAL S Crit:0 sources | sources=0;1"),
        ("--peer-expect 3", "CRITICAL S Crit:Stream is not clustered OK:0 sources | sources=0"),
        ("--lag-critical 1", "CRITICAL S Crit:not mirrored OK:0 sources | sources=0"),
    ] {
        assert_eq!(check(&info, line), expected, "{line}");
    }
}

#[test]
fn metadata_holds_thresholds() {
    let info = json!({"state": {"messages": 5},
        "config": {"metadata": {"io.nats.monitor.msgs-critical": "5"}}});
    let expected = "CRITICAL S Crit:5 messages OK:0 sources | messages=5;;5 sources=0";
    assert_eq!(check(&info, ""), expected);
    let expected = "OK S OK:5 messages OK:0 sources | messages=5;;4 sources=0";
    assert_eq!(check(&info, "--msgs-critical 4"), expected);
}

#[test]
fn copies() {
    let second = 1_000_000_000_i64;
    let mirror = |lag: i64, active: i64| json!({"config": {"mirror": {"name": "M"}}, "mirror": {"name": "M", "lag": lag, "active": active}});
    for (info, line, expected) in [
        (
            mirror(1, second),
            "--lag-critical 2 --seen-critical 2s",
            "OK S OK:0 sources OK:Mirror M | sources=0 lag=1;;2 active=1.0000s;;2.0000",
        ),
        (
            mirror(2, 2 * second),
            "--lag-critical 2 --seen-critical 2s",
            "CRITICAL S Crit:Mirror Lag 2 Crit:Mirror Seen 2.00s OK:0 sources | sources=0 lag=2;;2 active=2.0000s;;2.0000",
        ),
        (
            mirror(0, -1),
            "--seen-critical 2s",
            "CRITICAL S Crit:Mirror Seen never OK:0 sources | sources=0 lag=0 active=0.0000s;;2.0000",
        ),
        (
            json!({"sources": [{"name": "A", "lag": 0, "active": 0}, {"name": "B", "lag": 9, "active": -1}]}),
            "--lag-critical 5 --seen-critical 1s --max-sources 1",
            "CRITICAL S Crit:2 sources Crit:1 sources are lagged Crit:1 sources are inactive \
             | sources=2;;1 sources_lagged=1 sources_inactive=1",
        ),
    ] {
        assert_eq!(check(&info, line), expected, "{line}");
    }
}

#[test]
fn servers() {
    let cluster = |leader: &str| {
        json!({"config": {"num_replicas": 3}, "cluster": {"leader": leader, "replicas": [
            {"name": "b", "current": true, "active": 1_000_000, "lag": 0},
            {"name": "c", "offline": true, "active": 9_000_000_000_i64, "lag": 7}]}})
    };
    for (leader, line, expected) in [
        ("a", "--peer-expect 3", "Crit:1 replicas offline OK:3 peers OK:0 sources"),
        (
            "a",
            "--peer-expect 5",
            "Crit:Expected 5 replicas got 3 Crit:1 replicas offline OK:0 sources",
        ),
        ("", "--peer-expect 3", "Crit:No leader OK:0 sources"),
        (
            "a",
            "--peer-lag-critical 5 --peer-seen-critical 1s",
            "Crit:1 replicas offline Crit:1 replicas lagged Crit:1 replicas inactive OK:3 peers OK:0 sources",
        ),
    ] {
        let expected = format!("CRITICAL S {expected} | sources=0");
        assert_eq!(check(&cluster(leader), line), expected, "{line}");
    }
}
