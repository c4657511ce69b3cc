//! Who may log in, and to which account: user and password, a token, or nobody in particular.
//! Not here: what an account's users may do.

use crate::config::options::{AuthOptions, WebSocketAuth};
use crate::protocol::ConnectOptions;
use crate::routing::Account;
use std::sync::Arc;
use std::time::Duration;

/// nats-server's default.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The accounts of a server.
#[derive(Clone, Debug)]
pub struct Accounts {
    /// Where everybody lives who is not of the system.
    pub global: Arc<Account>,
    /// Where the server's own requests are served.
    pub system: Arc<Account>,
}

/// Who may log in.
#[derive(Debug)]
pub struct Auth {
    options: AuthOptions,
    accounts: Accounts,
    is_override: bool,
}

impl Auth {
    /// From the options.
    pub fn new(options: AuthOptions, accounts: Accounts) -> Self {
        Self { options, accounts, is_override: false }
    }
    /// For clients over WebSocket: what their listener says of it stands above what is said for all. Who has rules of
    /// their own has to log in, even as nobody in particular.
    pub fn for_websocket(all: &AuthOptions, own: &WebSocketAuth, accounts: Accounts) -> Self {
        let is_override = own.user.is_some() || own.token.is_some() || own.no_auth_user.is_some();
        let mut options = all.clone();
        if is_override {
            match (&own.user, &own.token) {
                (Some(user), _) => options.users = vec![user.clone()],
                (None, Some(_)) => options.users.clear(),
                (None, None) => {}
            }
            options.token.clone_from(&own.token);
            options.no_auth_user.clone_from(&own.no_auth_user);
        }
        options.timeout = own.timeout.or(all.timeout);
        Self { options, accounts, is_override }
    }
    /// What INFO says of it.
    pub fn is_announced(&self) -> bool {
        let options = &self.options;
        self.is_override
            || (options.token.is_some() || !options.users.is_empty())
                && options.no_auth_user.is_none()
    }
    /// Whether a client must log in before it does anything.
    pub fn is_required(&self) -> bool {
        self.is_override || self.anonymous().is_none()
    }
    /// How long a client may take to log in.
    pub fn timeout(&self) -> Duration {
        self.options.timeout.unwrap_or(TIMEOUT)
    }
    /// The account a client logs in to with what it gave; none to refuse it.
    pub fn check(&self, given: &ConnectOptions) -> Option<&Arc<Account>> {
        if !given.account.is_empty() {
            return None;
        }
        if given.user.is_empty() && given.auth_token.is_empty() {
            return self.anonymous();
        }
        if let Some(user) = self.options.users.iter().find(|user| user.name == given.user) {
            return is_same(&user.password, &given.pass).then(|| self.account(user.is_system));
        }
        match &self.options.token {
            Some(token) => is_same(token, &given.auth_token).then_some(&self.accounts.global),
            None if self.options.users.is_empty() => Some(&self.accounts.global),
            None => None,
        }
    }

    fn account(&self, is_system: bool) -> &Arc<Account> {
        if is_system { &self.accounts.system } else { &self.accounts.global }
    }
    /// Nobody but the system's users needs credentials.
    fn has_open_door(&self) -> bool {
        self.options.token.is_none() && self.options.users.iter().all(|user| user.is_system)
    }
    fn anonymous(&self) -> Option<&Arc<Account>> {
        if let Some(name) = &self.options.no_auth_user {
            let user = self.options.users.iter().find(|user| user.name == *name)?;
            return Some(self.account(user.is_system));
        }
        self.has_open_door().then_some(&self.accounts.global)
    }
}

/// Compares secrets in a time that does not tell where they differ.
fn is_same(one: &str, other: &str) -> bool {
    let differing = one.bytes().zip(other.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
    one.len() == other.len() && differing == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::options::UserOptions;

    fn user(name: &str, is_system: bool) -> UserOptions {
        UserOptions { name: name.into(), password: "p".into(), is_system }
    }

    #[test]
    fn logins() {
        let plain = || vec![user("a", false), user("b", false)];
        let rows = [
            ("open", vec![], None, None, ["$G", "$G", "$G", "$G"]),
            ("system only", vec![user("s", true)], None, None, ["$G", "-", "-", "$SYS"]),
            ("users", plain(), None, None, ["-", "$G", "-", "-"]),
            ("no_auth_user", plain(), None, Some("b"), ["$G", "$G", "-", "-"]),
            ("token", vec![], Some("t"), None, ["-", "-", "$G", "-"]),
        ];
        for (name, users, token, no_auth_user, expected) in rows {
            let options = AuthOptions {
                users,
                token: token.map(str::to_owned),
                no_auth_user: no_auth_user.map(str::to_owned),
                timeout: None,
            };
            let accounts = Accounts { global: Account::new("$G"), system: Account::new("$SYS") };
            let auth = Auth::new(options, accounts);
            let logins = [("", "", ""), ("a", "p", ""), ("", "", "t"), ("s", "p", "")];
            let found = logins.map(|(user, pass, auth_token)| {
                let given = ConnectOptions {
                    user: user.into(),
                    pass: pass.into(),
                    auth_token: auth_token.into(),
                    ..ConnectOptions::default()
                };
                auth.check(&given).map_or("-", |account| account.name()).to_owned()
            });
            assert_eq!(found, expected.map(str::to_owned), "{name}");
        }
        assert!(is_same("ab", "ab") && !is_same("ab", "ac") && !is_same("ab", "a"));
    }
    #[test]
    fn logins_over_websocket() {
        let all = AuthOptions { users: vec![user("a", false)], ..AuthOptions::default() };
        let own = |user: Option<&str>, token: Option<&str>, nobody: Option<&str>| WebSocketAuth {
            user: user.map(|name| self::user(name, false)),
            token: token.map(str::to_owned),
            no_auth_user: nobody.map(str::to_owned),
            timeout: None,
        };
        // As for all, a user, a token, nobody in particular; whether each of nobody, a, w, a token is let in.
        for (own, expected) in [
            (own(None, None, None), [false, true, false, false]),
            (own(Some("w"), None, None), [false, false, true, false]),
            (own(None, Some("t"), None), [false, false, false, true]),
            (own(None, None, Some("a")), [true, true, false, false]),
        ] {
            let accounts = Accounts { global: Account::new("$G"), system: Account::new("$SYS") };
            let auth = Auth::for_websocket(&all, &own, accounts);
            let logins = [("", "", ""), ("a", "p", ""), ("w", "p", ""), ("", "", "t")];
            let found = logins.map(|(user, pass, auth_token)| {
                let (user, pass, auth_token) = (user.into(), pass.into(), auth_token.into());
                let given = ConnectOptions { user, pass, auth_token, ..ConnectOptions::default() };
                auth.check(&given).is_some()
            });
            assert_eq!(found, expected, "{own:?}");
            assert!(auth.is_announced() && auth.is_required(), "{own:?}");
        }
        let (open, none) = (AuthOptions::default(), WebSocketAuth::default());
        let accounts = Accounts { global: Account::new("$G"), system: Account::new("$SYS") };
        let auth = Auth::for_websocket(&open, &none, accounts);
        assert!(!auth.is_announced() && !auth.is_required());
    }
}
