//! The parameters of a monitoring request, from a URL or from a JSON object.
//! Not here: what they select.

use crate::shared::Shared;
use serde_json::Value;
use std::collections::BTreeMap;
use thiserror::Error;

/// Why a request is refused; the text is the answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QueryError {
    /// A number was expected.
    #[error("Error decoding int for '{0}': {1:?} is not a number")]
    Integer(String, String),
    /// A boolean was expected.
    #[error("Error decoding boolean for '{0}': {1:?} is neither true nor false")]
    Boolean(String, String),
    /// An order that does not exist.
    #[error("invalid sorting option: {0}")]
    Sort(String),
    /// An account that does not exist.
    #[error("Account {0} does not exist")]
    Account(String),
    /// Connections are asked for by what they listen to, in no account.
    #[error("filter by subject only valid with account filtering")]
    SubjectWithoutAccount,
    /// A connection state that does not exist.
    #[error("Error decoding state for {0}")]
    State(String),
}

/// Parameters by name.
#[derive(Clone, Debug, Default)]
pub struct Query(BTreeMap<String, String>);

impl Query {
    /// From the parameters of a URL.
    pub fn from_url(parameters: BTreeMap<String, String>) -> Self {
        Self(parameters)
    }
    /// From the body of a `$SYS.REQ` request; anything but an object counts as no parameters. Dashes and underscores
    /// are the same.
    pub fn from_json(body: &[u8]) -> Self {
        let Ok(Value::Object(object)) = serde_json::from_slice(body) else {
            return Self::default();
        };
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let spelled = |name: String| match name.as_str() {
            "subscriptions" => "subs".to_owned(),
            "account" => "acc".to_owned(),
            _ => name.replace('_', "-"),
        };
        Self(object.into_iter().map(|(name, value)| (spelled(name), text(value))).collect())
    }
    /// The same for one account.
    pub(super) fn of_account(mut self, account: &str) -> Self {
        self.0.insert("acc".to_owned(), account.to_owned());
        self
    }
    /// The same with accounts in the answer.
    pub(super) fn with_accounts(mut self) -> Self {
        self.0.insert("accounts".to_owned(), "true".to_owned());
        self
    }
    /// Whether a request to all servers is for this one: each name that is given must be part of its own, or be its own where
    /// the match is to be exact.
    pub(super) fn is_for(&self, shared: &Shared) -> bool {
        let info = shared.info();
        let is_exact = self.text("exact-match") == "true";
        let is_name = |wanted: &str, own: &str| {
            wanted.is_empty() || if is_exact { wanted == own } else { own.contains(wanted) }
        };
        let tags: Vec<String> = serde_json::from_str(self.text("tags")).unwrap_or_default();
        is_name(self.text("server-name"), &info.server_name)
            && is_name(self.text("host"), &info.host)
            && is_name(self.text("cluster"), "")
            && matches!(self.text("domain"), domain if domain.is_empty() || domain == info.domain)
            && tags.iter().all(|tag| shared.options.server_tags.contains(tag))
    }
    /// A parameter as text; empty when it is not given.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
    /// A parameter as a number.
    pub fn integer(&self, name: &str) -> Result<Option<usize>, QueryError> {
        match self.text(name) {
            "" => Ok(None),
            text => {
                let refuse = |_| QueryError::Integer(name.to_owned(), text.to_owned());
                text.parse().map(Some).map_err(refuse)
            }
        }
    }
    /// A parameter as a switch; off when it is not given.
    pub fn switch(&self, name: &str) -> Result<bool, QueryError> {
        match self.text(name) {
            "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
            text => Err(QueryError::Boolean(name.to_owned(), text.to_owned())),
        }
    }
}

/// One page of a list: offset, limit and the part of the list they select.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    pub(crate) offset: usize,
    pub(crate) limit: usize,
}

impl Page {
    pub(crate) fn of(query: &Query, limit: usize) -> Result<Self, QueryError> {
        let given = query.integer("limit")?.filter(|given| *given > 0);
        Ok(Self { offset: query.integer("offset")?.unwrap_or(0), limit: given.unwrap_or(limit) })
    }
    pub(crate) fn select<T>(self, list: Vec<T>) -> Vec<T> {
        list.into_iter().skip(self.offset).take(self.limit).collect()
    }
}
