//! What becomes of a message that a consumer delivered: it is printed and acknowledged.
//! Not here: how it came (`pull`, `follow`).

use crate::cli::connection::{Connection, request_failure};
use crate::cli::error::{ClientError, Result};
use crate::cli::{message, screen};
use async_nats::{Message, Request};
use clap::Args;

/// What to do with messages.
#[derive(Debug, Args)]
pub(super) struct DeliveryFlags {
    /// Do not acknowledge them, so that they are delivered once more
    #[arg(long)]
    no_ack: bool,
    /// Print the bodies only
    #[arg(long, short)]
    raw: bool,
}

/// The messages of one consumer.
#[derive(Debug)]
pub(super) struct Delivery<'a> {
    connection: &'a Connection,
    wants_acks: bool,
    is_raw: bool,
    /// How many there were.
    pub(super) count: u64,
}

impl<'a> Delivery<'a> {
    /// Before the first. Where a consumer wants no acknowledgements, nobody answers them.
    pub(super) fn new(connection: &'a Connection, flags: &DeliveryFlags, wants_acks: bool) -> Self {
        let DeliveryFlags { no_ack, raw } = *flags;
        Self { connection, wants_acks: wants_acks && !no_ack, is_raw: raw, count: 0 }
    }

    /// Prints one; returns when its acknowledgement is confirmed.
    pub(super) async fn take(&mut self, received: &Message) -> Result<()> {
        self.count += 1;
        match self.is_raw {
            true => {
                screen::bytes(&received.payload)?;
                screen::line("")?;
            }
            false => message::print_received(self.count, received)?,
        }
        let Some(reply) = received.reply.as_ref().filter(|_| self.wants_acks) else {
            return Ok(());
        };
        let timeout = self.connection.timeout;
        let request = Request::new().payload("+ACK".into()).timeout(Some(timeout));
        let sent = self.connection.client.send_request(reply.clone(), request).await;
        sent.map(drop).map_err(|error| {
            let reason = request_failure(error.kind(), timeout);
            ClientError::unanswered("acknowledge the message", reason)
        })
    }
}
