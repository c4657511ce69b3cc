//! The CONNECT object: what a client says of itself. Unknown keys are ignored, missing ones have nats-server's defaults.
//! Not here: checking of credentials.

use super::ProtocolError;
use serde::{Deserialize, Serialize};

/// Longest text that is kept of what a client says of itself, in bytes.
const LABEL_BYTES_MAX: usize = 1024;

/// Options of a connection. Before CONNECT the defaults hold, which are verbose and pedantic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConnectOptions {
    /// Answer each operation with `+OK`.
    pub verbose: bool,
    /// Check subjects of publishes.
    pub pedantic: bool,
    /// Deliver to the connection what it publishes itself.
    pub echo: bool,
    /// The client understands headers.
    pub headers: bool,
    /// The client wants to be told when nobody listens to a request.
    pub no_responders: bool,
    /// Protocol version; 1 understands INFO at any time.
    pub protocol: i64,
    /// Language of the client.
    pub lang: String,
    /// Version of the client.
    pub version: String,
    /// Name of the connection.
    pub name: String,
    /// User name.
    pub user: String,
    /// Password.
    pub pass: String,
    /// Token.
    pub auth_token: String,
    /// Account the client asks for.
    pub account: String,
    /// Whether the client wants TLS.
    pub tls_required: bool,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            verbose: true,
            pedantic: true,
            echo: true,
            headers: false,
            no_responders: false,
            protocol: 0,
            lang: String::new(),
            version: String::new(),
            name: String::new(),
            user: String::new(),
            pass: String::new(),
            auth_token: String::new(),
            account: String::new(),
            tls_required: false,
        }
    }
}

impl ConnectOptions {
    /// Reads the JSON object of a CONNECT. A null is taken as a missing key.
    pub fn from_json(json: &[u8]) -> Result<Self, ProtocolError> {
        let mut object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(json).map_err(|_| ProtocolError::Malformed)?;
        object.retain(|_, value| !value.is_null());
        let mut options: Self = serde_json::from_value(serde_json::Value::Object(object))
            .map_err(|_| ProtocolError::Malformed)?;
        for label in [&mut options.lang, &mut options.version, &mut options.name] {
            shorten(label);
        }
        if !(0..=1).contains(&options.protocol) {
            return Err(ProtocolError::ClientProtocol);
        }
        if options.no_responders && !options.headers {
            return Err(ProtocolError::NoRespondersNeedHeaders);
        }
        Ok(options)
    }
}

fn shorten(label: &mut String) {
    if label.len() > LABEL_BYTES_MAX {
        let end = (0..=LABEL_BYTES_MAX).rev().find(|at| label.is_char_boundary(*at)).unwrap_or(0);
        label.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_and_refusals() {
        let options = ConnectOptions::from_json(b"{\"name\":null,\"new_key\":[1]}").unwrap();
        assert_eq!(options, ConnectOptions::default());
        for (json, expected) in [
            ("{bad}", ProtocolError::Malformed),
            ("[]", ProtocolError::Malformed),
            ("{\"verbose\":7}", ProtocolError::Malformed),
            ("{\"protocol\":2}", ProtocolError::ClientProtocol),
            ("{\"no_responders\":true}", ProtocolError::NoRespondersNeedHeaders),
        ] {
            assert_eq!(ConnectOptions::from_json(json.as_bytes()), Err(expected), "{json}");
        }
    }
}
