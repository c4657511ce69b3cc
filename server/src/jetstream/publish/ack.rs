//! Acknowledgements, byte for byte as nats-server writes them.
//! Not here: when they are sent.

use super::settings::Settings;
use crate::jetstream::errors::ApiError;
use crate::routing::Message;
use bytes::Bytes;
use headwater_storage::Appended;

/// Longest number and what follows it.
const END_BYTES: usize = 48;

/// The message is stored, or was before. `counter` is what is stored of an increment, which names the value.
pub(super) fn accepted(settings: &Settings, appended: &Appended, counter: Option<&Bytes>) -> Bytes {
    let mut text = Vec::with_capacity(settings.ack_start.len() + END_BYTES);
    text.extend_from_slice(&settings.ack_start);
    text.extend_from_slice(itoa::Buffer::new().format(appended.sequence).as_bytes());
    match counter.and_then(|counter| counter.strip_prefix(b"{")).filter(|_| !appended.duplicate) {
        Some(value) => {
            text.push(b',');
            text.extend_from_slice(value);
        }
        None => {
            let end: &[u8] = if appended.duplicate { b",\"duplicate\": true}" } else { b"}" };
            text.extend_from_slice(end);
        }
    }
    Bytes::from(text)
}

/// A batch is stored; the sequence is that of its last message.
pub(super) fn committed(
    settings: &Settings,
    appended: &Appended,
    batch: &str,
    count: u64,
) -> Bytes {
    let mut text = settings.ack_start.clone();
    text.extend_from_slice(itoa::Buffer::new().format(appended.sequence).as_bytes());
    if appended.duplicate {
        text.extend_from_slice(b",\"duplicate\": true");
    }
    let batch = serde_json::Value::from(batch);
    text.extend_from_slice(format!(",\"batch\":{batch},\"count\":{count}}}").as_bytes());
    Bytes::from(text)
}

/// The message is refused.
pub(super) fn refused(settings: &Settings, error: &ApiError) -> Bytes {
    let error = serde_json::to_string(error).unwrap_or_default();
    Bytes::from(format!("{{\"error\":{error},\"stream\":{},\"seq\":0}}", settings.name_json))
}

/// The message that carries an acknowledgement.
pub(super) fn message(reply: Bytes, payload: Bytes) -> Message {
    Message { subject: reply, payload, ..Message::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jetstream::config::StreamConfig;
    use crate::jetstream::errors;
    use headwater_storage::Timestamp;

    #[test]
    fn bytes() {
        let config = StreamConfig { name: "A".into(), ..StreamConfig::default() };
        let settings = Settings::new(&config, "");
        let ack = |sequence, duplicate| {
            accepted(&settings, &Appended { sequence, duplicate, time: Timestamp(0) }, None)
        };
        assert_eq!(ack(1, false), r#"{"stream":"A","seq":1}"#);
        let elsewhere = Settings::new(&config, "hub");
        let appended = Appended { sequence: 1, duplicate: false, time: Timestamp(0) };
        let with_domain = r#"{"stream":"A","domain":"hub","seq":1}"#;
        assert_eq!(accepted(&elsewhere, &appended, None), with_domain);
        let longest = r#"{"stream":"A","seq":18446744073709551615,"duplicate": true}"#;
        assert_eq!(ack(u64::MAX, true), longest);
        let last = Appended { sequence: 9, duplicate: false, time: Timestamp(0) };
        let whole = r#"{"stream":"A","seq":9,"batch":"b\"","count":2}"#;
        assert_eq!(committed(&settings, &last, "b\"", 2), whole);
        let error = r#"{"error":{"code":400,"err_code":10109,"description":"invalid operation on sealed stream"},"stream":"A","seq":0}"#;
        assert_eq!(refused(&settings, &errors::SEALED), error);
    }
}
