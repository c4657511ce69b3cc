//! The configuration of a new consumer: what was given, and what goes without saying.
//! The defaults are those of the `nats` command line, so that both create the same consumer.
//! Not here: what the server makes of it.

use super::flags::ConfigFlags;
use super::prompts;
use crate::cli::error::Result;
use crate::cli::terminal::Asker;
use serde_json::{Map, Value};

/// The configuration. Whoever is there is asked for what was not given.
pub(super) fn complete(
    name: &str,
    is_ephemeral: bool,
    flags: &ConfigFlags,
    asker: Option<&mut dyn Asker>,
) -> Result<Map<String, Value>> {
    let mut given = flags.given()?;
    if let Some(asker) = asker {
        prompts::ask(asker, &mut given, flags.says_how())?;
    }
    let ack = if given.contains_key("deliver_subject") { "none" } else { "explicit" };
    let mut config = Map::from_iter([
        ("name".to_owned(), name.into()),
        ("ack_policy".to_owned(), ack.into()),
        ("deliver_policy".to_owned(), "all".into()),
        ("replay_policy".to_owned(), "instant".into()),
        ("max_deliver".to_owned(), (-1).into()),
        ("num_replicas".to_owned(), 0.into()),
    ]);
    if !is_ephemeral {
        config.insert("durable_name".to_owned(), name.into());
    }
    config.extend(given);
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use serde_json::json;

    #[derive(Parser)]
    struct Line {
        name: String,
        #[arg(long)]
        ephemeral: bool,
        #[command(flatten)]
        flags: ConfigFlags,
    }

    #[test]
    fn bodies_are_those_of_the_nats_command_line() {
        for (line, expected) in [
            (
                "P1 --pull",
                json!({"ack_policy": "explicit", "deliver_policy": "all", "durable_name": "P1",
                    "name": "P1", "max_deliver": -1, "replay_policy": "instant", "num_replicas": 0}),
            ),
            (
                "U1 --target out.u1 --deliver last --heartbeat 5s --flow-control",
                json!({"ack_policy": "none", "deliver_policy": "last", "deliver_subject": "out.u1",
                    "durable_name": "U1", "name": "U1", "flow_control": true,
                    "idle_heartbeat": 5_000_000_000_i64, "max_deliver": -1,
                    "replay_policy": "instant", "num_replicas": 0}),
            ),
            (
                "E --ephemeral --deliver 3 --filter ORDERS.new",
                json!({"ack_policy": "explicit", "deliver_policy": "by_start_sequence", "name": "E",
                    "filter_subject": "ORDERS.new", "max_deliver": -1, "opt_start_seq": 3,
                    "replay_policy": "instant", "num_replicas": 0}),
            ),
        ] {
            let words = ["headwater"].into_iter().chain(line.split_whitespace());
            let Line { name, ephemeral, flags } = Line::parse_from(words);
            let config = complete(&name, ephemeral, &flags, None).unwrap();
            assert_eq!(Value::from(config), expected, "{line}");
        }
    }
}
