//! The configuration of a consumer from a file, as `consumer add --config` takes it: the configuration itself, or what
//! `consumer info --json` prints.
//! Not here: what flags say (`flags`).

use crate::cli::error::{ClientError, Result};
use serde_json::{Map, Value};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Largest file: the server takes no longer request.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The consumer's name and its configuration. A name that is given counts more than the one in the file; whether the
/// consumer is durable is said by the file alone, and one without any name gets a new one, as with the `nats` command line.
pub(super) fn read(path: &Path, name: Option<&str>) -> Result<(String, Map<String, Value>)> {
    let failed = |source| ClientError::File { path: path.to_owned(), source };
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text))
        .map_err(failed)?;
    let refused = |reason: &dyn std::fmt::Display| {
        ClientError::Usage(format!("{} is no configuration: {reason}", path.display()))
    };
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(refused(&format_args!("it has more than {FILE_BYTES_MAX} bytes")));
    }
    let content = serde_json::from_slice(&text).map_err(|error| refused(&error))?;
    complete(content, name).map_err(|reason| refused(&reason))
}

fn complete(content: Value, name: Option<&str>) -> Result<(String, Map<String, Value>), String> {
    let config = match content {
        Value::Object(mut fields) => fields.remove("config").unwrap_or(Value::Object(fields)),
        other => other,
    };
    let Value::Object(mut config) = config else {
        return Err("a JSON object expected".to_owned());
    };
    let text = |field: &str| match config.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(_) => Err(format!("{field} is no text")),
    };
    let (own, durable) = (text("name")?, text("durable_name")?);
    let of_file = own.or_else(|| durable.clone());
    let name = name.map(str::to_owned).or(of_file).unwrap_or_else(|| nuid::next().to_string());
    let name = crate::cli::stream::name::parse_consumer(&name)?;
    config.insert("name".to_owned(), name.clone().into());
    if durable.is_some() {
        config.insert("durable_name".to_owned(), name.clone().into());
    }
    if let Some(Value::Object(metadata)) = config.get_mut("metadata") {
        // The server writes these for itself, and they are not ours to send.
        metadata.retain(|key, _| !key.starts_with("_nats."));
    }
    Ok((name, config))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_name_that_is_given_counts_more() {
        for (content, given, expected) in [
            (
                json!({"name": "A", "durable_name": "A", "sample_freq": "7%"}),
                Some("B"),
                json!({"name": "B", "durable_name": "B", "sample_freq": "7%"}),
            ),
            (json!({"durable_name": "A"}), None, json!({"name": "A", "durable_name": "A"})),
            (json!({"name": "A"}), Some("B"), json!({"name": "B"})),
            (
                json!({"stream_name": "T", "config": {"name": "A",
                    "metadata": {"_nats.level": "1", "k": "v"}}}),
                None,
                json!({"name": "A", "metadata": {"k": "v"}}),
            ),
        ] {
            let (name, config) = complete(content, given).unwrap();
            assert_eq!(config.get("name"), Some(&Value::from(name)));
            assert_eq!(Value::Object(config), expected);
        }
        let (name, config) = complete(json!({}), None).unwrap();
        assert!(!name.is_empty() && config.get("durable_name").is_none(), "{name}");
    }

    #[test]
    fn what_is_no_configuration() {
        for content in [json!([]), json!({"config": 1}), json!({"name": 1}), json!({"name": "a.b"})]
        {
            assert!(complete(content.clone(), None).is_err(), "{content}");
        }
    }
}
