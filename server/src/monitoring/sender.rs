//! The server as it stands in everything it sends under `$SYS`.
//! Not here: what is sent.

use super::text;
use crate::shared::Shared;
use serde_json::{Value, json};
use std::time::SystemTime;

/// That JetStream runs here, among the capabilities of a server.
const JETSTREAM_FLAG: u64 = 1;

/// This server, with the number and the time of the message this is for.
pub(super) fn sender(shared: &Shared) -> Value {
    let info = shared.info();
    let mut sender = json!({
        "name": info.server_name,
        "host": info.host,
        "id": info.server_id,
        "ver": info.version,
        "jetstream": info.jetstream,
        "flags": if info.jetstream { JETSTREAM_FLAG } else { 0 },
        "seq": shared.next_system_message(),
        "time": text::time(SystemTime::now()),
    });
    if let Some(fields) = sender.as_object_mut() {
        if !info.domain.is_empty() {
            fields.insert("domain".into(), info.domain.into());
        }
        if !shared.options.server_tags.is_empty() {
            fields.insert("tags".into(), shared.options.server_tags.clone().into());
        }
    }
    sender
}
