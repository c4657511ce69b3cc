//! The questions against those of NATS's page on data replication.

use super::*;
use std::collections::VecDeque;

/// Answers from a list: an empty one is the usual answer. Keeps what was asked, with the answer.
#[derive(Default)]
struct Script {
    answers: VecDeque<(&'static str, &'static str)>,
    seen: Vec<String>,
}

impl Script {
    fn answer(&mut self, message: &str, usual: &str) -> String {
        let answer = match self.answers.front() {
            Some((expected, answer)) if *expected == message => {
                let answer = (*answer).to_owned();
                self.answers.pop_front();
                answer
            }
            _ => usual.to_owned(),
        };
        self.seen.push(format!("? {message} {answer}").trim_end().to_owned());
        answer
    }
}

impl Asker for Script {
    fn choose(&mut self, message: &str, options: &[&str]) -> Result<String> {
        Ok(self.answer(message, options[0]))
    }
    fn text(&mut self, message: &str, usual: &str, check: Check) -> Result<String> {
        let answer = self.answer(message, usual);
        check(&answer).unwrap();
        Ok(answer)
    }
    fn confirm(&mut self, message: &str, usual: bool) -> Result<bool> {
        Ok(self.answer(message, if usual { "Yes" } else { "No" }) == "Yes")
    }
}

fn asked(given: Value, answers: &[(&'static str, &'static str)]) -> (Vec<String>, Value) {
    let mut given = given.as_object().unwrap().clone();
    let mut script = Script { answers: answers.iter().copied().collect(), seen: Vec::new() };
    ask(&mut script, &mut given).unwrap();
    assert!(script.answers.is_empty(), "not asked: {:?}", script.answers);
    (script.seen, Value::Object(given))
}

#[test]
fn an_archive_is_asked_for_as_in_the_walkthrough() {
    let given = json!({"sources": [{"name": "ORDERS"}, {"name": "RETURNS"}]});
    let (seen, config) = asked(given, &[("Adjust source \"ORDERS\" start", "Yes")]);
    let expected = "\
? Storage backend file
? Retention Policy Limits
? Discard Policy Old
? Stream Messages Limit -1
? Message size limit -1
? Maximum message age limit -1
? Maximum individual message size -1
? Duplicate tracking time window 2m0s
? Allow message Roll-ups No
? Allow message deletion Yes
? Allow purging subjects or the entire stream Yes
? Replicas 1
? Adjust source \"ORDERS\" start Yes
? ORDERS Source Start Sequence 0
? ORDERS Source UTC Time Stamp (YYYY:MM:DD HH:MM:SS)
? ORDERS Source Filter source by subject
? Import \"ORDERS\" from a different JetStream domain No
? Import \"ORDERS\" from a different account No
? Adjust source \"RETURNS\" start No
? Import \"RETURNS\" from a different JetStream domain No
? Import \"RETURNS\" from a different account No";
    assert_eq!(seen.join("\n"), expected);
    assert_eq!(config["sources"], json!([{"name": "ORDERS"}, {"name": "RETURNS"}]));
    assert_eq!(config["duplicate_window"], json!(120_000_000_000_i64));
    assert_eq!(config["deny_delete"], json!(false));
}

#[test]
fn a_report_is_asked_for_as_in_the_walkthrough() {
    let (seen, config) = asked(json!({"mirror": {"name": "ARCHIVE"}}), &[]);
    let expected = "\
? Storage backend file
? Retention Policy Limits
? Discard Policy Old
? Stream Messages Limit -1
? Message size limit -1
? Maximum message age limit -1
? Maximum individual message size -1
? Allow message Roll-ups No
? Allow message deletion Yes
? Allow purging subjects or the entire stream Yes
? Replicas 1
? Adjust mirror start No
? Import mirror from a different JetStream domain No
? Import mirror from a different account No";
    assert_eq!(seen.join("\n"), expected);
    assert_eq!(config.get("duplicate_window"), None);
}

#[test]
fn answers_become_fields() {
    let answers = [
        ("Subjects to consume", "a.*, b"),
        ("Storage backend", "memory"),
        ("Retention Policy", "WorkQueue"),
        ("Discard Policy", "New"),
        ("Stream Messages Limit", "10"),
        ("Per Subject Messages Limit", "2"),
        ("Message size limit", "1MiB"),
        ("Maximum message age limit", "30s"),
        ("Maximum individual message size", "1K"),
        ("Duplicate tracking time window", "10s"),
        ("Allow message Roll-ups", "Yes"),
        ("Allow message deletion", "No"),
        ("Allow purging subjects or the entire stream", "No"),
        ("Replicas", "3"),
    ];
    let (_, config) = asked(json!({}), &answers);
    let expected = json!({
        "subjects": ["a.*", "b"], "storage": "memory", "retention": "workqueue", "discard": "new",
        "max_msgs": 10, "max_msgs_per_subject": 2, "max_bytes": 1_048_576,
        "max_age": 30_000_000_000_i64, "max_msg_size": 1024,
        "duplicate_window": 10_000_000_000_i64, "allow_rollup_hdrs": true, "deny_delete": true,
        "deny_purge": true, "num_replicas": 3,
    });
    assert_eq!(config, expected);
    let (seen, same) = asked(config.clone(), &[]);
    assert_eq!((seen.len(), same), (0, config), "nothing is asked that was given");
}

#[test]
fn answers_about_origins_become_fields() {
    let answers = [
        ("Adjust source \"A\" start", "Yes"),
        ("A Source Start Sequence", "7"),
        ("A Source UTC Time Stamp (YYYY:MM:DD HH:MM:SS)", "2022:01:21 11:49:52"),
        ("A Source Filter source by subject", "a.x"),
        ("Import \"A\" from a different JetStream domain", "Yes"),
        ("A Source foreign JetStream domain name", "hub"),
        ("A Source foreign delivery prefix", "d"),
        ("Import \"B\" from a different account", "Yes"),
        ("B Source foreign account API prefix", "$JS.other"),
    ];
    let sources = json!([{"name": "A"}, {"name": "B"}, {"name": "C", "opt_start_seq": 1}]);
    let (seen, config) = asked(json!({"sources": sources}), &answers);
    let expected = json!([
        {"name": "A", "opt_start_seq": 7, "opt_start_time": "2022-01-21T11:49:52Z",
         "filter_subject": "a.x", "external": {"api": "$JS.hub.API", "deliver": "d"}},
        {"name": "B", "external": {"api": "$JS.other", "deliver": ""}},
        {"name": "C", "opt_start_seq": 1},
    ]);
    assert_eq!(config["sources"], expected);
    assert!(!seen.iter().any(|line| line.contains("\"C\"")), "{seen:?}");
}

#[test]
fn answers_are_checked() {
    let checks: [(Check, &str, &str); 7] = [
        (check_subjects, "a", " , "),
        (check_some, "a", ""),
        (check_count, "-1", "-2"),
        (check_sequence, "0", "-1"),
        (check_replicas, "1", "0"),
        (check_duration, "1h", "soon"),
        (check_time, "", "soon"),
    ];
    for (check, good, bad) in checks {
        assert!(check(good).is_ok() && check(bad).is_err(), "{good:?} {bad:?}");
    }
}
