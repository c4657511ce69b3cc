//! The questions of `consumer add`, in the words of the `nats` command line.
//! Only what was not given by a flag is asked for.
//! Not here: how a question looks (`terminal`), what a consumer has without answers (`config`).

use super::start::Start;
use crate::cli::duration;
use crate::cli::error::Result;
use crate::cli::terminal::Asker;
use serde_json::{Map, Value};

type Fields = Map<String, Value>;

/// Asks for the name.
pub(super) fn ask_name(asker: &mut dyn Asker) -> Result<String> {
    asker.text("Consumer name", "", |name| crate::cli::stream::name::parse_consumer(name).map(drop))
}

/// Asks for what is missing.
pub(super) fn ask(asker: &mut dyn Asker, given: &mut Fields, says_how: bool) -> Result<()> {
    if !says_how {
        let message = "Delivery target (empty for Pull Consumers)";
        add(given, "deliver_subject", asker.text(message, "", check_word)?);
    }
    let is_push = given.contains_key("deliver_subject");
    if !given.contains_key("deliver_policy") {
        let message = "Start policy (all, new, last, subject, 1h, msg sequence)";
        let start = asker.text(message, "all", |answer| Start::parse(answer).map(drop))?;
        let start = Start::parse(&start).unwrap_or(Start::All);
        given.extend(start.fields().into_iter().map(|(name, value)| (name.to_owned(), value)));
    }
    if !given.contains_key("ack_policy") {
        let options = match is_push {
            true => ["none", "explicit", "all"].as_slice(),
            false => ["explicit", "all", "none"].as_slice(),
        };
        add(given, "ack_policy", asker.choose("Acknowledgment policy", options)?);
    }
    if !given.contains_key("replay_policy") {
        add(given, "replay_policy", asker.choose("Replay policy", &["instant", "original"])?);
    }
    if !given.contains_key("filter_subject") && !given.contains_key("filter_subjects") {
        let message = "Filter Stream by subjects (blank for all)";
        let filters = asker.text(message, "", |_| Ok(()))?;
        let filters: Vec<_> = filters.split([',', ' ']).filter(|word| !word.is_empty()).collect();
        match filters.as_slice() {
            [] => {}
            [only] => add(given, "filter_subject", (*only).to_owned()),
            several => drop(given.insert("filter_subjects".to_owned(), several.to_vec().into())),
        }
    }
    count(asker, given, "max_deliver", "Maximum Allowed Deliveries", "-1")?;
    if given.get("ack_policy").and_then(Value::as_str) != Some("none") {
        count(asker, given, "max_ack_pending", "Maximum Acknowledgments Pending", "0")?;
    }
    if is_push && !given.contains_key("idle_heartbeat") {
        let check = |answer: &str| duration::parse_limit(answer).map(drop);
        let heartbeat = asker.text("Idle Heartbeat", "0s", check)?;
        let heartbeat = duration::parse_limit(&heartbeat).unwrap_or(0);
        given.insert("idle_heartbeat".to_owned(), heartbeat.into());
    }
    if is_push && !given.contains_key("flow_control") {
        let message = "Enable Flow Control, ie --flow-control";
        given.insert("flow_control".to_owned(), asker.confirm(message, false)?.into());
    }
    if !given.contains_key("headers_only") {
        let message = "Deliver headers only without bodies";
        given.insert("headers_only".to_owned(), asker.confirm(message, false)?.into());
    }
    Ok(())
}

/// Adds an answer; an empty one says nothing.
fn add(given: &mut Fields, field: &str, answer: String) {
    if !answer.is_empty() {
        given.insert(field.to_owned(), answer.into());
    }
}

fn count(
    asker: &mut dyn Asker,
    given: &mut Fields,
    field: &str,
    message: &str,
    usual: &str,
) -> Result<()> {
    if !given.contains_key(field) {
        let answer = asker.text(message, usual, check_count)?;
        given.insert(field.to_owned(), answer.parse().unwrap_or(-1_i64).into());
    }
    Ok(())
}

fn check_word(answer: &str) -> Result<(), String> {
    match answer.contains(char::is_whitespace) {
        true => Err("a subject has no space in it".to_owned()),
        false => Ok(()),
    }
}

fn check_count(answer: &str) -> Result<(), String> {
    match answer.parse::<i64>() {
        Ok(-1..) => Ok(()),
        _ => Err("a number, or -1 for no limit".to_owned()),
    }
}
