//! What a run loads the server with.
//! Not here: how it is asked for on the command line (`options`).

use serde::Serialize;
use std::time::Duration;

/// What is published, and who waits for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// JetStream publishes with many in flight.
    Publish,
    /// JetStream publishes, each after the acknowledgement of the one before.
    Sync,
    /// Core publishes, which nobody acknowledges.
    Core,
}

/// Where the streams of a run keep their messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Storage {
    /// In files.
    File,
    /// In memory.
    Memory,
}

impl Storage {
    /// Its name in the JetStream API.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Memory => "memory",
        }
    }
}

/// A load.
#[derive(Clone, Debug)]
pub(super) struct Load {
    /// What is published.
    pub(super) mode: Mode,
    /// Connections that publish.
    pub(super) clients: usize,
    /// Connections that receive everything (core only).
    pub(super) subscribers: usize,
    /// Streams over which the publishes are spread (not core).
    pub(super) streams: usize,
    /// Where they keep their messages.
    pub(super) storage: Storage,
    /// Whether they are still there after the run.
    pub(super) keeps_streams: bool,
    /// Publishes under way on one connection.
    pub(super) inflight: usize,
    /// Bytes of a payload.
    pub(super) payload_bytes: usize,
    /// Messages in total, if that is a limit.
    pub(super) count: Option<u64>,
    /// How long it publishes, if that is a limit.
    pub(super) duration: Option<Duration>,
    /// How long nothing may come while messages are under way; those are missing then.
    pub(super) silence_max: Duration,
}

impl Load {
    /// How many of the messages are this client's.
    pub(super) fn share(&self, client: usize) -> u64 {
        let (Some(count), clients) = (self.count, self.clients.max(1) as u64) else {
            return u64::MAX;
        };
        count.div_euclid(clients) + u64::from((client as u64) < count.rem_euclid(clients))
    }

    /// The same load with another limit of messages.
    #[cfg(test)]
    pub(super) fn with_count(self, count: u64) -> Self {
        Self { count: Some(count), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up() {
        let load = Load {
            mode: Mode::Publish,
            clients: 3,
            subscribers: 0,
            streams: 1,
            storage: Storage::File,
            keeps_streams: false,
            inflight: 1,
            payload_bytes: 1,
            count: None,
            duration: None,
            silence_max: Duration::ZERO,
        };
        assert_eq!(load.share(0), u64::MAX);
        let load = load.with_count(8);
        assert_eq!([load.share(0), load.share(1), load.share(2)], [3, 3, 2]);
    }
}
