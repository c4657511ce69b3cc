//! `headwater stream get`: a message by its sequence, or the last one of a subject.
//! Not here: messages as they are published (`subscribe`).

use super::name;
use super::reply::StoredMessage;
use crate::cli::connection::Connection;
use crate::cli::error::{ClientError, Result};
use crate::cli::{api, duration, screen, time};
use clap::Args;
use data_encoding::BASE64;
use serde_json::json;

/// Which message to show.
#[derive(Debug, Args)]
pub(in crate::cli) struct GetFlags {
    /// Name of the stream
    #[arg(value_parser = name::parse)]
    name: String,
    /// Sequence of the message
    #[arg(value_parser = clap::value_parser!(u64).range(1..), required_unless_present = "last")]
    sequence: Option<u64>,
    /// The last message of a subject
    #[arg(long, short = 'S', visible_alias = "last-for", value_name = "SUBJECT")]
    #[arg(conflicts_with = "sequence")]
    last: Option<String>,
    /// Print it as JSON
    #[arg(long, short)]
    json: bool,
}

/// Shows it.
pub(super) async fn run(connection: &Connection, flags: &GetFlags) -> Result<()> {
    let body = match &flags.last {
        Some(subject) => json!({ "last_by_subj": subject }),
        None => json!({ "seq": flags.sequence }),
    };
    let action = "retrieve the message";
    let name = &flags.name;
    let answer = connection.call(action, &format!("STREAM.MSG.GET.{name}"), &body).await?;
    let message = answer.get("message").unwrap_or(&answer);
    if flags.json {
        return screen::json(message);
    }
    let StoredMessage { subject, seq, data, hdrs, time } = api::read(action, message)?;
    let decode = |text: &str| {
        let decoded = BASE64.decode(text.as_bytes());
        decoded.map_err(|error| ClientError::unanswered(action, error))
    };
    let age = duration::since_text(time::since(&time).unwrap_or(-1));
    screen::line(format_args!(
        "Item: {name}#{seq} received {time} ({age}) on Subject {subject}\n"
    ))?;
    let headers = decode(&hdrs)?;
    let headers = String::from_utf8_lossy(&headers);
    // The first line is the version of the headers.
    let headers: Vec<_> = headers.lines().skip(1).filter(|line| !line.is_empty()).collect();
    if !headers.is_empty() {
        screen::line("Headers:")?;
        headers.iter().try_for_each(|header| screen::line(format_args!("  {header}")))?;
        screen::line("")?;
    }
    screen::bytes(&decode(&data)?)?;
    screen::line("")
}
