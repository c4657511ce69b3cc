//! Header blocks: any bytes give an answer, and what was written is found again.
#![no_main]

use headwater_server::protocol::headers;
use libfuzzer_sys::fuzz_target;

/// Text that a header may hold.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\r' | '\n' | ':')).collect::<String>().trim().to_owned()
}

fuzz_target!(|input: (&[u8], Vec<(&str, &str)>, &str)| {
    let (bytes, fields, status) = input;
    let _ = headers::status(bytes);
    for line in headers::lines(bytes) {
        assert!(!line.is_empty());
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let Ok(name) = std::str::from_utf8(&line[..colon]) else { continue };
        assert!(headers::get(bytes, name).is_some(), "{name:?}");
    }

    let fields: Vec<(String, String)> = fields
        .iter()
        .map(|(name, value)| (clean(name), clean(value)))
        .filter(|(name, _)| !name.is_empty())
        .collect();
    let borrowed: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let status = clean(status);
    let block = headers::block(&status, &borrowed);
    assert_eq!(headers::lines(&block).count(), fields.len());
    for (name, _) in &fields {
        let first = fields.iter().find(|(other, _)| other == name).map(|(_, value)| value);
        let found = headers::get(&block, name);
        assert_eq!(
            found,
            first.map(|value| value.trim_matches(|c: char| c.is_ascii_whitespace()).as_bytes())
        );
    }
    assert_eq!(headers::status(&block).is_some(), !status.trim_ascii().is_empty());
});
