//! `headwater events`: what a server says of its streams and consumers, as it comes.
//! Not here: messages of users (`subscribe`).

use super::connection::Connection;
use super::error::{ClientError, Result};
use super::sheet::Sheet;
use super::{message, screen, time};
use async_nats::Message;
use clap::Args;
use futures_util::StreamExt;
use futures_util::stream::select_all;
use serde_json::{Map, Value};

const ADVISORIES: &str = "$JS.EVENT.ADVISORY.>";
const METRICS: &str = "$JS.EVENT.METRIC.>";

/// What to show, and how.
#[derive(Debug, Args)]
pub(super) struct EventFlags {
    /// Only advisories: what was done, and what happened
    #[arg(long)]
    js_advisory: bool,
    /// Only metrics: how long acknowledgements take, where consumers sample them
    #[arg(long)]
    js_metric: bool,
    /// Only these subjects; may be given several times, or separated by commas
    #[arg(long, value_delimiter = ',', value_name = "SUBJECT")]
    #[arg(conflicts_with_all = ["js_advisory", "js_metric"])]
    subjects: Vec<String>,
    /// End after that many events
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Print each as a line of JSON
    #[arg(long, short)]
    json: bool,
}

impl EventFlags {
    /// The subjects to listen on.
    fn subjects(&self) -> Vec<String> {
        if !self.subjects.is_empty() {
            return self.subjects.clone();
        }
        let is_all = self.js_advisory == self.js_metric;
        let sorts = [(ADVISORIES, self.js_advisory), (METRICS, self.js_metric)];
        let wanted = sorts.into_iter().filter(|(_, is_wanted)| is_all || *is_wanted);
        wanted.map(|(subject, _)| subject.to_owned()).collect()
    }
}

/// Prints events until there were enough, or the user breaks it off.
pub(super) async fn run(connection: &Connection, flags: &EventFlags) -> Result<()> {
    let client = &connection.client;
    let failed = |error: String| ClientError::unanswered("subscribe", error);
    let mut subscribers = Vec::new();
    for subject in flags.subjects() {
        let subscribed = client.subscribe(subject).await;
        subscribers.push(subscribed.map_err(|error| failed(error.to_string()))?);
    }
    client.flush().await.map_err(|error| failed(error.to_string()))?;
    screen::note(format_args!("Listening for events on {}", flags.subjects().join(", ")));
    let mut events = select_all(subscribers);
    let mut count = 0;
    while flags.count.is_none_or(|enough| count < enough) {
        let received = tokio::select! {
            received = events.next() => received,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        let Some(received) = received else {
            return Err(ClientError::Ended("the connection was closed".to_owned()));
        };
        count += 1;
        print(&received, flags.json)?;
    }
    Ok(())
}

fn print(received: &Message, is_json: bool) -> Result<()> {
    match serde_json::from_slice(&received.payload) {
        Ok(event @ Value::Object(_)) if is_json => screen::line(event),
        Ok(Value::Object(event)) => screen::line(sheet(&received.subject, event)),
        // Not an event of a server; nothing is hidden all the same.
        _ => {
            screen::note(format_args!("{:?} is no event", received.subject.as_str()));
            message::print(received.headers.as_ref(), &received.payload)
        }
    }
}

/// An event under its time and kind.
fn sheet(subject: &str, mut event: Map<String, Value>) -> Sheet {
    let mut take = |name: &str| event.remove(name).map(|value| text(&value));
    let kind = take("type").unwrap_or_else(|| subject.to_owned());
    let time = take("timestamp").map(|time| time::local_text(&time)).unwrap_or_default();
    let id = take("id").unwrap_or_default();
    let mut sheet = Sheet::default();
    sheet.heading(format_args!("[{time}] [{id}] {kind}"));
    for (name, value) in &event {
        sheet.row(name, text(value));
    }
    sheet
}

/// A value on one line. What would move the cursor of a terminal stays quoted.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) if !text.contains(char::is_control) => text.clone(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        flags: EventFlags,
    }

    #[test]
    fn subjects() {
        for (line, expected) in [
            ("", vec![ADVISORIES, METRICS]),
            ("--js-advisory", vec![ADVISORIES]),
            ("--js-metric", vec![METRICS]),
            ("--js-metric --js-advisory", vec![ADVISORIES, METRICS]),
            ("--subjects a,b --subjects c", vec!["a", "b", "c"]),
        ] {
            let words = ["headwater"].into_iter().chain(line.split_whitespace());
            assert_eq!(Line::parse_from(words).flags.subjects(), expected, "{line}");
        }
    }

    #[test]
    fn events_are_laid_out() {
        let event = r#"{"type":"io.nats.x","id":"7","timestamp":"soon","stream":"Z",
            "action":"\u001b[2J","client":{"acc":"$G"}}"#;
        let event: Map<String, Value> = serde_json::from_str(event).unwrap();
        let expected = "\
[soon] [7] io.nats.x

               action: \"\\u001b[2J\"
               client: {\"acc\":\"$G\"}
               stream: Z
";
        assert_eq!(sheet("$JS.EVENT.ADVISORY.x", event).to_string(), expected);
    }
}
