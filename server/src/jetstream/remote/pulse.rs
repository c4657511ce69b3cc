//! Whether an idle consumer is idle because nothing is left: heartbeats say that it is there, and not that it works.
//!
//! After some heartbeats without a delivery the stream itself is asked whether it has a message behind the last one that
//! came, seldom when there is none. A consumer that still delivers nothing when two more heartbeats came does not do its work.
//! Neither does one that takes no acknowledgements when the stream waits for them by now.
//! Not here: what follows from that (`session`).

use super::ask::Made;
use super::inbox::Inbox;
use super::is_kept;
use super::request::Api;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};

/// Heartbeats without a delivery before the stream is asked; twice as many each time that it has nothing.
const BEATS_MIN: u32 = 10;
const BEATS_MAX: u32 = 60;
/// Heartbeats that a message may take which the stream has.
const BEATS_LATE: u32 = 2;

/// See the top of the file.
#[derive(Debug)]
pub(super) struct Pulse {
    beats: u32,
    /// Heartbeats until the stream is asked.
    wait: u32,
    /// Heartbeats since something was found.
    late: u32,
    /// What was found to be wrong.
    found: Arc<Mutex<Option<&'static str>>>,
    asking: Option<tokio::task::AbortHandle>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self { beats: 0, wait: BEATS_MIN, late: 0, found: Arc::default(), asking: None }
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a stream is asked about.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) stream: String,
    /// The last sequence that came.
    pub(super) sequence: u64,
    pub(super) consumer: Made,
    /// It takes acknowledgements.
    pub(super) is_acknowledging: bool,
}

impl Pulse {
    /// Something came.
    pub(super) fn moved(&mut self) {
        if self.beats > 0 || self.wait > BEATS_MIN {
            self.end();
            *self = Self::default();
        }
    }
    /// A heartbeat came, and nothing else. Gives in what way the consumer does not do its work, if it does not.
    pub(super) fn beats(
        &mut self,
        api: &Api,
        inbox: &Arc<Inbox>,
        place: impl Fn() -> Place,
    ) -> Option<&'static str> {
        self.beats = self.beats.saturating_add(1);
        let found = *self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if found.is_some() {
            self.late += 1;
            return found.filter(|_| self.late > BEATS_LATE);
        }
        if self.beats >= self.wait {
            (self.beats, self.wait) = (1, (self.wait * 2).min(BEATS_MAX));
            self.end();
            // What a question that was given up still finds counts for nothing.
            self.found = Arc::default();
            let (api, inbox, found) = (api.clone(), inbox.clone(), self.found.clone());
            let asking = tokio::spawn(ask(api, inbox, place(), found));
            self.asking = Some(asking.abort_handle());
        }
        None
    }
    fn end(&mut self) {
        if let Some(asking) = self.asking.take() {
            asking.abort();
        }
    }
}

async fn ask(api: Api, inbox: Arc<Inbox>, place: Place, found: Arc<Mutex<Option<&'static str>>>) {
    let wrong = match place.is_acknowledging || is_kept_still(&api, &place).await {
        true => what_is_left(&api, &inbox, &place).await,
        false => Some("the stream waits for acknowledgements by now"),
    };
    *found.lock().unwrap_or_else(PoisonError::into_inner) = wrong;
}

/// Whether messages stay when they were delivered; they do unless the stream says otherwise.
async fn is_kept_still(api: &Api, place: &Place) -> bool {
    let info = api.ask(&format!("STREAM.INFO.{}", place.stream), &Value::Null).await;
    info.map_or(true, |info| is_kept(&info))
}

/// Asks the stream what it has, and the consumer what keeps it.
async fn what_is_left(api: &Api, inbox: &Inbox, place: &Place) -> Option<&'static str> {
    let Place { stream, sequence, consumer, .. } = place;
    let all = [">".to_owned()];
    let filters = if consumer.filters.is_empty() { &all[..] } else { &consumer.filters };
    let mut is_left = false;
    for filter in filters {
        let body = json!({"seq": sequence.saturating_add(1), "next_by_subj": filter});
        let answer = api.ask(&format!("STREAM.MSG.GET.{stream}"), &body).await;
        is_left = answer.is_ok_and(|answer| answer.get("message").is_some());
        if is_left {
            break;
        }
    }
    if !is_left {
        return None;
    }
    let path = format!("CONSUMER.INFO.{stream}.{}", consumer.name);
    let info = api.ask(&path, &Value::Null).await.ok()?;
    if let Some(left) = info.get("num_pending").and_then(Value::as_u64) {
        inbox.learn(*sequence, left.max(1));
    }
    // One that is paused by its owner does what it should.
    let is_paused = info.get("paused").and_then(Value::as_bool).unwrap_or(false);
    (!is_paused).then_some("the consumer does not deliver what is left")
}
