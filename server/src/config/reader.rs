//! Reads typed values out of a configuration tree and collects what has to be refused, so that one run names all mistakes.
//! Not here: which keys there are (`keys`, `authorization`, `jetstream`).

use super::tree::{Entry, Map, Node, Place, Refusal, Value};
use super::value;
use std::time::Duration;

/// A map read as text (key, value) entries with every mistake collected.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) refusals: Vec<Refusal>,
    pub(super) warnings: Vec<Refusal>,
}

impl Reader {
    pub(super) fn refuse(&mut self, place: &Place, reason: impl Into<String>) {
        self.refusals.push(Refusal::new(place, reason));
    }
    /// A key that is not known, or known and not built.
    pub(super) fn refuse_key(&mut self, entry: &Entry, is_known: bool) {
        let key = &entry.key;
        let reason = match is_known {
            true => format!("{key:?} is not supported by Headwater"),
            false => format!("unknown field {key:?}"),
        };
        self.refuse(&entry.place, reason);
    }
    fn expect<T>(&mut self, value: &Value, found: Option<T>, what: &str) -> Option<T> {
        if found.is_none() {
            self.refuse(&value.place, format!("{what} expected"));
        }
        found
    }
    pub(super) fn string(&mut self, value: &Value) -> Option<String> {
        let found = match &value.node {
            Node::String(text) | Node::Integer(_, text) => Some(text.clone()),
            Node::Boolean(boolean) => Some(boolean.to_string()),
            Node::Float(number) => Some(number.to_string()),
            Node::List(_) | Node::Map(_) => None,
        };
        self.expect(value, found, "text")
    }
    pub(super) fn boolean(&mut self, value: &Value) -> Option<bool> {
        let found = match &value.node {
            Node::Boolean(boolean) => Some(*boolean),
            Node::String(text) => value::boolean(text),
            _ => None,
        };
        self.expect(value, found, "true or false")
    }
    pub(super) fn port(&mut self, value: &Value) -> Option<u16> {
        let found = match &value.node {
            Node::Integer(_, text) | Node::String(text) => value::port(text),
            _ => None,
        };
        self.expect(value, found, "a port")
    }
    /// A whole number within bounds; sizes may have suffixes, quoted or not.
    pub(super) fn integer(&mut self, value: &Value, min: i64, max: i64) -> Option<i64> {
        let found = match &value.node {
            Node::Integer(number, _) => Some(*number),
            Node::String(text) => value::integer(text),
            _ => None,
        };
        let found = found.filter(|number| (min..=max).contains(number));
        self.expect(value, found, &format!("a whole number from {min} to {max}"))
    }
    pub(super) fn size(&mut self, value: &Value, min: usize, max: usize) -> Option<usize> {
        let bound = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let number = self.integer(value, bound(min), bound(max))?;
        usize::try_from(number).ok()
    }
    /// A duration such as "2m". A bare number is seconds, as old configurations have it; one with a size suffix, which
    /// a bare `2m` is to the syntax, is refused.
    pub(super) fn duration(&mut self, value: &Value) -> Option<Duration> {
        match &value.node {
            Node::Integer(number, text) if number.to_string() == *text => {
                let refusal = Refusal::new(&value.place, "a duration with a unit is better here");
                self.warnings.push(refusal);
                let found = u64::try_from(*number).ok().map(Duration::from_secs);
                self.expect(value, found, "a duration")
            }
            Node::Integer(_, text) => {
                self.refuse(&value.place, format!("a duration expected, in quotes: \"{text}\""));
                None
            }
            Node::Float(seconds) => {
                let found = Duration::try_from_secs_f64(*seconds).ok();
                self.expect(value, found, "a duration")
            }
            Node::String(text) => self.expect(value, value::duration(text), "a duration"),
            _ => self.expect(value, None, "a duration"),
        }
    }
    /// `host:port`, or a port alone.
    pub(super) fn address(&mut self, value: &Value) -> Option<(Option<String>, u16)> {
        let found = match &value.node {
            Node::Integer(_, text) | Node::String(text) => value::host_port(text),
            _ => None,
        };
        self.expect(value, found, "host:port")
    }
    pub(super) fn map<'a>(&mut self, value: &'a Value) -> Option<&'a Map> {
        let found = match &value.node {
            Node::Map(map) => Some(map),
            _ => None,
        };
        self.expect(value, found, "a map")
    }
    pub(super) fn list<'a>(&mut self, value: &'a Value) -> Option<&'a [Value]> {
        let found = match &value.node {
            Node::List(list) => Some(list.as_slice()),
            _ => None,
        };
        self.expect(value, found, "a list")
    }
    /// One text or a list of texts.
    pub(super) fn strings(&mut self, value: &Value) -> Option<Vec<String>> {
        match &value.node {
            Node::List(list) => list.iter().map(|one| self.string(one)).collect(),
            Node::String(text) => Some(text.split_whitespace().map(str::to_owned).collect()),
            _ => self.expect(value, None, "text or a list of texts"),
        }
    }
}
