//! What a change does to a configuration, for people.
//! Not here: the change itself (`edit`).

use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// A line for each field before, and one for it afterwards; nothing where nothing changes.
pub(super) fn lines(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<String> {
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let mut lines = Vec::new();
    for name in names {
        let (old, new) = (before.get(name), after.get(name));
        if old == new {
            continue;
        }
        let line = |sign: char| move |value: &Value| format!("{sign} {name}: {value}");
        lines.extend(old.map(line('-')));
        lines.extend(new.map(line('+')));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences() {
        let map = |value: Value| value.as_object().cloned().unwrap();
        let before = map(json!({"a": 1, "b": [1], "c": true}));
        let after = map(json!({"a": 1, "b": [1, 2], "d": "x"}));
        assert_eq!(lines(&before, &after), ["- b: [1]", "+ b: [1,2]", "- c: true", "+ d: \"x\""]);
        assert!(lines(&before, &before).is_empty());
    }
}
