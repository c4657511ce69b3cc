//! Where a mirror or a source gets its messages from: a name on the command line, or the JSON of the whole thing.
//! Not here: questions about it (`prompts`).

use super::name;
use serde_json::{Value, json};

/// Reads one, into the JSON of the configuration.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    if !text.starts_with('{') {
        return name::parse(text).map(|name| json!({ "name": name }));
    }
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match value.get("name").and_then(Value::as_str) {
        Some(name) => name::parse(name).map(|_| value),
        None => Err("the JSON of a source or mirror needs a \"name\"".to_owned()),
    }
}

/// Name of the origin.
pub(super) fn name_of(origin: &Value) -> &str {
    origin.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// Whether nothing but the name was said about it, so that it makes sense to ask for more.
pub(super) fn is_bare(origin: &Value) -> bool {
    origin.as_object().is_some_and(|fields| fields.len() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        let started = r#"{"name":"ORDERS","opt_start_seq":7}"#;
        for (text, expected) in [
            ("ORDERS", Some(json!({"name": "ORDERS"}))),
            (started, Some(json!({"name": "ORDERS", "opt_start_seq": 7}))),
            ("a.b", None),
            ("{}", None),
            ("{", None),
            (r#"{"name":"a b"}"#, None),
        ] {
            assert_eq!(parse(text).ok(), expected, "{text}");
        }
        assert!(is_bare(&parse("ORDERS").unwrap()) && !is_bare(&parse(started).unwrap()));
        assert_eq!(name_of(&parse(started).unwrap()), "ORDERS");
    }
}
