//! Thresholds that stand in the metadata of a stream or consumer, for what no flag says.
//! Not here: which thresholds there are (`stream`, `consumer`).

use crate::cli::duration;
use crate::cli::error::{ClientError, Result};
use std::collections::BTreeMap;
use std::time::Duration;

/// What the names of thresholds begin with there.
const PREFIX: &str = "io.nats.monitor.";

/// The metadata of what is checked.
#[derive(Debug)]
pub(super) struct Noted<'a>(pub(super) Option<&'a BTreeMap<String, String>>);

impl Noted<'_> {
    /// A count; zero and less stand for none.
    pub(super) fn count(&self, given: Option<i64>, name: &str) -> Result<Option<u64>> {
        let read = |text: &str| text.parse::<i64>().map_err(|error| error.to_string());
        let count = self.or_noted(given, name, read)?;
        Ok(count.and_then(|count| u64::try_from(count).ok()).filter(|count| *count > 0))
    }

    /// A time; zero stands for none.
    pub(super) fn time(&self, given: Option<Duration>, name: &str) -> Result<Option<Duration>> {
        let time = self.or_noted(given, name, duration::parse)?;
        Ok(time.filter(|time| !time.is_zero()))
    }

    /// A switch.
    pub(super) fn switch(&self, given: bool, name: &str) -> Result<bool> {
        let read = |text: &str| text.parse::<bool>().map_err(|error| error.to_string());
        Ok(self.or_noted(given.then_some(true), name, read)?.unwrap_or(false))
    }

    fn or_noted<T>(
        &self,
        given: Option<T>,
        name: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>> {
        let name = format!("{PREFIX}{name}");
        let noted = self.0.and_then(|metadata| metadata.get(&name));
        match (given, noted) {
            (Some(given), _) => Ok(Some(given)),
            (None, None) => Ok(None),
            (None, Some(text)) => read(text).map(Some).map_err(|reason| {
                ClientError::unanswered("check by metadata", format_args!("{name}: {reason}"))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_metadata() {
        let metadata = BTreeMap::from(
            [("lag-critical", "7"), ("seen-critical", "1m"), ("pinned", "true"), ("bad", "x")]
                .map(|(name, value)| (format!("{PREFIX}{name}"), value.to_owned())),
        );
        let noted = Noted(Some(&metadata));
        assert_eq!(noted.count(None, "lag-critical").unwrap(), Some(7));
        assert_eq!(noted.count(Some(3), "lag-critical").unwrap(), Some(3));
        assert_eq!(noted.count(Some(-1), "lag-critical").unwrap(), None);
        assert_eq!(noted.count(None, "other").unwrap(), None);
        assert_eq!(noted.time(None, "seen-critical").unwrap(), Some(Duration::from_secs(60)));
        assert!(noted.switch(false, "pinned").unwrap());
        assert!(!noted.switch(false, "other").unwrap());
        assert!(noted.count(None, "bad").is_err() && noted.time(None, "bad").is_err());
        assert_eq!(Noted(None).count(None, "lag-critical").unwrap(), None);
    }
}
