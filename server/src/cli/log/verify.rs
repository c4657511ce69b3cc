//! `headwater log verify`: is a data directory what was written?

use super::{DirectoryFlag, failed, finding};
use crate::cli::bar::Bar;
use crate::cli::error::Result;
use crate::cli::screen;
use clap::Args;
use serde_json::json;

/// What to check, and how.
#[derive(Debug, Args)]
pub(in crate::cli) struct VerifyFlags {
    #[command(flatten)]
    directory: DirectoryFlag,
    /// Exit with 1 also where something is torn or spare
    #[arg(long)]
    strict: bool,
    /// Print it as JSON
    #[arg(long, short)]
    json: bool,
}

/// Checks it; tells whether anything is damaged.
pub(super) fn run(flags: &VerifyFlags) -> Result<bool> {
    let volume = flags.directory.open()?;
    let (place, _) = flags.directory.place();
    let survey = {
        let bar = Bar::new("verify");
        volume.survey(&mut |progress| bar.show(progress)).map_err(failed(&place))?
    };
    match flags.json {
        true => screen::json(&json!({
            "damaged": survey.is_damaged(),
            "closed": survey.is_closed,
            "files": survey.files,
            "bytes": survey.bytes,
            "findings": finding::json(&survey),
        }))?,
        false => {
            finding::print(&survey)?;
            screen::line(finding::summary(&survey))?;
        }
    }
    Ok(survey.is_damaged() || (flags.strict && !survey.findings.is_empty()))
}
