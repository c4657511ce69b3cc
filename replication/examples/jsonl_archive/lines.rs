//! The plugin: every message becomes one line of JSON.
//! Not here: files (`archive`).

use data_encoding::BASE64;
use headwater_replication::{
    Result,
    origin::Start,
    plugin::{Actions, Event, Plugin, Request, Situation},
    progress::Progress,
};
use headwater_storage::NewMessage;

/// Turns messages into lines.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    progress: Progress,
}

impl Plugin for Lines {
    fn key(&self) -> &str {
        "lines"
    }

    fn attach(&mut self, situation: &Situation<'_>) -> Result<Request> {
        let known = situation.progress.map(|bytes| Progress::decode("lines", bytes)).transpose()?;
        let identity = situation.origin.identity.clone();
        // An archive goes on with whatever the origin is now; the identity in each line tells the creations apart.
        let known = known.filter(|known| !known.identity.differs(&identity));
        self.progress = Progress { identity, sequence: known.map_or(0, |known| known.sequence) };
        let start = Start::Sequence(self.progress.sequence + 1);
        Ok(Request { start, filters: Vec::new() })
    }

    fn decide(&mut self, event: Event, actions: &mut Actions) -> Result<()> {
        let Event::Message { message, .. } = event else {
            return Ok(());
        };
        if message.sequence <= self.progress.sequence {
            return Ok(());
        }
        self.progress.sequence = message.sequence;
        let line = serde_json::json!({
            "origin": self.progress.identity.hash,
            "sequence": message.sequence,
            "time": message.time.0,
            "subject": message.subject_str(),
            "headers": BASE64.encode(&message.headers),
            "payload": BASE64.encode(&message.payload),
        });
        let payload = line.to_string().into();
        actions.append(NewMessage { subject: message.subject, payload, ..NewMessage::default() });
        Ok(())
    }

    fn progress(&self, out: &mut Vec<u8>) {
        self.progress.encode(out);
    }

    fn position(&self) -> u64 {
        self.progress.sequence
    }
}
