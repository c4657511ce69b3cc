//! The API under the name of a domain, `$JS.<domain>.API`: how servers that are linked tell whose API is meant.
//! Not here: the API.

use crate::routing::{Account, Handler, InternalSubscription, Message, Origin};
use bytes::Bytes;
use std::sync::Arc;

const API: &[u8] = b"$JS.API.";
/// What is stored through clients' own prefixes, and stands behind a domain's with its own.
const STORES: [&[u8]; 2] = [b"$KV.", b"$OBJ."];

/// Passes requests on to the API.
struct Domain {
    prefix: String,
}

/// Serves the API under a domain; none for the empty one.
pub(super) fn serve(account: &Arc<Account>, domain: &str) -> Option<InternalSubscription> {
    if domain.is_empty() {
        return None;
    }
    let prefix = format!("$JS.{domain}.API.");
    let subject = format!("{prefix}>");
    Some(account.subscribe(&subject, Arc::new(Domain { prefix })))
}

impl Handler for Domain {
    fn deliver(&self, account: &Arc<Account>, message: &Message, origin: &Arc<Origin>) {
        let Some(rest) = message.subject.get(self.prefix.len()..) else { return };
        let is_store = STORES.iter().any(|prefix| rest.starts_with(prefix));
        let subject: Bytes =
            if is_store { message.subject.slice_ref(rest) } else { [API, rest].concat().into() };
        account.publish(&Message { subject, ..message.clone() }, origin);
    }
}
