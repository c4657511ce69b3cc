//! What `consumer info` prints of a consumer, in the words of the `nats` command line.
//! Not here: the table of all (`list`).

use super::reply::{Config, ConsumerInfo, Position};
use crate::cli::error::Result;
use crate::cli::sheet::Sheet;
use crate::cli::stream::information::{add_cluster, add_metadata, capitalized};
use crate::cli::{duration, screen, size, time};

/// Prints everything.
pub(super) fn print(info: &ConsumerInfo) -> Result<()> {
    screen::line(sheet(info))
}

fn sheet(info: &ConsumerInfo) -> Sheet {
    let mut sheet = Sheet::default();
    let created = time::local_text(&info.created);
    let (stream, name) = (&info.stream_name, &info.name);
    sheet.heading(format_args!("Information for Consumer {stream} > {name} created {created}"));
    sheet.heading("Configuration:");
    add_config(&mut sheet, info);
    add_metadata(&mut sheet, info.config.metadata.as_ref());
    add_cluster(&mut sheet, info.cluster.as_ref());
    sheet.gap();
    add_state(&mut sheet, info);
    sheet
}

fn add_config(sheet: &mut Sheet, info: &ConsumerInfo) {
    let config = &info.config;
    sheet.row("Name", &info.name);
    sheet.optional("Description", config.description.as_ref().filter(|text| !text.is_empty()));
    match config.is_pull() {
        true => sheet.row("Pull Mode", true),
        false => sheet.row("Delivery Subject", &config.deliver_subject),
    }
    match config.filters().as_slice() {
        [] => {}
        [only] => sheet.row("Filter Subject", only),
        several => sheet.row("Filter Subjects", several.join(", ")),
    }
    sheet.row("Deliver Policy", start_text(config));
    let group = Some(&config.deliver_group).filter(|group| !group.is_empty());
    sheet.optional("Deliver Queue Group", group);
    let ack = if config.ack_policy == "flow_control" { "Flow Control" } else { &config.ack_policy };
    sheet.row("Ack Policy", capitalized(ack));
    if config.ack_policy != "none" {
        sheet.row("Ack Wait", duration::text(config.ack_wait));
    }
    sheet.row("Replay Policy", capitalized(&config.replay_policy));
    sheet.optional("Sampling Rate", Some(&config.sample_freq).filter(|rate| !rate.is_empty()));
    let count = |count: i64| u64::try_from(count).ok().filter(|count| *count > 0);
    let counted = |number: i64| count(number).map(size::count_text);
    let timed = |number: i64| (number > 0).then(|| duration::text(number));
    sheet.optional("Maximum Deliveries", counted(config.max_deliver));
    if config.wants_acks() {
        sheet.row("Max Ack Pending", size::count_limit_text(config.max_ack_pending));
    }
    if config.is_pull() {
        sheet.row("Max Waiting Pulls", size::count_limit_text(config.max_waiting));
    }
    sheet.optional("Max Pull Batch", counted(config.max_batch));
    sheet.optional("Max Pull Expire", timed(config.max_expires));
    sheet.optional("Max Pull MaxBytes", count(config.max_bytes).map(size::text));
    sheet.optional("Idle Heartbeat", timed(config.idle_heartbeat));
    if !config.is_pull() {
        sheet.row("Flow Control", config.flow_control);
    }
    sheet.optional("Headers Only", config.headers_only.then_some(true));
    sheet.optional("Inactive Threshold", timed(config.inactive_threshold));
    if let Some(waits) = config.backoff.as_ref().filter(|waits| !waits.is_empty()) {
        let waits: Vec<_> = waits.iter().copied().map(duration::text).collect();
        sheet.row("Backoff", waits.join(", "));
    }
    sheet.optional("Replicas", counted(i64::try_from(config.num_replicas).unwrap_or(i64::MAX)));
    sheet.optional("Memory Storage", config.mem_storage.then_some(true));
    let groups = config.priority_groups.as_ref().filter(|groups| !groups.is_empty());
    sheet.optional("Priority Policy", groups.map(|_| &config.priority_policy));
    sheet.optional("Priority Groups", groups.map(|groups| groups.join(", ")));
    let until = config.pause_until.as_deref().filter(|_| info.paused);
    sheet.optional("Paused Until Deadline", until.map(time::local_text));
}

fn start_text(config: &Config) -> String {
    match config.deliver_policy.as_str() {
        "last_per_subject" => "Last Per Subject".to_owned(),
        "by_start_sequence" => format!("From Sequence {}", config.opt_start_seq),
        "by_start_time" => {
            let time = config.opt_start_time.as_deref().unwrap_or_default();
            format!("Since {}", time::local_text(time))
        }
        policy => capitalized(policy),
    }
}

fn add_state(sheet: &mut Sheet, info: &ConsumerInfo) {
    let config = &info.config;
    sheet.heading("State:");
    let delivered = position_text(&info.delivered, "Last delivery");
    sheet.row("Last Delivered Message", delivered);
    if config.ack_policy != "none" {
        sheet.row("Acknowledgment Floor", position_text(&info.ack_floor, "Last Ack"));
        let pending = size::count_text(info.num_ack_pending);
        match config.max_ack_pending {
            most @ 1.. => sheet.row(
                "Outstanding Acks",
                format_args!("{pending} out of maximum {}", size::count_limit_text(most)),
            ),
            _ => sheet.row("Outstanding Acks", pending),
        }
        sheet.row("Redelivered Messages", size::count_text(info.num_redelivered));
    }
    sheet.row("Unprocessed Messages", size::count_text(info.num_pending));
    if config.is_pull() {
        let (waiting, most) = (size::count_text(info.num_waiting), config.max_waiting);
        let most = size::count_limit_text(most);
        sheet.row("Waiting Pulls", format_args!("{waiting} of maximum {most}"));
    } else {
        let interest = if info.push_bound { "Active" } else { "No interest" };
        sheet.row("Active Interest", interest);
    }
    if info.paused {
        let remaining = duration::text(info.pause_remaining);
        sheet.row("Paused", format_args!("{remaining} remaining"));
    }
}

fn position_text(position: &Position, label: &str) -> String {
    let Position { consumer_seq, stream_seq, last_active } = position;
    let (consumer, stream) = (size::count_text(*consumer_seq), size::count_text(*stream_seq));
    let text = format!("Consumer sequence: {consumer} Stream sequence: {stream}");
    match last_active.as_deref().and_then(time::since) {
        Some(since) => format!("{text} {label}: {} ago", duration::text(since)),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn consumers_look_as_in_the_command_line_of_nats() {
        let info = json!({"stream_name": "ORDERS", "name": "P2", "created": "soon",
            "config": {"durable_name": "P2", "deliver_policy": "by_start_sequence",
                "opt_start_seq": 3, "ack_policy": "explicit", "ack_wait": 30_000_000_000_i64,
                "max_deliver": 5, "backoff": [1_000_000_000, 60_000_000_000_i64],
                "filter_subjects": ["a", "b"], "replay_policy": "instant",
                "max_ack_pending": 1000, "max_waiting": 512,
                "metadata": {"_nats.level": "0", "team": "x"}},
            "delivered": {"consumer_seq": 2000, "stream_seq": 7}, "ack_floor": {},
            "num_ack_pending": 12, "num_pending": 5, "num_waiting": 1});
        let expected = "\
Information for Consumer ORDERS > P2 created soon

Configuration:

                   Name: P2
              Pull Mode: true
        Filter Subjects: a, b
         Deliver Policy: From Sequence 3
             Ack Policy: Explicit
               Ack Wait: 30.00s
          Replay Policy: Instant
     Maximum Deliveries: 5
        Max Ack Pending: 1,000
      Max Waiting Pulls: 512
                Backoff: 1.00s, 1m0s
               Metadata: team: x

State:

 Last Delivered Message: Consumer sequence: 2,000 Stream sequence: 7
   Acknowledgment Floor: Consumer sequence: 0 Stream sequence: 0
       Outstanding Acks: 12 out of maximum 1,000
   Redelivered Messages: 0
   Unprocessed Messages: 5
          Waiting Pulls: 1 of maximum 512
";
        assert_eq!(sheet(&ConsumerInfo::read(&info).unwrap()).to_string(), expected);
    }
}
