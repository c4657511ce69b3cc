//! The configuration of a new stream: what was given, and what goes without saying.
//! The defaults are those of the `nats` command line, field by field, so that both create the same stream.
//! Not here: what the server makes of it.

use super::flags::ConfigFlags;
use super::prompts;
use crate::cli::error::{ClientError, Result};
use crate::cli::terminal::Asker;
use serde_json::{Map, Value, json};

/// How long the identity of a message is known, where nothing is said, in nanoseconds.
pub(super) const DUPLICATE_WINDOW: i64 = 120_000_000_000;

/// Most bytes of a stream where the account wants them to be said and nothing is.
const REQUIRED_BYTES_MAX: i64 = 256 * 1024 * 1024;

/// The configuration. Whoever is there is asked for what was not given.
pub(super) fn complete(
    name: &str,
    flags: &ConfigFlags,
    asker: Option<&mut dyn Asker>,
    requires_bytes_max: bool,
) -> Result<Value> {
    let mut given = flags.given();
    if given.contains_key("mirror") && given.contains_key("subjects") {
        return Err(ClientError::Usage(
            "mirrors cannot listen for messages on subjects".to_owned(),
        ));
    }
    if let Some(asker) = asker {
        prompts::ask(asker, &mut given)?;
    }
    if !["subjects", "mirror", "sources"].iter().any(|name| given.contains_key(*name)) {
        return Err(ClientError::Usage(
            "a stream needs --subjects to listen on, or a --source or --mirror to copy".to_owned(),
        ));
    }
    let mut config = defaults(&given);
    if requires_bytes_max {
        config.insert("max_bytes".to_owned(), REQUIRED_BYTES_MAX.into());
    }
    config.insert("name".to_owned(), name.into());
    config.extend(given);
    Ok(Value::Object(config))
}

fn defaults(given: &Map<String, Value>) -> Map<String, Value> {
    let defaults = json!({
        "retention": "limits",
        "max_consumers": -1,
        "max_msgs_per_subject": -1,
        "max_msgs": -1,
        "max_bytes": -1,
        "max_age": 0,
        "max_msg_size": -1,
        "storage": "file",
        "discard": "old",
        "num_replicas": 1,
        "sealed": false,
        "deny_delete": false,
        "deny_purge": false,
        "allow_rollup_hdrs": false,
        "allow_direct": true,
        "mirror_direct": false,
        "consumer_limits": {},
    });
    let mut defaults = match defaults {
        Value::Object(defaults) => defaults,
        _ => Map::new(),
    };
    if !given.contains_key("mirror") {
        defaults.insert("duplicate_window".to_owned(), duplicate_window(given).into());
    }
    defaults
}

/// The usual window; a message that is not kept as long cannot be known as long either.
pub(super) fn duplicate_window(given: &Map<String, Value>) -> i64 {
    let max_age = given.get("max_age").and_then(Value::as_i64).filter(|age| *age > 0);
    max_age.unwrap_or(i64::MAX).min(DUPLICATE_WINDOW)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        name: String,
        #[command(flatten)]
        flags: ConfigFlags,
    }

    fn config(line: &str, requires_bytes_max: bool) -> Result<Value> {
        let line = Line::parse_from(["headwater"].into_iter().chain(line.split_whitespace()));
        complete(&line.name, &line.flags, None, requires_bytes_max)
    }

    #[test]
    fn bodies_are_those_of_the_nats_command_line() {
        for (line, expected) in [
            (
                "ORDERS --subjects ORDERS.* --storage memory",
                r#"{"name":"ORDERS","subjects":["ORDERS.*"],"retention":"limits","max_consumers":-1,"max_msgs_per_subject":-1,"max_msgs":-1,"max_bytes":-1,"max_age":0,"max_msg_size":-1,"storage":"memory","discard":"old","num_replicas":1,"duplicate_window":120000000000,"sealed":false,"deny_delete":false,"deny_purge":false,"allow_rollup_hdrs":false,"allow_direct":true,"mirror_direct":false,"consumer_limits":{}}"#,
            ),
            (
                "ARCHIVE --source ORDERS --source RETURNS",
                r#"{"name":"ARCHIVE","retention":"limits","max_consumers":-1,"max_msgs_per_subject":-1,"max_msgs":-1,"max_bytes":-1,"max_age":0,"max_msg_size":-1,"storage":"file","discard":"old","num_replicas":1,"duplicate_window":120000000000,"sources":[{"name":"ORDERS"},{"name":"RETURNS"}],"sealed":false,"deny_delete":false,"deny_purge":false,"allow_rollup_hdrs":false,"allow_direct":true,"mirror_direct":false,"consumer_limits":{}}"#,
            ),
            (
                "REPORT --mirror ARCHIVE",
                r#"{"name":"REPORT","retention":"limits","max_consumers":-1,"max_msgs_per_subject":-1,"max_msgs":-1,"max_bytes":-1,"max_age":0,"max_msg_size":-1,"storage":"file","discard":"old","num_replicas":1,"mirror":{"name":"ARCHIVE"},"sealed":false,"deny_delete":false,"deny_purge":false,"allow_rollup_hdrs":false,"allow_direct":true,"mirror_direct":false,"consumer_limits":{}}"#,
            ),
        ] {
            let expected: Value = serde_json::from_str(expected).unwrap();
            assert_eq!(config(line, false).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn what_depends_on_something_else() {
        for (line, field, expected) in [
            ("A --subjects a --max-age 30s", "duplicate_window", json!(30_000_000_000_i64)),
            ("A --subjects a --max-age 1h", "duplicate_window", json!(DUPLICATE_WINDOW)),
            ("A --mirror B", "duplicate_window", Value::Null),
            ("A --mirror B --dupe-window 1m", "duplicate_window", json!(60_000_000_000_i64)),
            ("A --subjects a", "max_bytes", json!(REQUIRED_BYTES_MAX)),
            ("A --subjects a --max-bytes 1K", "max_bytes", json!(1024)),
        ] {
            let config = config(line, true).unwrap();
            assert_eq!(config.get(field).cloned().unwrap_or_default(), expected, "{line}");
        }
        for (line, expected) in [
            ("A", "a stream needs --subjects"),
            ("A --mirror B --subjects b", "mirrors cannot listen for messages on subjects"),
        ] {
            assert!(config(line, false).unwrap_err().to_string().contains(expected), "{line}");
        }
    }
}
