//! `server check jetstream`: what an account uses of its limits, and whether all servers keep up with its streams.
//! Not here: a single stream (`stream`).

use super::verdict::{Measure, Verdict};
use crate::cli::account::{AccountInfo, Usage};
use crate::cli::connection::Connection;
use crate::cli::duration;
use crate::cli::error::Result;
use crate::cli::stream::reply::StreamInfo;
use crate::cli::stream::report;
use clap::Args;
use std::time::Duration;

/// Thresholds, in percent of a limit; -1 for none.
#[derive(Debug, Args)]
pub(in crate::cli) struct JetStreamFlags {
    /// Warn above so much of the memory
    #[arg(long, value_name = "PERCENT", default_value_t = 75, allow_negative_numbers = true)]
    mem_warn: i64,
    /// Critical above so much of the memory
    #[arg(long, value_name = "PERCENT", default_value_t = 90, allow_negative_numbers = true)]
    mem_critical: i64,
    /// Warn above so much of the storage
    #[arg(long, value_name = "PERCENT", default_value_t = 75, allow_negative_numbers = true)]
    store_warn: i64,
    /// Critical above so much of the storage
    #[arg(long, value_name = "PERCENT", default_value_t = 90, allow_negative_numbers = true)]
    store_critical: i64,
    /// Warn above so many of the streams
    #[arg(long, value_name = "PERCENT", default_value_t = -1, allow_negative_numbers = true)]
    streams_warn: i64,
    /// Critical above so many of the streams
    #[arg(long, value_name = "PERCENT", default_value_t = -1, allow_negative_numbers = true)]
    streams_critical: i64,
    /// Warn above so many of the consumers
    #[arg(long, value_name = "PERCENT", default_value_t = -1, allow_negative_numbers = true)]
    consumers_warn: i64,
    /// Critical above so many of the consumers
    #[arg(long, value_name = "PERCENT", default_value_t = -1, allow_negative_numbers = true)]
    consumers_critical: i64,
    /// Do not look at the servers of streams
    #[arg(long, overrides_with = "replicas")]
    no_replicas: bool,
    #[arg(long, hide = true)]
    replicas: bool,
    /// Critical when a server of a stream was seen longer ago
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration::parse)]
    replica_seen_critical: Duration,
    /// Critical when a server of a stream is more than so many operations behind
    #[arg(long, value_name = "COUNT", default_value_t = 200)]
    replica_lag_critical: u64,
}

/// Looks at it.
pub(super) async fn judge(
    connection: &Connection,
    flags: &JetStreamFlags,
    verdict: &mut Verdict,
) -> Result<()> {
    judge_usage(&AccountInfo::fetch(connection).await?.usage, flags, verdict);
    if !flags.no_replicas {
        judge_replicas(&report::fetch(connection, None).await?, flags, verdict);
    }
    Ok(())
}

fn judge_usage(usage: &Usage, flags: &JetStreamFlags, verdict: &mut Verdict) {
    let limits = &usage.limits;
    for (name, unit, used, most, warning, critical) in [
        ("memory", "B", usage.memory, limits.max_memory, flags.mem_warn, flags.mem_critical),
        ("storage", "B", usage.storage, limits.max_storage, flags.store_warn, flags.store_critical),
        (
            "streams",
            "",
            usage.streams,
            limits.max_streams,
            flags.streams_warn,
            flags.streams_critical,
        ),
        (
            "consumers",
            "",
            usage.consumers,
            limits.max_consumers,
            flags.consumers_warn,
            flags.consumers_critical,
        ),
    ] {
        let percent = percent(used, most);
        verdict.measure(Measure { value: used as f64, unit, ..Measure::named(name) });
        verdict.measure(Measure {
            value: percent as f64,
            unit: "%",
            warning: warning.max(0) as f64,
            critical: critical.max(0) as f64,
            ..Measure::named(&format!("{name}_pct"))
        });
        let is_over = |threshold: i64| u64::try_from(threshold).is_ok_and(|most| percent > most);
        match () {
            () if warning >= 0 && critical >= 0 && warning >= critical => {
                verdict.unknown(format_args!("{name}: the warning is not below critical"));
            }
            () if percent > 100 => verdict.critical(format_args!("{name}: exceeds its limit")),
            () if is_over(critical) => verdict.critical(format_args!("{percent}% {name}")),
            () if is_over(warning) => verdict.warn(format_args!("{percent}% {name}")),
            () => {}
        }
    }
}

/// How much of a limit is used; nothing of none.
fn percent(used: u64, most: i64) -> u64 {
    match u64::try_from(most) {
        Ok(most @ 1..) => {
            u64::try_from(u128::from(used) * 100 / u128::from(most)).unwrap_or(u64::MAX)
        }
        _ => 0,
    }
}

/// What is wrong with streams that several servers keep.
#[derive(Debug, Default)]
struct Counts {
    ok: u64,
    no_leader: u64,
    missing: u64,
    lagged: u64,
    not_seen: u64,
    failed: u64,
}

impl Counts {
    fn add(&mut self, info: &StreamInfo, flags: &JetStreamFlags) {
        let cluster = match &info.cluster {
            _ if info.config.num_replicas <= 1 => return self.ok += 1,
            Some(cluster) => cluster,
            None => return self.failed += 1,
        };
        if cluster.leader.is_empty() {
            return self.no_leader += 1;
        }
        let peers: Vec<_> = cluster.replicas.iter().flatten().collect();
        if peers.len() as u64 + 1 != info.config.num_replicas {
            return self.missing += 1;
        }
        let before = self.failed + self.not_seen + self.lagged;
        let (seen, lag) = (flags.replica_seen_critical, flags.replica_lag_critical);
        for peer in peers {
            let active = u64::try_from(peer.active).map(Duration::from_nanos);
            let is_late = !seen.is_zero() && active.is_ok_and(|active| active > seen);
            match () {
                () if peer.offline => self.failed += 1,
                () if is_late => self.not_seen += 1,
                () if lag > 0 && peer.lag > lag => self.lagged += 1,
                () => {}
            }
        }
        if self.failed + self.not_seen + self.lagged == before {
            self.ok += 1;
        }
    }
}

fn judge_replicas(streams: &[StreamInfo], flags: &JetStreamFlags, verdict: &mut Verdict) {
    let mut counts = Counts::default();
    streams.iter().for_each(|stream| counts.add(stream, flags));
    let Counts { ok, no_leader, missing, lagged, not_seen, failed } = counts;
    verdict.count("replicas_ok", ok);
    verdict.count("replicas_no_leader", no_leader);
    verdict.count("replicas_missing_replicas", missing);
    let critical = Some(flags.replica_lag_critical);
    verdict.measure(Measure::count("replicas_lagged", lagged, None, critical));
    verdict.count("replicas_not_seen", not_seen);
    verdict.count("replicas_fail", failed);
    match no_leader + missing + lagged + not_seen + failed {
        0 => {}
        unhealthy => verdict.critical(format_args!("{unhealthy} unhealthy streams")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use serde_json::{Value, json};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        flags: JetStreamFlags,
    }

    fn flags(line: &str) -> JetStreamFlags {
        Line::parse_from(["headwater"].into_iter().chain(line.split_whitespace())).flags
    }

    #[test]
    fn use_of_limits() {
        for (used, most, line, expected) in [
            (75, 100, "", "OK S |"),
            (76, 100, "", "WARNING S Warn:76% storage |"),
            (91, 100, "", "CRITICAL S Crit:91% storage |"),
            (101, 100, "", "CRITICAL S Crit:storage: exceeds its limit |"),
            (101, -1, "", "OK S |"),
            (50, 100, "--store-warn 40", "WARNING S Warn:50% storage |"),
            (50, 100, "--store-warn -1 --store-critical 40", "CRITICAL S Crit:50% storage |"),
            (
                50,
                100,
                "--store-warn 40 --store-critical 30",
                "UNKNOWN S Unknown:storage: the warning is not below critical |",
            ),
        ] {
            let usage = json!({"storage": used, "limits": {"max_storage": most}});
            let usage: Usage = serde_json::from_value(usage).unwrap();
            let mut verdict = Verdict::new("S".to_owned());
            judge_usage(&usage, &flags(line), &mut verdict);
            assert!(verdict.to_string().starts_with(expected), "{line}: {verdict}");
        }
        let mut verdict = Verdict::new("S".to_owned());
        judge_usage(
            &Usage { storage: 215, ..Usage::default() },
            &flags("--streams-warn 1"),
            &mut verdict,
        );
        let expected = "OK S | memory=0B memory_pct=0%;75;90 storage=215B storage_pct=0%;75;90 \
                        streams=0 streams_pct=0%;1 consumers=0 consumers_pct=0%";
        assert_eq!(verdict.to_string(), expected);
    }

    #[test]
    fn servers_of_streams() {
        let stream = |cluster: Value| {
            StreamInfo::read(&json!({"config": {"num_replicas": 3}, "cluster": cluster})).unwrap()
        };
        let peers =
            |other: Value| stream(json!({"leader": "a", "replicas": [{"active": 1}, other]}));
        let single = StreamInfo::read(&json!({"config": {"num_replicas": 1}})).unwrap();
        for (stream, expected) in [
            (single, "OK S | replicas_ok=1 replicas_no_leader=0"),
            (peers(json!({"active": 1})), "OK S | replicas_ok=1 "),
            (stream(Value::Null), "CRITICAL S Crit:1 unhealthy streams | replicas_ok=0 "),
            (
                stream(json!({"leader": ""})),
                "CRITICAL S Crit:1 unhealthy streams | replicas_ok=0 replicas_no_leader=1",
            ),
            (
                stream(json!({"leader": "a"})),
                "CRITICAL S Crit:1 unhealthy streams | replicas_ok=0 replicas_no_leader=0 replicas_missing_replicas=1",
            ),
            (
                peers(json!({"offline": true})),
                "CRITICAL S Crit:1 unhealthy streams | replicas_ok=0 ",
            ),
            (peers(json!({"lag": 201})), "CRITICAL S Crit:1 unhealthy streams | replicas_ok=0 "),
            (
                peers(json!({"active": 6_000_000_000_i64})),
                "CRITICAL S Crit:1 unhealthy streams | replicas_ok=0 ",
            ),
        ] {
            let mut verdict = Verdict::new("S".to_owned());
            judge_replicas(&[stream], &flags(""), &mut verdict);
            assert!(verdict.to_string().starts_with(expected), "{verdict}");
        }
    }
}
