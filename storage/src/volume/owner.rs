//! Which stream a log is of: what the catalogue says, and what the log says of itself.
//!
//! Invariants: a log is superfluous only where the catalogue says that its stream was removed, or where nothing was ever
//! acknowledged in it.
//! Not here: what is done with the log (`recover`, `offline`).

use crate::stream::stored::StoredConfig;

/// What is known of a log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogFacts<'a> {
    /// Its entry in the catalogue.
    pub(crate) entry: Option<&'a StoredConfig>,
    /// Nothing of the catalogue is damaged.
    pub(crate) catalogue_is_whole: bool,
    /// The catalogue says that the stream was removed.
    pub(crate) was_removed: bool,
    /// The newest configuration in the log.
    pub(crate) own: Option<&'a StoredConfig>,
    /// Nothing of the log is damaged.
    pub(crate) is_whole: bool,
    /// It never held a record.
    pub(crate) is_empty: bool,
}

/// Whose log it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LogOwner {
    /// A stream that the catalogue has.
    Known(StoredConfig),
    /// A stream that the catalogue has with an older configuration: what damage took of it was the newest one.
    Newer(StoredConfig),
    /// A stream that the catalogue lacks.
    Stray(StoredConfig),
    /// A stream that was removed; its files may go.
    Removed,
    /// A stream whose creation was not acknowledged; its files may go.
    Nobody,
    /// Nothing says whose it is.
    Unknown,
}

impl LogFacts<'_> {
    /// Decides.
    pub(crate) fn owner(&self) -> LogOwner {
        if let Some(entry) = self.entry {
            let newer = self.own.filter(|own| {
                own.incarnation() == entry.incarnation()
                    && own.name() == entry.name()
                    && *own != entry
            });
            return match newer.filter(|_| !self.catalogue_is_whole && self.is_whole) {
                Some(newer) => LogOwner::Newer(newer.clone()),
                None => LogOwner::Known(entry.clone()),
            };
        }
        match self.own {
            _ if self.was_removed => LogOwner::Removed,
            Some(own) => LogOwner::Stray(own.clone()),
            None if self.is_empty && self.is_whole => LogOwner::Nobody,
            None => LogOwner::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Timestamp,
        stream::{Incarnation, StreamConfig},
    };

    #[test]
    fn every_log_has_an_owner_or_is_kept() {
        let stored = |name: &str, first_sequence| {
            let config =
                StreamConfig { name: name.into(), first_sequence, ..StreamConfig::default() };
            StoredConfig::new(&config, Incarnation(1), Timestamp(0))
        };
        let (old, new, other) = (stored("a", 1), stored("a", 2), stored("b", 1));
        let (known, newer) = (LogOwner::Known(old.clone()), LogOwner::Newer(new.clone()));
        #[rustfmt::skip]
        let rows = [
            // entry, catalogue is whole, was removed, own, log is whole, is empty, owner
            (Some(&old), true,  false, Some(&new),   true,  false, known.clone()),
            (Some(&old), false, false, Some(&new),   true,  false, newer),
            (Some(&old), false, false, Some(&new),   false, false, known.clone()),
            (Some(&old), false, false, Some(&other), true,  false, known.clone()),
            (Some(&old), false, false, None,         true,  true,  known),
            (None,       true,  true,  Some(&new),   true,  false, LogOwner::Removed),
            (None,       true,  false, Some(&new),   false, false, LogOwner::Stray(new.clone())),
            (None,       true,  false, None,         true,  true,  LogOwner::Nobody),
            (None,       true,  false, None,         false, true,  LogOwner::Unknown),
            (None,       true,  false, None,         true,  false, LogOwner::Unknown),
        ];
        for (entry, catalogue_is_whole, was_removed, own, is_whole, is_empty, owner) in rows {
            let facts =
                LogFacts { entry, catalogue_is_whole, was_removed, own, is_whole, is_empty };
            assert_eq!(facts.owner(), owner, "{facts:?}");
        }
    }
}
