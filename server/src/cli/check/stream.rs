//! `server check stream`: the servers of a stream, what it holds, and the streams it copies.
//! Not here: what is printed of a stream (`cli::stream`).

use super::threshold::Noted;
use super::verdict::{Measure, Verdict};
use crate::cli::connection::Connection;
use crate::cli::duration;
use crate::cli::error::Result;
use crate::cli::stream::reply::{CopyStatus, StreamInfo};
use crate::cli::stream::{list, name};
use clap::Args;
use std::time::Duration;

/// Which stream, and its thresholds. They may stand in the metadata of the stream, as `io.nats.monitor.lag-critical`.
#[derive(Debug, Args)]
pub(in crate::cli) struct StreamFlags {
    /// Name of the stream
    #[arg(long, value_parser = name::parse)]
    pub(super) stream: String,
    /// Critical when a copy is so many messages behind
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    lag_critical: Option<i64>,
    /// Critical when the origin of a copy was seen so long ago
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    seen_critical: Option<Duration>,
    /// Fewest sources
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    min_sources: Option<i64>,
    /// Most sources
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    max_sources: Option<i64>,
    /// How many servers keep it
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    peer_expect: Option<i64>,
    /// Critical when a server is more than so many operations behind
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    peer_lag_critical: Option<i64>,
    /// Critical when a server was seen longer ago
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    peer_seen_critical: Option<Duration>,
    /// Warn at so many messages or fewer
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    msgs_warn: Option<i64>,
    /// Critical at so many messages or fewer
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    msgs_critical: Option<i64>,
    /// Warn at so many subjects or more; or fewer, where critical is less
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    subjects_warn: Option<i64>,
    /// Critical at so many subjects or more; or fewer, where it is less than the warning
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    subjects_critical: Option<i64>,
}

/// Looks at it.
pub(super) async fn judge(
    connection: &Connection,
    flags: &StreamFlags,
    verdict: &mut Verdict,
) -> Result<()> {
    let info = StreamInfo::read(&list::fetch_one(connection, &flags.stream).await?)?;
    let noted = Noted(info.config.metadata.as_ref());
    judge_servers(&info, flags, &noted, verdict)?;
    judge_messages(&info, flags, &noted, verdict)?;
    judge_subjects(&info, flags, &noted, verdict)?;
    judge_sources(&info, flags, &noted, verdict)?;
    judge_mirror(&info, flags, &noted, verdict)
}

fn judge_servers(
    info: &StreamInfo,
    flags: &StreamFlags,
    noted: &Noted<'_>,
    verdict: &mut Verdict,
) -> Result<()> {
    let expected = noted.count(flags.peer_expect, "peer-expect")?;
    let lag_most = noted.count(flags.peer_lag_critical, "peer-lag-critical")?;
    let seen_most = noted.time(flags.peer_seen_critical, "peer-seen-critical")?;
    let cluster = info.cluster.as_ref().filter(|_| info.config.num_replicas > 1);
    let Some(cluster) = cluster else {
        if expected.is_some() {
            verdict.critical("Stream is not clustered");
        }
        return Ok(());
    };
    if cluster.leader.is_empty() {
        verdict.critical("No leader");
        return Ok(());
    }
    let peers: Vec<_> = cluster.replicas.iter().flatten().collect();
    let count = peers.len() as u64 + 1;
    match expected {
        Some(expected) if expected != count => {
            verdict.critical(format_args!("Expected {expected} replicas got {count}"));
        }
        _ => verdict.ok(format_args!("{count} peers")),
    }
    let offline = peers.iter().filter(|peer| peer.offline).count();
    if offline > 0 {
        verdict.critical(format_args!("{offline} replicas offline"));
    }
    if let Some(most) = lag_most {
        match peers.iter().filter(|peer| peer.lag > most).count() {
            0 => verdict.ok("replicas are current"),
            lagged => verdict.critical(format_args!("{lagged} replicas lagged")),
        }
    }
    if let Some(most) = seen_most {
        let is_late = |active: i64| since(active).is_none_or(|seen| seen > most);
        match peers.iter().filter(|peer| is_late(peer.active)).count() {
            0 => verdict.ok("replicas are active"),
            inactive => verdict.critical(format_args!("{inactive} replicas inactive")),
        }
    }
    Ok(())
}

fn judge_messages(
    info: &StreamInfo,
    flags: &StreamFlags,
    noted: &Noted<'_>,
    verdict: &mut Verdict,
) -> Result<()> {
    let warning = noted.count(flags.msgs_warn, "msgs-warn")?;
    let critical = noted.count(flags.msgs_critical, "msgs-critical")?;
    if warning.is_none() && critical.is_none() {
        return Ok(());
    }
    let count = info.state.messages;
    let is_few = |threshold: Option<u64>| threshold.is_some_and(|threshold| count <= threshold);
    let text = format!("{count} messages");
    match () {
        () if is_few(critical) => verdict.critical(text),
        () if is_few(warning) => verdict.warn(text),
        () => verdict.ok(text),
    }
    verdict.measure(Measure::count("messages", count, warning, critical));
    Ok(())
}

fn judge_subjects(
    info: &StreamInfo,
    flags: &StreamFlags,
    noted: &Noted<'_>,
    verdict: &mut Verdict,
) -> Result<()> {
    let warning = noted.count(flags.subjects_warn, "subjects-warn")?;
    let critical = noted.count(flags.subjects_critical, "subjects-critical")?;
    if warning.is_none() && critical.is_none() {
        return Ok(());
    }
    let count = info.state.num_subjects;
    // With a warning alone, fewer subjects are worse, as a missing threshold counts as zero.
    let is_more_worse = warning.unwrap_or(0) < critical.unwrap_or(0);
    let is_reached = |threshold: Option<u64>| {
        threshold.is_some_and(|threshold| match is_more_worse {
            true => count >= threshold,
            false => count <= threshold,
        })
    };
    let text = format!("{count} subjects");
    match () {
        () if is_reached(critical) => verdict.critical(text),
        () if is_reached(warning) => verdict.warn(text),
        () => verdict.ok(text),
    }
    verdict.measure(Measure::count("subjects", count, warning, critical));
    Ok(())
}

fn judge_sources(
    info: &StreamInfo,
    flags: &StreamFlags,
    noted: &Noted<'_>,
    verdict: &mut Verdict,
) -> Result<()> {
    let fewest = noted.count(flags.min_sources, "min-sources")?;
    let most = noted.count(flags.max_sources, "max-sources")?;
    let sources: Vec<_> = info.sources.iter().flatten().collect();
    let count = sources.len() as u64;
    let text = format!("{count} sources");
    match fewest.is_some_and(|fewest| count < fewest) || most.is_some_and(|most| count > most) {
        true => verdict.critical(text),
        false => verdict.ok(text),
    }
    verdict.measure(Measure::count("sources", count, fewest, most));
    let thresholds = Copies::read(flags, noted)?;
    if sources.is_empty() || thresholds.is_empty() {
        return Ok(());
    }
    let lagged = sources.iter().filter(|source| thresholds.is_lagged(source)).count();
    let inactive = sources.iter().filter(|source| thresholds.is_inactive(source)).count();
    match lagged {
        0 => verdict.ok(format_args!("{count} sources current")),
        _ => verdict.critical(format_args!("{lagged} sources are lagged")),
    }
    match inactive {
        0 => verdict.ok(format_args!("{count} sources active")),
        _ => verdict.critical(format_args!("{inactive} sources are inactive")),
    }
    verdict.count("sources_lagged", lagged as u64);
    verdict.count("sources_inactive", inactive as u64);
    Ok(())
}

fn judge_mirror(
    info: &StreamInfo,
    flags: &StreamFlags,
    noted: &Noted<'_>,
    verdict: &mut Verdict,
) -> Result<()> {
    let thresholds = Copies::read(flags, noted)?;
    let has_sources = info.sources.as_ref().is_some_and(|sources| !sources.is_empty());
    if thresholds.is_empty() || has_sources {
        return Ok(());
    }
    let Some(mirror) = info.mirror.as_ref().filter(|_| info.config.mirror.is_some()) else {
        verdict.critical("not mirrored");
        return Ok(());
    };
    let (is_lagged, is_inactive) = (thresholds.is_lagged(mirror), thresholds.is_inactive(mirror));
    let lag = mirror.lag.and_then(|lag| u64::try_from(lag).ok());
    if is_lagged {
        let lag = lag.map_or_else(|| "unknown".to_owned(), |lag| lag.to_string());
        verdict.critical(format_args!("Mirror Lag {lag}"));
    }
    if is_inactive {
        let seen = duration::since_text(mirror.active.unwrap_or(-1));
        verdict.critical(format_args!("Mirror Seen {seen}"));
    }
    if !is_lagged && !is_inactive {
        verdict.ok(format_args!("Mirror {}", mirror.name));
    }
    let seen = mirror.active.and_then(since).unwrap_or_default();
    verdict.measure(Measure::count("lag", lag.unwrap_or(0), None, thresholds.lag));
    verdict.measure(Measure::time("active", seen, None, thresholds.seen));
    Ok(())
}

/// Thresholds on mirrors and sources.
struct Copies {
    lag: Option<u64>,
    seen: Option<Duration>,
}

impl Copies {
    fn read(flags: &StreamFlags, noted: &Noted<'_>) -> Result<Self> {
        Ok(Self {
            lag: noted.count(flags.lag_critical, "lag-critical")?,
            seen: noted.time(flags.seen_critical, "seen-critical")?,
        })
    }

    fn is_empty(&self) -> bool {
        self.lag.is_none() && self.seen.is_none()
    }

    /// A lag that nobody knows is too much of one.
    fn is_lagged(&self, copy: &CopyStatus) -> bool {
        let lag = copy.lag.and_then(|lag| u64::try_from(lag).ok());
        self.lag.is_some_and(|most| lag.is_none_or(|lag| lag >= most))
    }

    /// An origin that was never seen was seen too long ago.
    fn is_inactive(&self, copy: &CopyStatus) -> bool {
        let seen = copy.active.and_then(since);
        self.seen.is_some_and(|most| seen.is_none_or(|seen| seen >= most))
    }
}

/// How long ago something was; nothing below zero ever was.
fn since(nanoseconds: i64) -> Option<Duration> {
    u64::try_from(nanoseconds).ok().map(Duration::from_nanos)
}

#[cfg(test)]
#[path = "stream_test.rs"]
mod tests;
