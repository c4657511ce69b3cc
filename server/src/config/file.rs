//! Loading a configuration file: syntax, then keys, then warnings into the log.
//! Not here: flags, which stand above it.

use super::options::Options;
use super::tree::Refusal;
use super::{keys, parser};
use std::path::Path;
use thiserror::Error;

/// Why a file is refused: every mistake found, a line each.
#[derive(Debug, Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError(pub Vec<Refusal>);

/// Options from text that stands in for a file, without environment variables: for fuzz targets.
#[cfg(feature = "testing")]
pub fn from_text(text: &str) -> Result<Options, ConfigError> {
    let map = parser::parse_text(text, Path::new("server.conf"), &|_| None)
        .map_err(|refusal| ConfigError(vec![refusal]))?;
    keys::options(&map).map(|(options, _)| options).map_err(ConfigError)
}

/// Options from a file.
pub fn load(path: &Path) -> Result<Options, ConfigError> {
    let environment = |name: &str| std::env::var(name).ok();
    let map =
        parser::parse_file(path, &environment).map_err(|refusal| ConfigError(vec![refusal]))?;
    let (mut options, warnings) = keys::options(&map).map_err(ConfigError)?;
    options.warnings = warnings.iter().map(ToString::to_string).collect();
    options.config_file = Some(path.to_owned());
    Ok(options)
}
