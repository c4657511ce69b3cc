//! Streams of one space of names, found by name, with word when one appears or disappears.
//! Not here: reading a stream (`local`), who creates and deletes streams.

use headwater_storage::Stream;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;

/// Finds origins in the same process. An account of the server is one.
pub trait Directory: Send + Sync + 'static {
    /// The stream of that name, as it is now.
    fn stream(&self, name: &str) -> Option<Arc<Stream>>;
    /// A receiver that is marked as changed after each appearance and disappearance of a stream.
    fn changes(&self) -> watch::Receiver<u64>;
}

/// A directory to be filled by hand, for programs that embed the engine.
#[derive(Debug)]
pub struct Streams {
    streams: RwLock<HashMap<String, Arc<Stream>>>,
    changes: watch::Sender<u64>,
}

impl Default for Streams {
    fn default() -> Self {
        Self { streams: RwLock::default(), changes: watch::Sender::new(0) }
    }
}

impl Streams {
    /// Adds a stream under a name, in the place of one of the same name.
    pub fn insert(&self, name: impl Into<String>, stream: Arc<Stream>) {
        let name = name.into();
        self.streams.write().unwrap_or_else(PoisonError::into_inner).insert(name, stream);
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Takes a stream out.
    pub fn remove(&self, name: &str) -> Option<Arc<Stream>> {
        let stream = self.streams.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
        stream
    }
}

impl Directory for Streams {
    fn stream(&self, name: &str) -> Option<Arc<Stream>> {
        self.streams.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
