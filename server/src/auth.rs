//! Who may log in, and to which account: user and password, a token, or nobody in particular.
//! Not here: what an account's users may do.

use crate::protocol::ConnectOptions;
use crate::routing::Account;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The outcome of a CONNECT.
#[derive(Debug)]
pub enum Login {
    /// The connection lives in this account.
    Account(Arc<Account>),
    /// Wrong or missing credentials.
    Refused,
}

/// One user.
#[derive(Clone)]
pub struct User {
    /// Name.
    pub name: String,
    /// Password, as it stands in the configuration.
    pub password: String,
    /// Account the user lives in.
    pub account: Arc<Account>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "User({} in {})", self.name, self.account.name())
    }
}

/// Who may log in.
pub struct Auth {
    users: Vec<User>,
    token: Option<String>,
    no_auth: Option<Arc<Account>>,
    timeout: Duration,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("users", &self.users).finish_non_exhaustive()
    }
}

impl Auth {
    /// `no_auth` is the account of those who give no credentials; without it credentials are required.
    pub fn new(
        users: Vec<User>,
        token: Option<String>,
        no_auth: Option<Arc<Account>>,
        timeout: Duration,
    ) -> Self {
        Self { users, token, no_auth, timeout }
    }
    /// Whether a client must log in.
    pub fn is_required(&self) -> bool {
        self.no_auth.is_none()
    }
    /// How long a client may take to log in.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }
    /// Checks what a client gave.
    pub fn check(&self, options: &ConnectOptions) -> Login {
        if let Some(user) = self.users.iter().find(|user| user.name == options.user) {
            return match is_same(&user.password, &options.pass) {
                true => Login::Account(user.account.clone()),
                false => Login::Refused,
            };
        }
        let is_anonymous = options.user.is_empty() && options.auth_token.is_empty();
        match (&self.token, &self.no_auth) {
            (_, Some(account)) if is_anonymous || self.users.is_empty() => {
                Login::Account(account.clone())
            }
            _ => Login::Refused,
        }
    }
}

/// Compares secrets in a time that does not tell where they differ.
fn is_same(one: &str, other: &str) -> bool {
    let differing = one.bytes().zip(other.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
    one.len() == other.len() && differing == 0
}
