//! Messages that ask for something to be done at some time: which are due, and when they are again.
//! Invariants: when a message is due is a record, and outlives restarts; one that is taken out is due no more.
//! Not here: what is done (whoever asks), the order of what is due (`expiries`).

use super::{Stream, core::Core, core::Effect};
use crate::{Error, Result, Timestamp};

impl Core {
    /// Whether a message is there, live, and due at some time.
    pub(super) fn is_due(&self, sequence: u64) -> bool {
        self.contents.is_live(sequence) && self.contents.expiries.get(sequence).due != i64::MIN
    }

    fn set_due(&mut self, sequence: u64, due: Option<Timestamp>, now: Timestamp) -> Result<Effect> {
        self.check()?;
        if !self.is_due(sequence) {
            return Err(Error::MessageNotFound(sequence));
        }
        let due = due.map_or(i64::MIN, |due| due.0);
        self.roll()?;
        self.begin();
        self.encoder.schedule(sequence, due);
        self.append_group(now, false, false)?;
        self.contents.expiries.set_due(sequence, due);
        Ok(Effect::default())
    }
}

impl Stream {
    /// When the next message is due (`NewMessage::due`), be it in the past; `None` where none will be.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.core().contents.expiries.next_due().map(Timestamp)
    }

    /// Held messages that are due at a time, at most so many, with when they were due; the earliest first.
    pub fn due(&self, now: Timestamp, count_max: usize) -> Vec<(u64, Timestamp)> {
        let core = self.core();
        let due = core.contents.expiries.due(now.0);
        due.filter(|(_, at)| *at <= core.committed_sequence && core.contents.is_live(*at))
            .take(count_max)
            .map(|(due, at)| (at, Timestamp(due)))
            .collect()
    }

    /// Changes when a message is due that is due at some time; `None`: no more. Durable on return.
    pub async fn set_due(&self, sequence: u64, due: Option<Timestamp>) -> Result<()> {
        let now = self.environment.now();
        self.change(|core| core.set_due(sequence, due, now).map(|effect| ((), Some(effect)))).await
    }
}
