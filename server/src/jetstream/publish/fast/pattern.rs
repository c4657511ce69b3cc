//! The reply subject of a fast publish, which says what the message is to its batch:
//! `<prefix>.<batch>.<flow>.<gap mode>.<sequence>.<operation>.$FI`.
//! Not here: what an operation does (`flow`).

use super::super::headers::number;
use bytes::Bytes;

const SUFFIX: &[u8] = b".$FI";
const FLOW_DEFAULT: u16 = 10;

/// What a message is to its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// It is one of its messages.
    Add,
    /// It is the last one.
    Commit,
    /// The one before was the last one; this one only says so.
    End,
    /// It asks how far the batch is.
    Ping,
}

/// What a reply subject says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) id: Bytes,
    /// After how many messages the publisher wants to be told at the latest.
    pub(super) flow: u16,
    /// Whether messages may be missing.
    pub(super) is_gap_allowed: bool,
    pub(super) sequence: u64,
    pub(super) operation: Operation,
}

/// Whether a reply subject is one of a fast publish.
pub(in super::super) fn is_fast(reply: &[u8]) -> bool {
    reply.len() > SUFFIX.len() && reply.ends_with(SUFFIX)
}

impl Pattern {
    /// Reads a reply subject; none where it is not of the form.
    pub(super) fn read(reply: &Bytes) -> Option<Self> {
        let mut parts = reply.rsplitn(7, |byte| *byte == b'.');
        let mut part = || parts.next();
        let [_, operation, sequence, mode, flow, id, _] =
            [part()?, part()?, part()?, part()?, part()?, part()?, part()?];
        let sequence = number(sequence).filter(|each| !matches!(*each, 0 | u64::MAX))?;
        let (operation, is_right) = match number(operation)? {
            0 => (Operation::Add, sequence == 1),
            1 => (Operation::Add, sequence > 1),
            2 => (Operation::Commit, true),
            3 => (Operation::End, sequence > 1),
            4 => (Operation::Ping, true),
            _ => return None,
        };
        let is_gap_allowed = match mode {
            b"ok" => true,
            b"fail" => false,
            _ => return None,
        };
        let flow = number(flow).filter(|flow| *flow > 0).unwrap_or(FLOW_DEFAULT.into());
        let flow = u16::try_from(flow).unwrap_or(u16::MAX);
        let id = reply.slice_ref(id);
        is_right.then_some(Self { id, flow, is_gap_allowed, sequence, operation })
    }
    /// Whether it may be the first one of a batch.
    pub(super) fn begins(&self) -> bool {
        self.sequence == 1 && self.operation != Operation::Ping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reply_subjects() {
        use Operation::{Add, Commit, End, Ping};
        for (text, expected) in [
            ("i.b.10.fail.1.0.$FI", Some((10, false, 1, Add))),
            ("i.x.b.0.ok.7.1.$FI", Some((10, true, 7, Add))),
            ("i.b.x.ok.1.2.$FI", Some((10, true, 1, Commit))),
            ("i.b.70000.ok.2.3.$FI", Some((u16::MAX, true, 2, End))),
            (".b.500.ok.1.4.$FI", Some((500, true, 1, Ping))),
            ("i.b.10.fail.2.0.$FI", None),
            ("i.b.10.fail.1.1.$FI", None),
            ("i.b.10.fail.1.3.$FI", None),
            ("i.b.10.fail.1.5.$FI", None),
            ("i.b.10.fail.0.4.$FI", None),
            ("i.b.10.fail.18446744073709551615.1.$FI", None),
            ("i.b.10.maybe.1.0.$FI", None),
            ("b.10.fail.1.0.$FI", None),
            ("x.$FI", None),
        ] {
            let reply = Bytes::from(text);
            assert!(is_fast(&reply));
            let found = Pattern::read(&reply);
            let id = found.as_ref().map_or("b".into(), |pattern| pattern.id.clone());
            assert_eq!(id, "b");
            let found = found.map(|p| (p.flow, p.is_gap_allowed, p.sequence, p.operation));
            assert_eq!(found, expected, "{text}");
        }
        assert!(!is_fast(b".$FI") && !is_fast(b"a.b") && !is_fast(b""));
    }
}
