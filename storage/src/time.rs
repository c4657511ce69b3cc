//! Wall-clock time as the engine stores it.
//! Not here: text forms (the server's business) and monotonic time (`std::time::Instant`).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970-01-01T00:00:00Z; negative before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The system's wall clock. It may jump either way between two calls.
    pub fn now() -> Self {
        Self::from_system(SystemTime::now())
    }

    /// The time of a `SystemTime`, held to the range of 64-bit nanoseconds (the years 1677 to 2262).
    pub fn from_system(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self(i64::try_from(after.as_nanos()).unwrap_or(i64::MAX)),
            Err(before) => {
                Self(i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns))
            }
        }
    }

    /// This time moved back by `age`, stopping at the earliest time there is.
    pub fn saturating_sub(self, age: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(age.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this time is; zero where it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}
