//! The arguments of `headwater tune`.
//! Not here: what is done with them (`sweep`).

use super::DEFAULT_DIRECTORY;
use super::error::{Result, TuneError};
use crate::config::file;
use clap::Args;
use headwater_storage::stream::SyncPolicy;
use std::path::PathBuf;
use std::time::Duration;

/// Bounds of the time of one point, in seconds.
const SECONDS_MIN: f64 = 0.05;
const SECONDS_MAX: f64 = 600.0;
/// Time of one point with `--quick`, in seconds.
const QUICK_SECONDS: f64 = 0.2;
const DEFAULT_SECONDS: f64 = 1.0;

/// Measures settings of the engine on a directory and recommends a configuration for it.
#[derive(Debug, Args)]
pub struct TuneOptions {
    /// Directory to measure on, and the store directory of the recommended configuration; without it the one of the
    /// configuration, or `headwater-data` below the current directory
    pub(super) directory: Option<PathBuf>,
    /// Configuration file that names the store directory and the sync policy
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Seconds for which each point is measured [default: 1; 0.2 with --quick]
    #[arg(long, value_name = "N", value_parser = seconds)]
    pub(super) seconds: Option<f64>,
    /// Measure fewer points, and each for a shorter time
    #[arg(long)]
    pub(super) quick: bool,
    /// Let the recommendation sync at an interval: a crash of the machine can then take acknowledged messages back
    #[arg(long)]
    pub(super) allow_interval: bool,
    /// Write all figures as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Write the report, a page of HTML
    #[arg(long, value_name = "FILE.html", default_value = "headwater-tune.html")]
    pub(super) report: PathBuf,
    /// Write the recommended configuration, for `headwater serve -c`
    #[arg(long, value_name = "FILE.conf")]
    pub(super) output: Option<PathBuf>,
}

/// What is tuned for.
#[derive(Debug)]
pub(super) struct Target {
    /// The store directory.
    pub(super) directory: PathBuf,
    /// The sync policy that was asked for; nothing weaker is recommended.
    pub(super) sync: SyncPolicy,
}

impl TuneOptions {
    /// How long each point is measured.
    pub(super) fn duration(&self) -> Duration {
        let default = if self.quick { QUICK_SECONDS } else { DEFAULT_SECONDS };
        Duration::from_secs_f64(self.seconds.unwrap_or(default))
    }

    /// Where to measure, and what was asked for: from the arguments, then from the configuration.
    pub(super) fn target(&self) -> Result<Target> {
        let storage = match &self.config {
            Some(path) => Some(file::load(path).map_err(TuneError::Config)?.storage),
            None => None,
        };
        let sync = storage.as_ref().map(|storage| storage.sync).unwrap_or_default();
        let configured = storage.map(|storage| storage.base_directory());
        let directory = self.directory.clone().or(configured);
        Ok(Target { directory: directory.unwrap_or_else(|| DEFAULT_DIRECTORY.into()), sync })
    }
}

fn seconds(text: &str) -> std::result::Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    match (SECONDS_MIN..=SECONDS_MAX).contains(&seconds) {
        true => Ok(seconds),
        false => Err(format!("from {SECONDS_MIN} to {SECONDS_MAX} seconds")),
    }
}
