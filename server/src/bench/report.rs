//! The result of a run, for people and for programs.
//! Not here: results of several servers side by side (`compare`).

use super::address::Address;
use super::client::Greeting;
use super::load::{Load, Mode, Storage};
use super::tally::Tally;
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// Latencies in microseconds; from the moment a message is ready to be sent to its acknowledgement or arrival.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Latency {
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) p999: f64,
    pub(super) max: f64,
}

/// Refused publishes with one code.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RefusedCount {
    code: u32,
    description: String,
    count: u64,
}

/// The result of a run.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    pub(super) server: String,
    address: String,
    mode: Mode,
    pub(super) durability: String,
    clients: usize,
    subscribers: usize,
    inflight_per_client: usize,
    streams: usize,
    storage: Storage,
    payload_bytes: usize,
    sent: u64,
    /// Acknowledged, or arrived at subscribers, or (core without subscribers) taken by the server.
    pub(super) settled: u64,
    seconds: f64,
    pub(super) messages_per_second: f64,
    megabytes_per_second: f64,
    pub(super) latency_us: Option<Latency>,
    refused: Vec<RefusedCount>,
    malformed: u64,
    malformed_sample: Option<String>,
    repeated: u64,
    duplicates: u64,
    missing: u64,
    failures: Vec<String>,
    /// Whether each message was settled as it should be.
    pub(super) is_clean: bool,
}

impl Report {
    pub(super) fn new(
        address: &Address,
        greeting: &Greeting,
        load: &Load,
        tally: &Tally,
        elapsed: Duration,
    ) -> Self {
        let seconds = elapsed.as_secs_f64();
        let messages_per_second = if seconds > 0.0 { tally.arrived as f64 / seconds } else { 0.0 };
        let refused = tally.refused.iter().map(|(code, refusals)| RefusedCount {
            code: *code,
            description: refusals.description.clone(),
            count: refusals.count,
        });
        Self {
            server: server_name(greeting),
            address: address.host_port.clone(),
            mode: load.mode,
            durability: durability(greeting, load),
            clients: load.clients,
            subscribers: load.subscribers,
            inflight_per_client: load.inflight,
            streams: if load.mode == Mode::Core { 0 } else { load.streams },
            storage: load.storage,
            payload_bytes: load.payload_bytes,
            sent: tally.sent,
            settled: tally.arrived,
            seconds,
            messages_per_second,
            megabytes_per_second: messages_per_second * load.payload_bytes as f64 / 1e6,
            latency_us: latency(tally),
            refused: refused.collect(),
            malformed: tally.malformed,
            malformed_sample: tally.malformed_sample.clone(),
            repeated: tally.repeated,
            duplicates: tally.duplicates,
            missing: tally.missing,
            failures: tally.failures.clone(),
            is_clean: tally.is_clean(),
        }
    }
}

#[cfg(test)]
impl Report {
    /// What tests compare.
    pub(super) fn summary(&self) -> String {
        let refused = self.refused.iter().map(|refused| refused.count).sum();
        let counts = [
            (refused, "refused"),
            (self.malformed, "malformed"),
            (self.repeated, "repeated"),
            (self.duplicates, "duplicate"),
            (self.missing, "missing"),
        ];
        let mut text = format!("{} good", self.settled);
        for (count, name) in counts.iter().filter(|(count, _)| *count > 0) {
            text += &format!(", {count} {name}");
        }
        for failure in &self.failures {
            text += &format!(", failed: {failure}");
        }
        text
    }
}

fn latency(tally: &Tally) -> Option<Latency> {
    let micros = |part| tally.quantile(part).map(|found| found.as_nanos() as f64 / 1e3);
    Some(Latency {
        p50: micros(0.5)?,
        p90: micros(0.9)?,
        p99: micros(0.99)?,
        p999: micros(0.999)?,
        max: micros(1.0)?,
    })
}

fn server_name(greeting: &Greeting) -> String {
    if greeting.headwater_version.is_empty() {
        format!("nats-server {}", greeting.version)
    } else {
        format!("Headwater {}", greeting.headwater_version)
    }
}

/// What an acknowledgement of this server stands for, as far as a client can know.
fn durability(greeting: &Greeting, load: &Load) -> String {
    if load.mode == Mode::Core {
        return "none: core messages are not stored".into();
    }
    if load.storage == Storage::Memory {
        return "none: kept in memory".into();
    }
    match (greeting.headwater_version.as_str(), greeting.headwater_sync.as_str()) {
        ("", _) => {
            "as the server is configured (nats-server: not synced unless sync_interval: always)"
                .into()
        }
        (_, "") => {
            "as the server is configured (Headwater: synced unless --sync has an interval)".into()
        }
        (_, "always") => "synced before each acknowledgement".into(),
        (_, interval) => format!("written before each acknowledgement, synced every {interval}"),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line =
            |f: &mut fmt::Formatter<'_>, name: &str, text: &str| writeln!(f, "  {name:<11}{text}");
        writeln!(f, "{} at {}", self.server, self.address)?;
        let clients = Counted(self.clients as u64, "client");
        let load = match self.mode {
            Mode::Core => format!("{clients}, {}", Counted(self.subscribers as u64, "subscriber")),
            _ => format!(
                "{clients}, {} in flight each, {} ({})",
                self.inflight_per_client,
                Counted(self.streams as u64, "stream"),
                self.storage.name(),
            ),
        };
        line(f, "load", &format!("{load}, {}", Counted(self.payload_bytes as u64, "byte")))?;
        line(f, "durability", &self.durability)?;
        let settled = match (self.mode, self.subscribers) {
            (Mode::Core, 0) => "taken",
            (Mode::Core, _) => "arrived",
            _ => "acknowledged",
        };
        let (sent, count) = (Grouped(self.sent), Grouped(self.settled));
        line(f, "messages", &format!("{sent} sent, {count} {settled} in {:.2} s", self.seconds))?;
        let rate = Grouped(self.messages_per_second.round() as u64);
        line(f, "rate", &format!("{rate} messages/s, {:.1} MB/s", self.megabytes_per_second))?;
        if let Some(latency) = &self.latency_us {
            let parts = [
                ("p50", latency.p50),
                ("p90", latency.p90),
                ("p99", latency.p99),
                ("p99.9", latency.p999),
                ("max", latency.max),
            ];
            let text = parts.map(|(name, micros)| format!("{name} {}", Micros(micros))).join("   ");
            line(f, "latency", &text)?;
        }
        for refused in &self.refused {
            let count = Grouped(refused.count);
            line(f, "refused", &format!("{count} with {} {}", refused.code, refused.description))?;
        }
        let sample = self.malformed_sample.as_deref().unwrap_or_default();
        for (count, text) in [
            (self.malformed, format!("answers are no acknowledgements, the first: {sample}")),
            (self.repeated, "answers to nothing that was under way".to_owned()),
            (self.duplicates, "publishes were taken for repetitions".to_owned()),
            (self.missing, "messages are missing".to_owned()),
        ] {
            if count > 0 {
                line(f, "wrong", &format!("{} {text}", Grouped(count)))?;
            }
        }
        self.failures.iter().try_for_each(|failure| line(f, "failed", failure))
    }
}

/// A number with its noun.
struct Counted(u64, &'static str);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ending = if self.0 == 1 { "" } else { "s" };
        write!(f, "{} {}{ending}", Grouped(self.0), self.1)
    }
}

/// A number with a comma between thousands.
pub(crate) struct Grouped(pub(crate) u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut text = String::new();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        f.pad(&text)
    }
}

/// Microseconds in the unit that suits them.
pub(crate) struct Micros(pub(crate) f64);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0 {
            micros if micros < 1e3 => format!("{micros:.0} µs"),
            micros if micros < 1e6 => format!("{:.2} ms", micros / 1e3),
            micros => format!("{:.2} s", micros / 1e6),
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        for (number, expected) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")]
        {
            assert_eq!(Grouped(number).to_string(), expected);
        }
        for (micros, expected) in [(17.4, "17 µs"), (1_500.0, "1.50 ms"), (2e6, "2.00 s")] {
            assert_eq!(Micros(micros).to_string(), expected);
        }
        assert_eq!(Counted(1, "client").to_string(), "1 client");
        assert_eq!(Counted(2000, "stream").to_string(), "2,000 streams");
    }
}
