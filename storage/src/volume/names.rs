//! The names of a volume and what each stands for.
//!
//! Invariants: a name that is being made or removed is taken.
//! Not here: the streams (`crate::stream`).

use crate::{Stream, log::LogId};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// What a name stands for.
#[derive(Clone, Debug)]
pub(super) enum Named {
    /// A stream.
    Stream(Arc<Stream>),
    /// One that is being made or removed.
    Reserved,
    /// One that cannot be opened; its log.
    Unreadable(LogId),
}

/// Names and what they stand for.
pub(super) type Names = Mutex<BTreeMap<String, Named>>;

/// A name that is given back unless it is kept.
pub(super) struct Reservation<'a> {
    pub(super) names: &'a Names,
    pub(super) name: &'a str,
}

impl Reservation<'_> {
    /// Lets the name stand for this from now on.
    pub(super) fn keep(self, named: Named) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.insert(self.name.to_owned(), named);
        drop(names);
        std::mem::forget(self);
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).remove(self.name);
    }
}

/// All streams, sorted by name.
pub(super) fn all_streams(names: &Names) -> Vec<Arc<Stream>> {
    let names = names.lock().unwrap_or_else(PoisonError::into_inner);
    let streams = names.values().filter_map(|named| match named {
        Named::Stream(stream) => Some(Arc::clone(stream)),
        Named::Reserved | Named::Unreadable(_) => None,
    });
    streams.collect()
}
