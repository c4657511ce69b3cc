//! How long a consumer waits before it delivers a message once more: a list of durations, or one that is made up evenly.
//! Not here: how often it does (`flags`).

use crate::cli::duration;
use crate::cli::error::{ClientError, Result};
use clap::Args;

/// Most steps that are made up, so that no typing error makes a request that no server takes.
const STEPS_MAX: i64 = 1_000;

/// What was said after `--backoff`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mode {
    None,
    Linear,
    Given(Vec<i64>),
}

/// The waits.
#[derive(Debug, Args)]
pub(super) struct BackoffFlags {
    /// Waits between deliveries of the same message: none, linear, or durations such as 1s,5s,1m
    #[arg(long, value_name = "MODE", value_parser = parse)]
    backoff: Option<Mode>,
    /// How many waits a linear backoff has
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(i64).range(1..=STEPS_MAX))]
    backoff_steps: i64,
    /// Its shortest wait
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = duration::parse_limit)]
    backoff_min: i64,
    /// Its longest wait
    #[arg(long, value_name = "DURATION", default_value = "20m", value_parser = duration::parse_limit)]
    backoff_max: i64,
}

impl BackoffFlags {
    /// The waits in nanoseconds, if any were asked for.
    pub(super) fn given(&self) -> Result<Option<Vec<i64>>> {
        match &self.backoff {
            None | Some(Mode::None) => Ok(None),
            Some(Mode::Given(waits)) => Ok(Some(waits.clone())),
            Some(Mode::Linear) if self.backoff_min >= self.backoff_max => Err(ClientError::Usage(
                "--backoff-min has to be less than --backoff-max".to_owned(),
            )),
            Some(Mode::Linear) => {
                let step = (self.backoff_max - self.backoff_min) / self.backoff_steps;
                let wait = |index: i64| self.backoff_min + index * step;
                Ok(Some((0..self.backoff_steps).map(wait).collect()))
            }
        }
    }
}

fn parse(text: &str) -> Result<Mode, String> {
    match text {
        "none" => Ok(Mode::None),
        "linear" => Ok(Mode::Linear),
        _ => {
            let waits = text.split(',').map(|wait| match duration::parse_limit(wait) {
                Ok(wait @ 1..) => Ok(wait),
                _ => Err(format!("{text:?} is none of none, linear, or durations such as 1s,1m")),
            });
            waits.collect::<Result<_, _>>().map(Mode::Given)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        flags: BackoffFlags,
    }

    #[test]
    fn waits() {
        for (line, expected) in [
            ("", Some(None)),
            ("--backoff none", Some(None)),
            ("--backoff 1s,500ms", Some(Some(vec![1_000_000_000, 500_000_000]))),
            (
                "--backoff linear --backoff-min 1s --backoff-max 10s --backoff-steps 3",
                Some(Some(vec![1_000_000_000, 4_000_000_000, 7_000_000_000])),
            ),
            ("--backoff linear --backoff-min 1h", None),
            ("--backoff linear --backoff-steps 0", None),
            ("--backoff 1s,0", None),
            ("--backoff 1s,,2s", None),
            ("--backoff often", None),
        ] {
            let words = ["headwater"].into_iter().chain(line.split_whitespace());
            let parsed = Line::try_parse_from(words).ok();
            assert_eq!(parsed.and_then(|line| line.flags.given().ok()), expected, "{line}");
        }
    }
}
