//! What an answer to a publish says. Strict: a sequence and no error, or it is not taken for an acknowledgement.
//! Not here: counting (`tally`).

use crate::protocol::headers;
use serde::Deserialize;

/// An answer to a publish.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Acknowledgement<'a> {
    /// Stored in this stream with this sequence.
    Stored {
        /// The stream.
        stream: &'a str,
        /// The sequence.
        sequence: u64,
    },
    /// Taken for a repetition of an earlier one.
    Duplicate,
    /// Refused, with the code of the API or of the status line.
    Refused {
        /// The code.
        code: u32,
        /// What the server says.
        description: String,
    },
    /// No acknowledgement at all.
    Malformed,
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default)]
    stream: &'a str,
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    duplicate: bool,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    code: u32,
    #[serde(default)]
    err_code: u32,
    #[serde(default)]
    description: String,
}

/// Reads an answer.
pub(super) fn read<'a>(header_block: &[u8], payload: &'a [u8]) -> Acknowledgement<'a> {
    if let Some((code, text)) = headers::status(header_block) {
        let code = std::str::from_utf8(code).ok().and_then(|code| code.parse().ok());
        let description = match (code, text) {
            (Some(503), b"") => "no stream listens".to_owned(),
            _ => String::from_utf8_lossy(text).into_owned(),
        };
        return Acknowledgement::Refused { code: code.unwrap_or(0), description };
    }
    let Ok(fields) = serde_json::from_slice::<Fields<'a>>(payload) else {
        return Acknowledgement::Malformed;
    };
    match fields {
        Fields { error: Some(refusal), .. } => {
            let code = if refusal.err_code > 0 { refusal.err_code } else { refusal.code };
            Acknowledgement::Refused { code, description: refusal.description }
        }
        Fields { duplicate: true, .. } => Acknowledgement::Duplicate,
        Fields { seq: 0, .. } | Fields { stream: "", .. } => Acknowledgement::Malformed,
        Fields { stream, seq, .. } => Acknowledgement::Stored { stream, sequence: seq },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let refused = |code, description: &str| Acknowledgement::Refused {
            code,
            description: description.to_owned(),
        };
        for (headers, payload, expected) in [
            ("", r#"{"stream":"A","seq":7}"#, Acknowledgement::Stored { stream: "A", sequence: 7 }),
            (
                "",
                r#"{"stream":"A","domain":"hub","seq":7,"new":[1]}"#,
                Acknowledgement::Stored { stream: "A", sequence: 7 },
            ),
            ("", r#"{"stream":"A","seq":7,"duplicate": true}"#, Acknowledgement::Duplicate),
            (
                "",
                r#"{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"},"stream":"A","seq":0}"#,
                refused(10_077, "maximum messages exceeded"),
            ),
            ("", r#"{"error":{"code":400}}"#, refused(400, "")),
            ("NATS/1.0 503\r\n\r\n", "", refused(503, "no stream listens")),
            ("", r#"{"stream":"A","seq":0}"#, Acknowledgement::Malformed),
            ("", r#"{"seq":1}"#, Acknowledgement::Malformed),
            ("", r#"{"stream":"A","seq":"1"}"#, Acknowledgement::Malformed),
            ("", "+OK", Acknowledgement::Malformed),
            ("", "", Acknowledgement::Malformed),
        ] {
            assert_eq!(read(headers.as_bytes(), payload.as_bytes()), expected, "{payload}");
        }
    }
}
