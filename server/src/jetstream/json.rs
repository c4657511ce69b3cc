//! Reading request bodies as nats-server does: names without regard to case, `null` as absent, unknown names refused.
//! Invariant: every number is checked against the range of its field.
//! Not here: what the fields mean.

use super::errors::ApiError;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::sync::LazyLock;

static NO_FIELDS: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);

/// The fields of one JSON object, each to be taken once; `finish` refuses what nobody took.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    map: &'a Map<String, Value>,
    taken: RefCell<Vec<&'static str>>,
    is_strict: bool,
}

/// Parses a body.
pub(crate) fn parse(body: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(body).map_err(ApiError::json)
}

/// Whether a body looks like JSON to the endpoints that ignore any other.
pub(crate) fn is_json(body: &[u8]) -> bool {
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// Whether a body is nothing, or an object with nothing in it.
pub(crate) fn is_empty(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    let inner = body.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}"));
    body.is_empty() || inner.is_some_and(|inner| inner.trim_ascii().is_empty())
}

fn wrong(name: &str, value: &Value, expected: &str) -> ApiError {
    let found = match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Number(number) => format!("number {number}"),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    ApiError::json(format_args!("{name}: {expected} expected, not {found}"))
}

impl<'a> Fields<'a> {
    /// The fields of a value that has to be an object; `null` is one without fields.
    pub(crate) fn new(name: &str, value: &'a Value, is_strict: bool) -> Result<Self, ApiError> {
        let map = match value {
            Value::Object(map) => map,
            Value::Null => &NO_FIELDS,
            _ => return Err(wrong(name, value, "an object")),
        };
        Ok(Self { map, taken: RefCell::default(), is_strict })
    }
    /// Whether unknown names are refused; nested objects go by the same rule.
    pub(crate) fn is_strict(&self) -> bool {
        self.is_strict
    }
    /// The value under a name, `null` included.
    pub(crate) fn raw(&self, name: &'static str) -> Option<&'a Value> {
        self.taken.borrow_mut().push(name);
        let found = self.map.get(name);
        found.or_else(|| {
            self.map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        })
    }
    /// The value under a name.
    pub(crate) fn value(&self, name: &'static str) -> Option<&'a Value> {
        self.raw(name).filter(|value| !value.is_null())
    }
    /// Text; empty where absent.
    pub(crate) fn text(&self, name: &'static str) -> Result<String, ApiError> {
        match self.value(name) {
            None => Ok(String::new()),
            Some(value) => match value.as_str() {
                Some(text) => Ok(text.to_owned()),
                None => Err(wrong(name, value, "a string")),
            },
        }
    }
    /// A boolean; false where absent.
    pub(crate) fn flag(&self, name: &'static str) -> Result<bool, ApiError> {
        match self.value(name) {
            None => Ok(false),
            Some(value) => value.as_bool().ok_or_else(|| wrong(name, value, "a boolean")),
        }
    }
    /// A signed number; 0 where absent.
    pub(crate) fn integer(&self, name: &'static str) -> Result<i64, ApiError> {
        Ok(self.optional_integer(name)?.unwrap_or(0))
    }
    /// A signed number.
    pub(crate) fn optional_integer(&self, name: &'static str) -> Result<Option<i64>, ApiError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        value.as_i64().map(Some).ok_or_else(|| wrong(name, value, "a whole number in range"))
    }
    /// A number of at most 32 bits; 0 where absent.
    pub(crate) fn short(&self, name: &'static str) -> Result<i32, ApiError> {
        let Some(value) = self.value(name) else { return Ok(0) };
        let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
        number.ok_or_else(|| wrong(name, value, "a whole number in range"))
    }
    /// A number that is not negative.
    pub(crate) fn count(&self, name: &'static str) -> Result<Option<u64>, ApiError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        value.as_u64().map(Some).ok_or_else(|| wrong(name, value, "a whole number in range"))
    }
    /// A list; empty where absent.
    pub(crate) fn list(&self, name: &'static str) -> Result<&'a [Value], ApiError> {
        match self.value(name) {
            None => Ok(&[]),
            Some(value) => match value.as_array() {
                Some(list) => Ok(list),
                None => Err(wrong(name, value, "an array")),
            },
        }
    }
    /// A list of text; empty where absent.
    pub(crate) fn texts(&self, name: &'static str) -> Result<Vec<String>, ApiError> {
        let text = |value: &Value| match value {
            Value::Null => Ok(String::new()),
            Value::String(text) => Ok(text.clone()),
            other => Err(wrong(name, other, "strings")),
        };
        self.list(name)?.iter().map(text).collect()
    }
    /// An object under a name.
    pub(crate) fn object(&self, name: &'static str) -> Result<Option<Fields<'a>>, ApiError> {
        self.value(name).map(|value| Fields::new(name, value, self.is_strict)).transpose()
    }
    /// A time in RFC 3339.
    pub(crate) fn time(&self, name: &'static str) -> Result<Option<jiff::Timestamp>, ApiError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| wrong(name, value, "a time"))?;
        text.parse().map(Some).map_err(|error| {
            ApiError::json(format_args!("parsing time {text:?} as RFC 3339: {error}"))
        })
    }
    /// One of a set of words. `null` and any other are refused.
    pub(crate) fn word<T: Copy>(
        &self,
        name: &'static str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, ApiError> {
        let Some(value) = self.raw(name) else { return Ok(None) };
        let known = words.iter().find(|(word, _)| value.as_str() == Some(word));
        known
            .map(|(_, meaning)| Some(*meaning))
            .ok_or_else(|| ApiError::json(format_args!("can not unmarshal {value}")))
    }
    /// Refuses names that nobody took.
    pub(crate) fn finish(&self) -> Result<(), ApiError> {
        if !self.is_strict {
            return Ok(());
        }
        let taken = self.taken.borrow();
        let unknown =
            self.map.keys().find(|key| !taken.iter().any(|name| key.eq_ignore_ascii_case(name)));
        unknown.map_or(Ok(()), |name| Err(ApiError::unknown_field(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        for (body, is_strict, expected) in [
            (r#"{"n":1}"#, true, Ok(1)),
            (r#"{"N":1}"#, true, Ok(1)),
            ("{}", true, Ok(0)),
            (r#"{"n":null}"#, true, Ok(0)),
            (r#"{"n":1,"x":2}"#, false, Ok(1)),
            (r#"{"n":1,"x":2}"#, true, Err(r#"invalid JSON: json: unknown field "x""#)),
            (r#"{"n":"1"}"#, true, Err("")),
            (r#"{"n":1.5}"#, true, Err("")),
            (r#"{"n":9223372036854775808}"#, true, Err("")),
            ("[]", true, Err("")),
            ("junk", true, Err("")),
            ("{} x", true, Err("")),
        ] {
            let found = parse(body.as_bytes()).and_then(|value| {
                let fields = Fields::new("request", &value, is_strict)?;
                let number = fields.integer("n")?;
                fields.finish().map(|()| number)
            });
            match (&found, expected) {
                (Ok(number), Ok(wanted)) => assert_eq!(*number, wanted, "{body}"),
                (Err(error), Err(text)) => {
                    assert_eq!(error.err_code, 10025, "{body}");
                    assert!(text.is_empty() || error.description == text, "{error:?}");
                }
                _ => panic!("{body}: {found:?}"),
            }
        }
    }

    #[test]
    fn emptiness() {
        for (body, empty, json) in [
            ("", true, false),
            (" {} ", true, true),
            ("{ }", true, true),
            ("{\"a\":1}", false, true),
            ("junk", false, false),
            ("[]", false, true),
        ] {
            let body = body.as_bytes();
            assert_eq!((is_empty(body), is_json(body)), (empty, json), "{body:?}");
        }
    }
}
