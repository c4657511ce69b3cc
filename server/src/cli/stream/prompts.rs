//! The questions of `stream add`, in the order and in the words of NATS's page on data replication.
//! Only what was not given by a flag is asked for. Whatever is answered ends up in the configuration, as a flag would.
//! Not here: how a question looks (`terminal`), what a configuration has without answers (`config`).

use super::{config, origin};
use crate::cli::error::Result;
use crate::cli::terminal::{Asker, Check};
use crate::cli::{duration, size, time};
use serde_json::{Map, Value, json};

type Fields = Map<String, Value>;

/// Asks for what is missing.
pub(super) fn ask(asker: &mut dyn Asker, given: &mut Fields) -> Result<()> {
    let is_mirror = given.contains_key("mirror");
    if !is_mirror && !given.contains_key("subjects") && !given.contains_key("sources") {
        let subjects = asker.text("Subjects to consume", "", check_subjects)?;
        given.insert("subjects".to_owned(), subject_list(&subjects).into());
    }
    choose(asker, given, "storage", "Storage backend", &["file", "memory"])?;
    choose(asker, given, "retention", "Retention Policy", &["Limits", "Interest", "WorkQueue"])?;
    choose(asker, given, "discard", "Discard Policy", &["Old", "New"])?;
    count(asker, given, "max_msgs", "Stream Messages Limit")?;
    if given.contains_key("subjects") {
        count(asker, given, "max_msgs_per_subject", "Per Subject Messages Limit")?;
    }
    bytes(asker, given, "max_bytes", "Message size limit")?;
    if !given.contains_key("max_age") {
        let age = asker.text("Maximum message age limit", "-1", check_duration)?;
        given.insert("max_age".to_owned(), duration::parse_limit(&age).unwrap_or(0).into());
    }
    bytes(asker, given, "max_msg_size", "Maximum individual message size")?;
    if !is_mirror && !given.contains_key("duplicate_window") {
        let usual = config::duplicate_window(given);
        let text = duration::text(usual);
        let window = asker.text("Duplicate tracking time window", &text, check_duration)?;
        let window = duration::parse_limit(&window).unwrap_or(usual);
        given.insert("duplicate_window".to_owned(), window.into());
    }
    for (field, message, usual, is_denial) in [
        ("allow_rollup_hdrs", "Allow message Roll-ups", false, false),
        ("deny_delete", "Allow message deletion", true, true),
        ("deny_purge", "Allow purging subjects or the entire stream", true, true),
    ] {
        if !given.contains_key(field) {
            let answer = asker.confirm(message, usual)?;
            given.insert(field.to_owned(), (answer != is_denial).into());
        }
    }
    if !given.contains_key("num_replicas") {
        let replicas: u8 = asker.text("Replicas", "1", check_replicas)?.parse().unwrap_or(1);
        given.insert("num_replicas".to_owned(), replicas.into());
    }
    ask_about_origins(asker, given)
}

fn choose(
    asker: &mut dyn Asker,
    given: &mut Fields,
    field: &str,
    message: &str,
    options: &[&str],
) -> Result<()> {
    if !given.contains_key(field) {
        let answer = asker.choose(message, options)?;
        given.insert(field.to_owned(), answer.to_lowercase().into());
    }
    Ok(())
}

fn count(asker: &mut dyn Asker, given: &mut Fields, field: &str, message: &str) -> Result<()> {
    if !given.contains_key(field) {
        let answer = asker.text(message, "-1", check_count)?;
        given.insert(field.to_owned(), answer.parse().unwrap_or(-1_i64).into());
    }
    Ok(())
}

fn bytes(asker: &mut dyn Asker, given: &mut Fields, field: &str, message: &str) -> Result<()> {
    if !given.contains_key(field) {
        let check: Check = match field {
            "max_msg_size" => |answer| size::parse_i32(answer).map(drop),
            _ => |answer| size::parse(answer).map(drop),
        };
        let answer = asker.text(message, "-1", check)?;
        given.insert(field.to_owned(), size::parse(&answer).unwrap_or(-1).into());
    }
    Ok(())
}

fn ask_about_origins(asker: &mut dyn Asker, given: &mut Fields) -> Result<()> {
    if let Some(mirror) = given.get_mut("mirror").filter(|mirror| origin::is_bare(mirror)) {
        let words = Words {
            subject: "mirror".to_owned(),
            quoted: "mirror".to_owned(),
            prefix: "Mirror".to_owned(),
        };
        words.ask(asker, mirror)?;
    }
    let sources = given.get_mut("sources").and_then(Value::as_array_mut);
    for source in sources.into_iter().flatten().filter(|source| origin::is_bare(source)) {
        let name = origin::name_of(source).to_owned();
        let words = Words {
            subject: format!("source \"{name}\""),
            quoted: format!("\"{name}\""),
            prefix: format!("{name} Source"),
        };
        words.ask(asker, source)?;
    }
    Ok(())
}

/// How the questions about an origin speak of it.
struct Words {
    subject: String,
    quoted: String,
    prefix: String,
}

impl Words {
    fn ask(&self, asker: &mut dyn Asker, origin: &mut Value) -> Result<()> {
        let Some(fields) = origin.as_object_mut() else { return Ok(()) };
        let Self { subject, quoted, prefix } = self;
        if asker.confirm(&format!("Adjust {subject} start"), false)? {
            self.ask_start(asker, fields)?;
        }
        let domain = format!("Import {quoted} from a different JetStream domain");
        if asker.confirm(&domain, false)? {
            let name =
                asker.text(&format!("{prefix} foreign JetStream domain name"), "", check_some)?;
            let api = format!("$JS.{name}.API");
            let deliver =
                asker.text(&format!("{prefix} foreign delivery prefix"), "", check_any)?;
            fields.insert("external".to_owned(), external(&api, &deliver));
            return Ok(());
        }
        let account = format!("Import {quoted} from a different account");
        if asker.confirm(&account, false)? {
            let api =
                asker.text(&format!("{prefix} foreign account API prefix"), "", check_some)?;
            let deliver =
                asker.text(&format!("{prefix} foreign account delivery prefix"), "", check_any)?;
            fields.insert("external".to_owned(), external(&api, &deliver));
        }
        Ok(())
    }

    fn ask_start(&self, asker: &mut dyn Asker, fields: &mut Fields) -> Result<()> {
        let prefix = &self.prefix;
        let sequence = asker.text(&format!("{prefix} Start Sequence"), "0", check_sequence)?;
        let sequence: u64 = sequence.parse().unwrap_or(0);
        if sequence > 0 {
            fields.insert("opt_start_seq".to_owned(), sequence.into());
        }
        let message = format!("{prefix} UTC Time Stamp (YYYY:MM:DD HH:MM:SS)");
        let start = asker.text(&message, "", check_time)?;
        if let Ok(start) = time::parse(&start) {
            fields.insert("opt_start_time".to_owned(), start.into());
        }
        let filter = asker.text(&format!("{prefix} Filter source by subject"), "", check_any)?;
        if !filter.is_empty() {
            fields.insert("filter_subject".to_owned(), filter.into());
        }
        Ok(())
    }
}

fn external(api: &str, deliver: &str) -> Value {
    json!({"api": api, "deliver": deliver})
}

fn subject_list(text: &str) -> Vec<String> {
    text.split([',', ' ']).filter(|subject| !subject.is_empty()).map(str::to_owned).collect()
}

fn check_subjects(answer: &str) -> Result<(), String> {
    match subject_list(answer).is_empty() {
        true => Err("at least one subject is needed".to_owned()),
        false => Ok(()),
    }
}

fn check_some(answer: &str) -> Result<(), String> {
    match answer.trim().is_empty() {
        true => Err("something is needed here".to_owned()),
        false => Ok(()),
    }
}

fn check_any(_: &str) -> Result<(), String> {
    Ok(())
}

fn check_count(answer: &str) -> Result<(), String> {
    match answer.parse::<i64>() {
        Ok(-1..) => Ok(()),
        _ => Err("a number, or -1 for no limit".to_owned()),
    }
}

fn check_sequence(answer: &str) -> Result<(), String> {
    answer.parse::<u64>().map(drop).map_err(|_| "a sequence, or 0 for all messages".to_owned())
}

fn check_replicas(answer: &str) -> Result<(), String> {
    match answer.parse::<u8>() {
        Ok(1..) => Ok(()),
        _ => Err("a number of at least 1".to_owned()),
    }
}

fn check_duration(answer: &str) -> Result<(), String> {
    duration::parse_limit(answer).map(drop)
}

fn check_time(answer: &str) -> Result<(), String> {
    match answer {
        "" => Ok(()),
        _ => time::parse(answer).map(drop),
    }
}

#[cfg(test)]
#[path = "prompts_test.rs"]
mod tests;
