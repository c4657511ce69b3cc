//! The JSON schemas that NATS publishes for its API, as far as they use JSON Schema.
//! Invariant: a keyword that this file does not know fails the test, so that nothing is passed over.
//! Not here: the schemas. They are found by HEADWATER_SCHEMAS or beside the repository.

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Keywords that check nothing. Two of them are fields of a reply that one schema has in the wrong place.
const SILENT: &[&str] = &[
    "$schema",
    "$id",
    "$comment",
    "title",
    "description",
    "default",
    "format",
    "deprecationMessage",
    "missing",
    "offline",
];

/// Schemas by the type that replies name.
pub(crate) struct Schemas {
    schemas: BTreeMap<String, Value>,
}

impl Schemas {
    /// Reads the schemas, or says that there are none.
    pub(crate) fn find() -> Option<Self> {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/api-schemas");
        let named = std::env::var_os("HEADWATER_SCHEMAS").map(PathBuf::from);
        let directory = named.unwrap_or(beside).join("jetstream");
        if !directory.is_dir() {
            eprintln!("replies are not checked against schemas: HEADWATER_SCHEMAS names none");
            return None;
        }
        let mut schemas = BTreeMap::new();
        for kind in ["api", "advisory"] {
            for file in std::fs::read_dir(directory.join(kind).join("v1")).unwrap().flatten() {
                let schema: Value =
                    serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap();
                let title = schema["title"].as_str().unwrap_or_default().to_owned();
                schemas.insert(title, schema);
            }
        }
        Some(Self { schemas })
    }
    /// What is wrong with replies. One without a type is an acknowledgement.
    pub(crate) fn violations(&self, replies: &[Value]) -> Vec<String> {
        let mut found = Vec::new();
        for reply in replies {
            let named = reply.get("type").and_then(Value::as_str);
            let kind = named.unwrap_or("io.nats.jetstream.api.v1.pub_ack_response");
            let Some(schema) = self.schemas.get(kind) else { continue };
            let wrong = validate(schema, reply);
            found.extend(wrong.into_iter().map(|wrong| format!("{kind}: {wrong}")));
        }
        found
    }
}

/// What is wrong with a value.
fn validate(schema: &Value, value: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    check("", schema, value, &mut wrong);
    wrong
}

fn check(place: &str, schema: &Value, value: &Value, wrong: &mut Vec<String>) {
    let Value::Object(schema) = schema else { return };
    for (keyword, rule) in schema {
        let holds = match (keyword.as_str(), value) {
            ("type", _) => is_of_type(rule, value),
            ("const", _) => rule == value,
            ("enum", _) => rule.as_array().unwrap().contains(value),
            ("minimum", Value::Number(number)) => number.as_f64() >= rule.as_f64(),
            ("maximum", Value::Number(number)) => number.as_f64() <= rule.as_f64(),
            ("minLength", Value::String(text)) => text.chars().count() as u64 >= number(rule),
            ("maxLength", Value::String(text)) => text.chars().count() as u64 <= number(rule),
            ("pattern", Value::String(text)) => matches_pattern(rule.as_str().unwrap(), text),
            ("required", Value::Object(map)) => {
                let names = rule.as_array().unwrap().iter();
                names.filter_map(Value::as_str).all(|name| map.contains_key(name))
            }
            ("properties", Value::Object(map)) => {
                for (name, rule) in rule.as_object().unwrap() {
                    if let Some(value) = map.get(name) {
                        check(&format!("{place}/{name}"), rule, value, wrong);
                    }
                }
                true
            }
            ("additionalProperties", Value::Object(map)) => {
                additional(place, schema, rule, map, wrong);
                true
            }
            ("items", Value::Array(list)) => {
                for (at, value) in list.iter().enumerate() {
                    check(&format!("{place}/{at}"), rule, value, wrong);
                }
                true
            }
            ("allOf", _) => {
                rule.as_array().unwrap().iter().for_each(|rule| check(place, rule, value, wrong));
                true
            }
            ("oneOf", _) => one_of(place, rule, value, wrong),
            (known, _) => is_known(known),
        };
        if !holds {
            wrong.push(format!("{place} is not by {keyword:?}"));
        }
    }
}

fn is_known(keyword: &str) -> bool {
    let other = ["minimum", "maximum", "minLength", "maxLength", "pattern", "required"];
    let inner = ["properties", "additionalProperties", "items", "patternProperties"];
    let known = SILENT.iter().chain(&other).chain(&inner).any(|known| *known == keyword);
    assert!(known, "schema keyword {keyword:?} is not built");
    true
}

fn number(rule: &Value) -> u64 {
    rule.as_u64().unwrap()
}

fn is_of_type(rule: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("schema type {other:?} is not built"),
    };
    match rule {
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        name => is(name.as_str().unwrap()),
    }
}

fn additional(
    place: &str,
    schema: &Map<String, Value>,
    rule: &Value,
    map: &Map<String, Value>,
    wrong: &mut Vec<String>,
) {
    let named = schema.get("properties").and_then(Value::as_object);
    for (name, value) in map {
        if named.is_some_and(|named| named.contains_key(name)) {
            continue;
        }
        match rule {
            Value::Bool(false) => wrong.push(format!("{place}/{name} is not known")),
            rule => check(&format!("{place}/{name}"), rule, value, wrong),
        }
    }
}

/// Exactly one of the alternatives holds; where none does, the one that is wrong in the fewest places tells why.
fn one_of(place: &str, rule: &Value, value: &Value, wrong: &mut Vec<String>) -> bool {
    let results: Vec<Vec<String>> = rule
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| {
            let mut wrong = Vec::new();
            check(place, rule, value, &mut wrong);
            wrong
        })
        .collect();
    let matching = results.iter().filter(|wrong| wrong.is_empty()).count();
    if matching == 0 {
        wrong.extend(results.into_iter().min_by_key(Vec::len).unwrap_or_default());
    }
    matching == 1
}

/// The patterns that the schemas use.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let without = |characters: &str| !text.contains(|c: char| characters.contains(c));
    match pattern {
        "^[^.*>]*$" => without(".*>"),
        "^[^.*>]+$" => !text.is_empty() && without(".*>"),
        other => panic!("schema pattern {other:?} is not built"),
    }
}
