//! What streams had that were copied from, and whether a message is a copy of it.
//!
//! Of a stream of which is not known what it holds, several messages may be the one that has a sequence.
//! Not here: what a copy as a whole has to be (`copy_check`).

use crate::{copies::Plan, copy_check::Target, model::Stored, world::World};
use std::{collections::BTreeMap, sync::Arc};

/// All messages that a stream ever held.
pub(crate) type Ever = BTreeMap<u64, Arc<Stored>>;

const SOURCE_HEADER: &str = "Nats-Stream-Source: ";

/// What a copy says of its original.
pub(crate) struct SourceOf {
    pub(crate) name: String,
    pub(crate) sequence: u64,
    subject: String,
    pub(crate) identity: String,
    line: String,
}

pub(crate) fn source_of(headers: &[u8]) -> Option<SourceOf> {
    let text = std::str::from_utf8(headers).ok()?;
    let line = text.split("\r\n").find(|line| line.starts_with(SOURCE_HEADER))?;
    let fields: Vec<&str> = line.strip_prefix(SOURCE_HEADER)?.split(' ').collect();
    let [name, sequence, _, _, subject, identity] = fields[..] else { return None };
    Some(SourceOf {
        name: name.to_owned(),
        sequence: sequence.parse().ok()?,
        subject: subject.to_owned(),
        identity: identity.to_owned(),
        line: line.to_owned(),
    })
}

/// The headers that a copy of a message has.
fn copied_headers(original: &[u8], line: &str) -> String {
    let text = String::from_utf8_lossy(original);
    let mut lines: Vec<&str> = text
        .split("\r\n")
        .filter(|each| !each.is_empty() && !each.starts_with(SOURCE_HEADER))
        .collect();
    if lines.is_empty() {
        lines.push("NATS/1.0");
    }
    lines.push(line);
    format!("{}\r\n\r\n", lines.join("\r\n"))
}

impl World {
    /// What may have this sequence in a stream, by name and incarnation.
    pub(crate) fn originals(
        &self,
        name: &str,
        incarnation: u128,
        at: u64,
    ) -> impl Iterator<Item = &Arc<Stored>> {
        let target = self.copies.targets.get(name);
        let live = self.streams.get(name).filter(|t| t.incarnation == Some(incarnation));
        let tracked = live.or_else(|| self.copies.graves.get(&incarnation));
        let tracked = tracked.filter(|_| target.is_none());
        let seen = target.and_then(|target| target.seen.get(&at));
        let ever = tracked.and_then(|tracked| tracked.ever.get(&at));
        let in_doubt = tracked.filter(|tracked| tracked.doubt);
        let others = in_doubt.into_iter().flat_map(|tracked| &tracked.never_acknowledged);
        let others = others.filter(move |(known, _)| *known == at).map(|(_, message)| message);
        seen.into_iter().chain(ever).chain(others)
    }

    /// Whether it is a copy of what that incarnation of the stream had.
    pub(crate) fn is_copy(&self, copy: &Stored, source: &SourceOf, incarnation: u128) -> bool {
        self.originals(&source.name, incarnation, source.sequence).any(|original| {
            copy.payload == original.payload
                && copy.subject == original.subject
                && source.subject == original.subject
                && copy.headers == copied_headers(&original.headers, &source.line)
        })
    }

    /// Whether anybody may have sent this to a stream that takes copies.
    pub(crate) fn may_be_sent(&self, target: &Target, at: u64, message: &Stored) -> bool {
        let Plan::Sources(_) = &target.plan else {
            return target.seen.get(&at).is_some_and(|seen| **seen == *message);
        };
        let Some(source) = source_of(&message.headers) else { return target.sent(message) };
        let identity = (source.name.clone(), source.identity.clone());
        let incarnation = self.copies.identities.get(&identity);
        incarnation.is_some_and(|incarnation| self.is_copy(message, &source, *incarnation))
    }
}
