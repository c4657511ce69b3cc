//! A configuration file as it was read: maps, lists and plain values, each with the place it stands at.
//! Not here: what keys mean (`keys`).

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use thiserror::Error;

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<Path>,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

/// Why a configuration file is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{place}: {reason}")]
pub struct Refusal {
    /// Where.
    pub place: Place,
    /// Why.
    pub reason: String,
}

impl Refusal {
    /// A refusal at a place.
    pub fn new(place: &Place, reason: impl Into<String>) -> Self {
        Self { place: place.clone(), reason: reason.into() }
    }
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// Text, quoted or not.
    String(String),
    /// A whole number, with the way it was written.
    Integer(i64, String),
    /// A number with a fraction.
    Float(f64),
    /// A boolean.
    Boolean(bool),
    /// A list.
    List(Vec<Value>),
    /// A map.
    Map(Map),
}

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Value {
    /// What it is.
    pub(super) node: Node,
    /// Where it stands.
    pub(super) place: Place,
}

/// One entry of a map.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// The key as written.
    pub(super) key: String,
    /// Where the key stands.
    pub(super) place: Place,
    /// The value.
    pub(super) value: Value,
}

/// Entries in the order of the file; a later entry stands above an earlier one of the same key.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Map {
    /// The entries.
    pub(super) entries: Vec<Entry>,
}

impl Map {
    /// The value of a key, compared exactly.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.entries.iter().rev().find(|entry| entry.key == key).map(|entry| &entry.value)
    }
    /// The value of the first of some keys that is there, in any case.
    pub(super) fn find(&self, keys: &[&str]) -> Option<&Value> {
        let is_one = |entry: &&Entry| keys.iter().any(|key| entry.key.eq_ignore_ascii_case(key));
        self.entries.iter().find(is_one).map(|entry| &entry.value)
    }
    /// Enters a value, in place of an earlier one.
    pub(super) fn set(&mut self, entry: Entry) {
        self.entries.retain(|old| old.key != entry.key);
        self.entries.push(entry);
    }
}
