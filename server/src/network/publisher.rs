//! Delivering what one connection publishes, and telling it when nobody listens.
//! Not here: reading it (`session`), finding who listens (`routing`).

use super::link::Link;
use crate::protocol::{ConnectOptions, headers};
use crate::routing::{Account, Matched, Message, Origin, Parts, Sink, Wakeups};
use bytes::Bytes;
use std::sync::Arc;

/// The publishing side of a session, apart from the cache that its matches are borrowed from.
pub(super) struct Publisher<'a> {
    pub(super) account: &'a Arc<Account>,
    pub(super) origin: &'a Arc<Origin>,
    pub(super) options: &'a ConnectOptions,
    pub(super) link: &'a Link,
    pub(super) sink: &'a Arc<dyn Sink>,
}

impl Publisher<'_> {
    /// Delivers a message to those who matched.
    pub(super) fn deliver(&self, matched: &Matched, message: &Parts<'_>, wakeups: &mut Wakeups) {
        let taken = self.account.deliver(matched, message, self.origin, wakeups);
        if taken == 0 && self.options.no_responders && !message.reply.is_empty() {
            self.say_no_responders(message, wakeups);
        }
    }

    /// Tells the requester itself, through its own subscription, that nobody listens. Queue groups are left out, and
    /// the subscription's limit is not touched.
    fn say_no_responders(&self, request: &Parts<'_>, wakeups: &mut Wakeups) {
        let matched = self.account.matches(request.reply);
        let mut plain = matched.plain.iter();
        let Some(own) = plain.find(|one| one.sink_id() == Some(self.link.id)) else { return };
        let subject = String::from_utf8_lossy(request.subject);
        let headers = headers::block("503", &[("Nats-Subject", &subject)]);
        let message = Message {
            subject: Bytes::copy_from_slice(request.reply),
            headers,
            ..Message::default()
        };
        let parts = Parts { owned: None, ..Parts::from(&message) };
        if self.link.push(own, &parts, false).needs_wake {
            wakeups.push(self.sink.clone());
        }
    }
}
