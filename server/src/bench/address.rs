//! Where the server is and as whom to connect: `nats://user:password@host:port`, each part but the host optional.
//! Not here: TLS, which the load generator does not speak.

use super::error::{BenchError, Result};
use percent_encoding::percent_decode_str;

/// The port of servers that name none.
const DEFAULT_PORT: u16 = 4222;

/// A server and the credentials for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// Host and port.
    pub(super) host_port: String,
    /// User name, or the token where there is no password.
    pub(super) user: Option<String>,
    /// Password.
    pub(super) password: Option<String>,
}

impl Address {
    /// Reads a URL, or a host with or without a port.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let refuse =
            |why: &str| Err(BenchError::Invalid(format!("server address {text:?}: {why}")));
        let rest = match text.split_once("://") {
            None | Some(("nats", _)) => text.strip_prefix("nats://").unwrap_or(text),
            Some(("tls", _)) => return refuse("the load generator does not speak TLS"),
            Some(_) => return refuse("nats:// expected"),
        };
        let rest = rest.trim_end_matches('/');
        let (credentials, host_port) = match rest.rsplit_once('@') {
            Some((credentials, host_port)) => (Some(credentials), host_port),
            None => (None, rest),
        };
        if host_port.is_empty() || host_port.contains(['/', ',', ' ']) {
            return refuse("one host expected");
        }
        let has_port = match host_port.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                if port.parse::<u16>().is_err() {
                    return refuse("no such port");
                }
                true
            }
            _ => false,
        };
        let host_port =
            if has_port { host_port.to_owned() } else { format!("{host_port}:{DEFAULT_PORT}") };
        let (user, password) = match credentials.map(|text| text.split_once(':')) {
            Some(Some((user, password))) => (Some(user), Some(password)),
            Some(None) => (credentials, None),
            None => (None, None),
        };
        Ok(Self {
            host_port,
            user: user.map(decode).transpose()?,
            password: password.map(decode).transpose()?,
        })
    }

    /// The same server, as somebody else where a user is given.
    pub(super) fn with_credentials(self, user: Option<&str>, password: Option<&str>) -> Self {
        match user {
            None => self,
            Some(user) => {
                Self { user: Some(user.to_owned()), password: password.map(str::to_owned), ..self }
            }
        }
    }
}

/// Letters that have a meaning in addresses are written there as `%40`.
fn decode(text: &str) -> Result<String> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded =
        decoded.map_err(|error| BenchError::Invalid(format!("server address: {error}")))?;
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("nats://127.0.0.1:4333", Some(("127.0.0.1:4333", None, None))),
            ("localhost", Some(("localhost:4222", None, None))),
            ("nats://a:b@h/", Some(("h:4222", Some("a"), Some("b")))),
            ("nats://token@h:1", Some(("h:1", Some("token"), None))),
            ("nats://a%20a:p%40%3A%2F%25@h", Some(("h:4222", Some("a a"), Some("p@:/%")))),
            ("nats://%ff@h", None),
            ("[::1]:5", Some(("[::1]:5", None, None))),
            ("[::1]", Some(("[::1]:4222", None, None))),
            ("tls://h", None),
            ("ws://h", None),
            ("h:99999", None),
            ("a,b", None),
            ("", None),
        ] {
            let found = Address::parse(text).ok();
            let expected =
                expected.map(|(host_port, user, password): (&str, Option<&str>, _)| Address {
                    host_port: host_port.to_owned(),
                    user: user.map(str::to_owned),
                    password: password.map(str::to_owned),
                });
            assert_eq!(found, expected, "{text}");
        }
    }
}
