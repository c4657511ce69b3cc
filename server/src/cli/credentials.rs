//! As whom a client command connects: the flags say it, or the addresses do.
//! The client library takes no notice of what stands in its addresses.
//! Not here: the addresses and the connection (`connection`), the load generator's own address (`bench::address`).

use super::error::{ClientError, Result};
use async_nats::{ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;

/// A user and, unless that is a token, its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    user: String,
    password: Option<String>,
}

impl Credentials {
    /// What the flags say; none where they name nobody.
    pub(super) fn of_flags(user: Option<&str>, password: Option<&str>) -> Result<Option<Self>> {
        match (user, password) {
            (Some(user), password) => {
                Ok(Some(Self { user: user.to_owned(), password: password.map(str::to_owned) }))
            }
            (None, None) => Ok(None),
            (None, Some(_)) => Err(ClientError::Usage(
                "--password or NATS_PASSWORD is of no use without --user or NATS_USER".to_owned(),
            )),
        }
    }

    /// What all addresses say; none where they name nobody.
    pub(super) fn of_addresses(addresses: &[ServerAddr]) -> Result<Option<Self>> {
        let mut found = addresses.iter().map(Self::of_address);
        let Some(first) = found.next().transpose()? else { return Ok(None) };
        for other in found {
            // One connection has one login: a server must not be told that of another.
            if other? != first {
                let text = "--server: all addresses must name the same user, or --user one for all";
                return Err(ClientError::Usage(text.to_owned()));
            }
        }
        Ok(first)
    }

    fn of_address(address: &ServerAddr) -> Result<Option<Self>> {
        match (address.username(), address.password()) {
            (Some(user), password) => {
                let password = password.map(decode).transpose()?;
                Ok(Some(Self { user: decode(user)?, password }))
            }
            (None, None) => Ok(None),
            (None, Some(_)) => {
                Err(ClientError::Usage("--server: a password without a user".to_owned()))
            }
        }
    }

    /// Connects with them.
    pub(super) fn apply(self, options: ConnectOptions) -> ConnectOptions {
        match self.password {
            Some(password) => options.user_and_password(self.user, password),
            None => options.token(self.user),
        }
    }
}

/// Letters that have a meaning in addresses are written there as `%40`.
fn decode(text: &str) -> Result<String> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|error| ClientError::Usage(format!("--server: {error}")))?;
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(user: &str, password: Option<&str>) -> Credentials {
        Credentials { user: user.into(), password: password.map(str::to_owned) }
    }

    #[test]
    fn addresses_name_one_user() {
        for (addresses, expected) in [
            ("nats://h", Ok(None)),
            ("h,nats://i:1", Ok(None)),
            ("nats://a:b@h", Ok(Some(credentials("a", Some("b"))))),
            ("nats://a:@h", Ok(Some(credentials("a", None)))),
            ("nats://t%2f@h", Ok(Some(credentials("t/", None)))),
            ("a%20a:p%40%3A%2F%25@h", Ok(Some(credentials("a a", Some("p@:/%"))))),
            ("nats://a:b@h,nats://a:b@i", Ok(Some(credentials("a", Some("b"))))),
            ("nats://a:b@h,nats://a:c@i", Err(())),
            ("nats://a:b@h,nats://i", Err(())),
            ("nats://h,nats://a:b@i", Err(())),
            ("nats://:b@h", Err(())),
            ("nats://%ff@h", Err(())),
        ] {
            let parsed: Vec<ServerAddr> =
                addresses.split(',').map(|address| address.parse().unwrap()).collect();
            assert_eq!(Credentials::of_addresses(&parsed).map_err(|_| ()), expected, "{addresses}");
        }
    }
}
