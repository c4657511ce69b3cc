//! Which creation of a stream an origin is, and the short hashes with which NATS names such things.
//!
//! The hash (SHA-256, one base-62 digit for each of the first eight bytes) and the text it is taken over (creation time,
//! RFC 3339, nanoseconds without trailing zeros) are facts read from nats-server's source and checked against a running one.
//! Not here: what is done when the identity changes (`mirror`, `source`).

use headwater_storage::{Timestamp, stream::Incarnation};
use sha2::{Digest, Sha256};

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const NANOSECONDS: i64 = 1_000_000_000;

/// Eight characters that stand for `text` in names and headers.
pub fn hash8(text: &str) -> String {
    let digit =
        |byte: &u8| DIGITS.get(usize::from(byte % 62)).map_or('0', |digit| char::from(*digit));
    Sha256::digest(text.as_bytes()).iter().take(8).map(digit).collect()
}

/// What NATS writes as `Nats-Stream-Identity` and into `Nats-Stream-Source`: the hash of the creation time.
pub fn identity_hash(created: Timestamp) -> String {
    hash8(&rfc3339_nanoseconds(created))
}

/// Which creation of a stream of some name it is. What is unknown compares as equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginIdentity {
    /// The engine's own mark, where the origin has one.
    pub incarnation: Option<Incarnation>,
    /// `identity_hash` of its creation time; empty where unknown.
    pub hash: String,
}

impl OriginIdentity {
    /// The identity of a stream of the engine.
    pub fn of(stream: &headwater_storage::Stream) -> Self {
        Self { incarnation: Some(stream.incarnation()), hash: identity_hash(stream.created()) }
    }

    /// Whether both are known and the same.
    pub fn is_surely(&self, other: &Self) -> bool {
        match (self.incarnation, other.incarnation) {
            (Some(own), Some(others)) => own == others,
            (None, None) => !self.hash.is_empty() && self.hash == other.hash,
            _ => false,
        }
    }

    /// Whether both are known and different.
    pub fn differs(&self, other: &Self) -> bool {
        match (self.incarnation, other.incarnation) {
            (Some(own), Some(others)) => own != others,
            _ => !self.hash.is_empty() && !other.hash.is_empty() && self.hash != other.hash,
        }
    }
}

/// UTC, with as many digits of the fraction as it needs.
fn rfc3339_nanoseconds(time: Timestamp) -> String {
    let (seconds, nanoseconds) = (time.0.div_euclid(NANOSECONDS), time.0.rem_euclid(NANOSECONDS));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil_date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let fraction = match nanoseconds {
        0 => String::new(),
        _ => format!(".{nanoseconds:09}").trim_end_matches('0').to_owned(),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar. Counts in eras of 400
/// years that begin in March, so that the leap day is the last one of a year.
fn civil_date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn creation_times_as_text() {
        for (nanoseconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_500_000_000, "1970-01-01T00:00:01.5Z"),
            (951_782_400_000_000_001, "2000-02-29T00:00:00.000000001Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
            (1_795_517_927_314_636_631, "2026-11-24T10:58:47.314636631Z"),
            (4_107_542_399_000_000_000, "2100-02-28T23:59:59Z"),
            (4_107_542_400_000_000_000, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339_nanoseconds(Timestamp(nanoseconds)), expected);
        }
    }

    #[test]
    fn the_hash_is_the_one_nats_server_writes() {
        // Seen on nats-server 2.15.1: a stream created at that time, and the last field of a header it wrote.
        assert_eq!(hash8("2026-11-24T10:58:47.314636631Z"), "d71u5aS5");
        assert_eq!(identity_hash(Timestamp(1_795_517_927_314_636_631)), "d71u5aS5");
    }

    #[test]
    fn unknown_identities_do_not_differ() {
        let identity = |incarnation: Option<u128>, hash: &str| OriginIdentity {
            incarnation: incarnation.map(Incarnation),
            hash: hash.into(),
        };
        for (own, other, differs) in [
            (identity(Some(1), "a"), identity(Some(1), "b"), false),
            (identity(Some(1), "a"), identity(Some(2), "a"), true),
            (identity(None, "a"), identity(Some(2), "a"), false),
            (identity(None, "a"), identity(Some(2), "b"), true),
            (identity(None, ""), identity(Some(2), "b"), false),
            (identity(Some(1), ""), identity(None, "b"), false),
        ] {
            assert_eq!(own.differs(&other), differs, "{own:?} {other:?}");
        }
    }
}
