//! `server check consumer`: whether a consumer is read, and its messages are acknowledged.
//! Not here: what is printed of a consumer (`cli::consumer`).

use super::threshold::Noted;
use super::verdict::{Measure, Verdict};
use crate::cli::connection::Connection;
use crate::cli::consumer::list;
use crate::cli::consumer::reply::{ConsumerInfo, Position};
use crate::cli::error::Result;
use crate::cli::stream::name;
use crate::cli::{duration, time};
use clap::Args;
use std::time::Duration;

/// Which consumer, and its thresholds. They may stand in its metadata, as `io.nats.monitor.waiting-critical`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ConsumerFlags {
    /// Name of the stream
    #[arg(long, value_parser = name::parse)]
    pub(super) stream: String,
    /// Name of the consumer
    #[arg(long, value_parser = name::parse_consumer)]
    pub(super) consumer: String,
    /// Critical at so many messages that wait for an acknowledgement
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    outstanding_ack_critical: Option<i64>,
    /// Critical at so many requests that wait
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    waiting_critical: Option<i64>,
    /// Critical at so many messages that were not delivered
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    unprocessed_critical: Option<i64>,
    /// Critical when nothing was delivered for so long
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    last_delivery_critical: Option<Duration>,
    /// Critical when nothing was acknowledged for so long
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    last_ack_critical: Option<Duration>,
    /// Critical at so many messages that are delivered once more
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    redelivery_critical: Option<i64>,
    /// Critical unless each of its priority groups has a client pinned
    #[arg(long)]
    pinned: bool,
}

/// Looks at it.
pub(super) async fn judge(
    connection: &Connection,
    flags: &ConsumerFlags,
    verdict: &mut Verdict,
) -> Result<()> {
    let answer = list::fetch_one(connection, &flags.stream, &flags.consumer).await?;
    judge_info(&ConsumerInfo::read(&answer)?, flags, verdict)
}

fn judge_info(info: &ConsumerInfo, flags: &ConsumerFlags, verdict: &mut Verdict) -> Result<()> {
    let noted = Noted(info.config.metadata.as_ref());
    for (measure, label, value, given, name) in [
        (
            "ack_pending",
            "Ack Pending",
            info.num_ack_pending,
            flags.outstanding_ack_critical,
            "outstanding-ack-critical",
        ),
        (
            "pull_waiting",
            "Waiting Pulls",
            info.num_waiting,
            flags.waiting_critical,
            "waiting-critical",
        ),
        (
            "pending",
            "Unprocessed Messages",
            info.num_pending,
            flags.unprocessed_critical,
            "unprocessed-critical",
        ),
        (
            "redelivered",
            "Redelivered",
            info.num_redelivered,
            flags.redelivery_critical,
            "redelivery-critical",
        ),
    ] {
        let critical = noted.count(given, name)?;
        let text = format!("{label}: {value}");
        match critical {
            Some(critical) if value >= critical => verdict.critical(text),
            Some(_) => verdict.ok(text),
            None => {}
        }
        verdict.measure(Measure::count(measure, value, None, critical));
    }
    let critical = noted.time(flags.last_delivery_critical, "last-delivery-critical")?;
    judge_last(
        &info.delivered,
        "last_delivery",
        ["Last delivery", "No deliveries"],
        critical,
        verdict,
    );
    let critical = noted.time(flags.last_ack_critical, "last-ack-critical")?;
    judge_last(&info.ack_floor, "last_ack", ["Last ack", "No acks"], critical, verdict);
    if noted.switch(flags.pinned, "pinned")? {
        judge_pinned(info, verdict);
    }
    Ok(())
}

fn judge_last(
    position: &Position,
    measure: &str,
    [label, never]: [&str; 2],
    critical: Option<Duration>,
    verdict: &mut Verdict,
) {
    let since = position.last_active.as_deref().and_then(time::since);
    let since = since.and_then(|since| u64::try_from(since).ok()).map(Duration::from_nanos);
    match (critical, since) {
        (None, _) => {}
        (Some(_), None) => verdict.critical(never),
        (Some(critical), Some(since)) => {
            let text = format!("{label} {} ago", duration::elapsed_text(since));
            match since >= critical {
                true => verdict.critical(text),
                false => verdict.ok(text),
            }
        }
    }
    if let Some(since) = since {
        verdict.measure(Measure::time(measure, since, None, critical));
    }
}

fn judge_pinned(info: &ConsumerInfo, verdict: &mut Verdict) {
    let groups = info.config.priority_groups.as_ref().map_or(0, Vec::len);
    let states = info.priority_groups.iter().flatten();
    let pinned = states.filter(|group| !group.pinned_client_id.is_empty()).count();
    match () {
        () if groups == 0 || info.config.priority_policy != "pinned_client" => {
            verdict.critical("Not pinned client priority mode");
        }
        () if pinned != groups => {
            verdict.critical(format_args!("{pinned} / {groups} pinned clients"));
        }
        () => verdict.ok(format_args!("{pinned} pinned clients")),
    }
    verdict.count("pinned_groups", pinned as u64);
    verdict.count("groups", groups as u64);
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use serde_json::json;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        flags: ConsumerFlags,
    }

    #[test]
    fn consumers_are_judged() {
        let plain = json!({"num_ack_pending": 1, "num_waiting": 2, "num_pending": 3,
            "num_redelivered": 4});
        let numbers = "ack_pending=1 pull_waiting=2 pending=3 redelivered=4";
        let noted = json!({"num_pending": 3, "config": {
            "metadata": {"io.nats.monitor.unprocessed-critical": "3"}}});
        let pinned = |id: &str| {
            json!({"priority_groups": [{"group": "g", "pinned_client_id": id}],
                "config": {"priority_groups": ["g"], "priority_policy": "pinned_client"}})
        };
        let zeros = "ack_pending=0 pull_waiting=0 pending=0 redelivered=0";
        for (info, line, expected) in [
            (&plain, "", format!("OK S | {numbers}")),
            (
                &plain,
                "--unprocessed-critical 4 --redelivery-critical 4 --waiting-critical -1",
                "CRITICAL S Crit:Redelivered: 4 OK:Unprocessed Messages: 3 \
                 | ack_pending=1 pull_waiting=2 pending=3;;4 redelivered=4;;4"
                    .to_owned(),
            ),
            (
                &plain,
                "--last-delivery-critical 1s --last-ack-critical 1s",
                format!("CRITICAL S Crit:No deliveries Crit:No acks | {numbers}"),
            ),
            (
                &noted,
                "",
                "CRITICAL S Crit:Unprocessed Messages: 3 \
                 | ack_pending=0 pull_waiting=0 pending=3;;3 redelivered=0"
                    .to_owned(),
            ),
            (
                &pinned("x"),
                "--pinned",
                format!("OK S OK:1 pinned clients | {zeros} pinned_groups=1 groups=1"),
            ),
            (
                &pinned(""),
                "--pinned",
                format!("CRITICAL S Crit:0 / 1 pinned clients | {zeros} pinned_groups=0 groups=1"),
            ),
        ] {
            let words = ["headwater", "--stream", "S", "--consumer", "C"];
            let flags = Line::parse_from(words.into_iter().chain(line.split_whitespace())).flags;
            let mut verdict = Verdict::new("S".to_owned());
            judge_info(&ConsumerInfo::read(info).unwrap(), &flags, &mut verdict).unwrap();
            assert_eq!(verdict.to_string(), expected, "{line}");
        }
    }

    #[test]
    fn old_deliveries() {
        let position = Position {
            last_active: Some("2022-01-21T11:49:52Z".to_owned()),
            ..Position::default()
        };
        for (critical, expected) in
            [("1s", "CRITICAL S Crit:Last ack "), ("200y", "OK S OK:Last ack ")]
        {
            let mut verdict = Verdict::new("S".to_owned());
            let critical = duration::parse(critical).ok();
            judge_last(&position, "last_ack", ["Last ack", "No acks"], critical, &mut verdict);
            assert!(verdict.to_string().starts_with(expected), "{verdict}");
        }
    }
}
