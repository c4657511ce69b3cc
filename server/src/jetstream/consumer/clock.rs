//! Time for consumers: nanoseconds since 1970 that never go back while the process runs, so that a clock that is set does
//! not redeliver everything, or nothing.
//! Not here: times of messages, which are the clock's.

use headwater_storage::Timestamp;
use std::time::{Duration, Instant};

/// See the top of the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
    started_at: i64,
}

impl Default for Clock {
    fn default() -> Self {
        Self { started: Instant::now(), started_at: Timestamp::now().0 }
    }
}

impl Clock {
    /// Now.
    pub(crate) fn now(&self) -> i64 {
        let passed = i64::try_from(self.started.elapsed().as_nanos()).unwrap_or(i64::MAX);
        self.started_at.saturating_add(passed)
    }
    /// How long it is until then.
    pub(crate) fn until(&self, time: i64) -> Duration {
        Duration::from_nanos(time.saturating_sub(self.now()).max(0).unsigned_abs())
    }
}
