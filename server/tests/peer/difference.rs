//! Where two answers differ, as places and what stands there.
//! Not here: which differences are meant to be (`kept`).

use serde_json::{Map, Value};
use std::fmt;

/// A place where two answers differ; none is a value that is not there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference {
    pub(crate) place: String,
    pub(crate) left: Option<Value>,
    pub(crate) right: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |side: &Option<Value>| {
            side.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string)
        };
        write!(f, "{}: {} | {}", self.place, show(&self.left), show(&self.right))
    }
}

/// Every place where two answers differ.
pub(crate) fn differences(left: &Value, right: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(String::new(), Some(left), Some(right), &mut found);
    found
}

fn compare(
    place: String,
    left: Option<&Value>,
    right: Option<&Value>,
    found: &mut Vec<Difference>,
) {
    match (left, right) {
        (Some(Value::Object(left)), Some(Value::Object(right))) => {
            for key in keys(left, right) {
                compare(format!("{place}/{key}"), left.get(key), right.get(key), found);
            }
        }
        (Some(Value::Array(left)), Some(Value::Array(right))) => {
            for index in 0..left.len().max(right.len()) {
                compare(format!("{place}/{index}"), left.get(index), right.get(index), found);
            }
        }
        (left, right) if left != right => {
            found.push(Difference { place, left: left.cloned(), right: right.cloned() });
        }
        _ => {}
    }
}

fn keys<'a>(left: &'a Map<String, Value>, right: &'a Map<String, Value>) -> Vec<&'a String> {
    let more = right.keys().filter(|key| !left.contains_key(*key));
    left.keys().chain(more).collect()
}
