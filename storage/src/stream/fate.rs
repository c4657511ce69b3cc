//! When a message goes by itself, apart from the limits of its stream, and when it is due, as it is stored with it.
//! Not here: which messages are due (`expiries`), how it is written (`record`).

use crate::{NewMessage, Timestamp, message::Lifetime};

/// What is stored with a message that has a lifetime, is a delete marker, or is due at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fate {
    /// When its lifetime is over, in nanoseconds since 1970; the minimum where it has none, the maximum where it has no end.
    pub(crate) expires: i64,
    /// It stands for a subject whose last message went: no other marker follows it.
    pub(crate) is_marker: bool,
    /// When it is due, in nanoseconds since 1970; the minimum where it is not.
    pub(crate) due: i64,
}

impl Default for Fate {
    fn default() -> Self {
        Self { expires: i64::MIN, is_marker: false, due: i64::MIN }
    }
}

impl Fate {
    /// Of a message that is stored at this time.
    pub(crate) fn of(message: &NewMessage, time: Timestamp) -> Self {
        let expires = match message.lifetime {
            Lifetime::Unset => i64::MIN,
            Lifetime::Forever => i64::MAX,
            Lifetime::For(lifetime) => {
                let lifetime = i64::try_from(lifetime.as_nanos()).unwrap_or(i64::MAX);
                // The ends of the range mean something else.
                time.0.saturating_add(lifetime).clamp(i64::MIN + 1, i64::MAX - 1)
            }
        };
        let due = message.due.map_or(i64::MIN, |due| due.0.max(i64::MIN + 1));
        Self { expires, is_marker: message.is_marker, due }
    }

    /// Whether it is that of most messages: no lifetime, no marker.
    pub(crate) fn is_usual(self) -> bool {
        self == Self::default()
    }

    /// Whether the limit on age does not take it.
    pub(crate) fn is_forever(self) -> bool {
        self.expires == i64::MAX
    }

    /// When its lifetime is over, where it has one that ends.
    pub(crate) fn end(self) -> Option<i64> {
        (self.expires != i64::MIN && self.expires != i64::MAX).then_some(self.expires)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_longest_lifetime_has_an_end_all_the_same() {
        for (time, lifetime) in [(0, Duration::MAX), (i64::MAX, Duration::from_secs(1))] {
            let message = NewMessage { lifetime: Lifetime::For(lifetime), ..NewMessage::default() };
            let fate = Fate::of(&message, Timestamp(time));
            assert!(!fate.is_forever() && fate.end() == Some(i64::MAX - 1), "{fate:?}");
        }
        let due = NewMessage { due: Some(Timestamp(i64::MIN)), ..NewMessage::default() };
        assert!(Fate::of(&due, Timestamp(0)).due > i64::MIN);
    }
}
