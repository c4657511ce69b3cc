//! Messages on the command line: what is sent from it, and how a received one is printed.
//! Not here: the sending (`publish`, `request`), placeholders (`template`).

use super::duration;
use super::error::{ClientError, Result};
use super::screen;
use super::template::Template;
use async_nats::{HeaderMap, HeaderName, HeaderValue, Message};
use clap::Args;
use headwater_storage::subject;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// More messages than this are shown as a bar, where there is a terminal for it.
const LINES_MAX: u64 = 20;

/// What to send, and how often.
#[derive(Debug, Args)]
pub(super) struct MessageFlags {
    /// Subject to send to
    subject: String,
    /// What to send
    #[arg(default_value = "", hide_default_value = true)]
    body: String,
    /// How many of them to send
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) count: u64,
    /// A header as 'Name: value'; may be given several times
    #[arg(long = "header", short = 'H', value_name = "HEADER", value_parser = parse_header)]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// How long to wait between two of them
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub(super) sleep: Option<Duration>,
    /// Send the text as it is, with {{Count}} and the like in it
    #[arg(long)]
    no_templates: bool,
}

/// The messages to send.
#[derive(Debug)]
pub(super) struct Messages {
    subject: Template,
    body: Template,
    /// Headers of each of them.
    pub(super) headers: Option<HeaderMap>,
}

impl MessageFlags {
    /// The messages.
    pub(super) fn messages(&self) -> Result<Messages> {
        let template = |text: &str| match self.no_templates {
            true => Ok(Template::literal(text)),
            false => Template::parse(text).map_err(ClientError::Usage),
        };
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(name.clone(), value.clone());
        }
        Ok(Messages {
            subject: template(&self.subject)?,
            body: template(&self.body)?,
            headers: (!headers.is_empty()).then_some(headers),
        })
    }

    /// A bar for what goes on, in place of a line for each message.
    pub(super) fn bar(&self) -> Option<ProgressBar> {
        if self.count <= LINES_MAX || !std::io::stderr().is_terminal() {
            return None;
        }
        let bar = ProgressBar::new(self.count);
        if let Ok(style) = ProgressStyle::with_template("{bar:50} {pos} / {len} [{elapsed}]") {
            bar.set_style(style);
        }
        Some(bar)
    }
}

impl Messages {
    /// The subject of one message; they are counted from 1. One that nobody could receive it by is refused: servers
    /// say nothing of it.
    pub(super) fn subject(&self, count: u64) -> Result<String> {
        let subject = self.subject.fill(count);
        match subject::is_literal(&subject) {
            true => Ok(subject),
            false => Err(ClientError::Usage(format!("{subject:?} is no subject to send to"))),
        }
    }

    /// The body of one message.
    pub(super) fn body(&self, count: u64) -> String {
        self.body.fill(count)
    }
}

fn parse_header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text
        .split_once(':')
        .filter(|(name, _)| !name.trim().is_empty())
        .ok_or("a header is written as 'Name: value'")?;
    let name = name.trim().parse::<HeaderName>().map_err(|error| error.to_string())?;
    let value = value.trim().parse::<HeaderValue>().map_err(|error| error.to_string())?;
    Ok((name, value))
}

/// Prints a received message; they are counted from 1.
pub(super) fn print_received(count: u64, received: &Message) -> Result<()> {
    let reply = received.reply.as_ref().map(|reply| format!(" with reply {:?}", reply.as_str()));
    let (subject, reply) = (received.subject.as_str(), reply.unwrap_or_default());
    screen::line(format_args!("[#{count}] Received on {subject:?}{reply}"))?;
    print(received.headers.as_ref(), &received.payload)
}

/// Prints the headers and the body of a message.
pub(super) fn print(headers: Option<&HeaderMap>, body: &[u8]) -> Result<()> {
    let mut text = Vec::with_capacity(body.len() + 2);
    for (name, values) in headers.into_iter().flat_map(HeaderMap::iter) {
        for value in values {
            text.extend_from_slice(format!("{name}: {value}\n").as_bytes());
        }
    }
    if !text.is_empty() {
        text.push(b'\n');
    }
    text.extend_from_slice(body);
    text.extend_from_slice(b"\n");
    screen::bytes(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read() {
        let read = |text| parse_header(text).map(|(name, value)| format!("{name}={value}"));
        for (text, expected) in [
            ("A: b", Some("A=b")),
            ("A:b:c", Some("A=b:c")),
            ("Nats-Msg-Id:  7 ", Some("Nats-Msg-Id=7")),
            ("A", None),
            (": b", None),
            ("A b: c", None),
            ("A: b\r\nC: d", None),
        ] {
            assert_eq!(read(text).ok().as_deref(), expected, "{text:?}");
        }
    }
}
