//! The arguments of `headwater bench`.
//! Not here: what is done with them (`runner`, `compare`).

use super::load::{Load, Mode, Storage};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// How long a run publishes that was given no limit, in seconds.
const DEFAULT_SECONDS: f64 = 5.0;
/// Bounds of the options, so that a slip of the finger does not take the machine down.
const CLIENTS_MAX: u64 = 10_000;
const STREAMS_MAX: u64 = 100_000;
const INFLIGHT_MAX: u64 = 1_000_000;
const PAYLOAD_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Loads any NATS server and says how fast it was.
#[derive(Debug, Args)]
pub struct BenchOptions {
    #[command(subcommand)]
    pub(super) command: BenchCommand,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum BenchCommand {
    /// One run against a server
    #[command(flatten)]
    Load(LoadCommand),
    /// Start Headwater and nats-server in turn and compare them
    Compare(CompareOptions),
}

/// What to load a server with.
#[derive(Debug, Subcommand)]
pub(super) enum LoadCommand {
    /// JetStream publishes with many in flight
    Publish {
        /// Publishes in flight on each connection
        #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=INFLIGHT_MAX))]
        inflight: u64,
        #[command(flatten)]
        streams: StreamOptions,
        #[command(flatten)]
        load: LoadOptions,
    },
    /// JetStream publishes, each after the acknowledgement of the one before
    Sync {
        #[command(flatten)]
        streams: StreamOptions,
        #[command(flatten)]
        load: LoadOptions,
    },
    /// Core publishes, which nobody acknowledges
    Core {
        /// Connections that receive every message
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=CLIENTS_MAX))]
        subscribers: u64,
        #[command(flatten)]
        load: LoadOptions,
    },
}

/// A comparison.
#[derive(Debug, Args)]
pub(super) struct CompareOptions {
    /// The nats-server to compare with
    #[arg(long, default_value = "nats-server")]
    pub(super) nats_server: PathBuf,
    /// The Headwater to compare; this program where none is given
    #[arg(long)]
    pub(super) headwater: Option<PathBuf>,
    /// How often each server is started and loaded
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(super) rounds: u64,
    /// Seconds for which each load publishes
    #[arg(long, default_value_t = 3.0)]
    pub(super) seconds: f64,
    /// Publishes in flight of the load that has many
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=INFLIGHT_MAX))]
    pub(super) inflight: u64,
    /// Bytes of a payload
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u64).range(0..=PAYLOAD_BYTES_MAX))]
    pub(super) size: u64,
    /// Where the servers keep their data, in folders that are removed
    #[arg(long)]
    pub(super) directory: Option<PathBuf>,
    /// Print every result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Streams of a run.
#[derive(Debug, Args)]
pub(super) struct StreamOptions {
    /// Streams BENCH_1 to BENCH_N, over which the publishes are spread in turn
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=STREAMS_MAX))]
    streams: u64,
    /// Where they keep their messages
    #[arg(long, value_enum, default_value_t = Storage::File)]
    storage: Storage,
    /// Leave them there after the run
    #[arg(long)]
    keep: bool,
}

/// What every run has.
#[derive(Debug, Args)]
pub(super) struct LoadOptions {
    /// Connections that publish
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=CLIENTS_MAX))]
    clients: u64,
    /// Messages in total
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Seconds to publish for; 5 where there is no --count either
    #[arg(long)]
    seconds: Option<f64>,
    /// Bytes of a payload
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u64).range(0..=PAYLOAD_BYTES_MAX))]
    size: u64,
    /// Seconds without any answer after which what is in flight counts as missing
    #[arg(long, default_value_t = 10.0)]
    silence: f64,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl LoadCommand {
    /// The load, and whether its result is wanted as JSON.
    pub(super) fn load(&self) -> (Load, bool) {
        match self {
            Self::Publish { inflight, streams, load } => {
                load.with(Mode::Publish, *inflight, streams, 0)
            }
            Self::Sync { streams, load } => load.with(Mode::Sync, 1, streams, 0),
            Self::Core { subscribers, load } => {
                let streams = StreamOptions { streams: 1, storage: Storage::Memory, keep: false };
                load.with(Mode::Core, 1, &streams, *subscribers)
            }
        }
    }
}

impl LoadOptions {
    fn with(
        &self,
        mode: Mode,
        inflight: u64,
        streams: &StreamOptions,
        subscribers: u64,
    ) -> (Load, bool) {
        let seconds = match (self.seconds, self.count) {
            (None, None) => Some(DEFAULT_SECONDS),
            (seconds, _) => seconds,
        };
        let time = |seconds| Duration::try_from_secs_f64(seconds).ok();
        let load = Load {
            mode,
            clients: self.clients as usize,
            subscribers: subscribers as usize,
            streams: streams.streams as usize,
            storage: streams.storage,
            keeps_streams: streams.keep,
            inflight: inflight as usize,
            payload_bytes: self.size as usize,
            count: self.count,
            duration: seconds.and_then(time),
            silence_max: time(self.silence).unwrap_or(Duration::MAX),
        };
        (load, self.json)
    }
}
