//! Where a new consumer begins, or one that an archive has.
//! Not here: what it does then (`machine`).

use super::config::{ConsumerConfig, DeliverPolicy};
use super::rules::Rules;
use super::state::State;
use crate::jetstream::text_time;
use headwater_storage::{Result, Stream, Timestamp};

/// The state of a new consumer, and where the messages chosen for it end; 0 where none are chosen.
pub(crate) fn start(
    config: &ConsumerConfig,
    stream: &Stream,
    messages_per_subject: i64,
) -> Result<(State, u64)> {
    let state = stream.state();
    let (first, last) = (state.first_sequence, state.last_sequence);
    let filters = config.filters();
    let mut chosen_through = 0;
    let next = match config.deliver_policy {
        DeliverPolicy::All => first,
        DeliverPolicy::Last if filters.is_empty() => last,
        DeliverPolicy::Last => {
            let found = filters.iter().map(|filter| stream.last_by_subject(filter));
            let found = found.collect::<Result<Vec<_>>>()?;
            found.into_iter().flatten().map(|message| message.sequence).max().unwrap_or(0)
        }
        // With one message of each subject every message is the last one.
        DeliverPolicy::LastPerSubject if messages_per_subject == 1 => first,
        DeliverPolicy::LastPerSubject => {
            let chosen = stream.last_of_each_subject(&filters, last);
            chosen_through = if chosen.is_empty() { 0 } else { last };
            chosen.first().copied().unwrap_or(last)
        }
        DeliverPolicy::New => last + 1,
        DeliverPolicy::ByStartSequence => config.opt_start_seq,
        DeliverPolicy::ByStartTime => match config.opt_start_time {
            Some(time) => {
                let next = stream.sequence_at_time(text_time::stored(time))?;
                nearest(stream, &filters, next, first, last)?
            }
            None => first,
        },
    };
    let is_explicit = config.deliver_policy == DeliverPolicy::ByStartSequence;
    let next = match (first, is_explicit) {
        (0, false) => 1,
        (_, false) if next > last => last + 1,
        _ => next.max(first),
    };
    Ok((State::starting(next.max(1)), chosen_through))
}

/// The first message of the stream that matches a filter, where that is behind `next` and not the last one.
fn nearest(stream: &Stream, filters: &[String], next: u64, first: u64, last: u64) -> Result<u64> {
    let mut nearest = last;
    for filter in filters {
        let found = stream.next_by_subject(std::slice::from_ref(filter), first)?;
        let found = found.map_or(0, |message| message.sequence);
        if found >= next && found < nearest {
            nearest = found;
        }
    }
    Ok(if nearest < last { nearest.max(next) } else { next })
}

/// The state an archive has of a consumer, due again when the configuration says; `None` for one that has not begun yet.
pub(crate) fn resumed(config: &ConsumerConfig, mut state: State) -> Option<State> {
    // An archive holds no messages that were chosen at creation, and nothing behind its last one.
    let has_begun = match config.deliver_policy {
        _ if state.delivered.delivery > 0 => true,
        DeliverPolicy::LastPerSubject => false,
        DeliverPolicy::ByStartSequence => {
            state.delivered.sequence.saturating_add(1) >= config.opt_start_seq
        }
        _ => true,
    };
    if !has_begun {
        return None;
    }
    let (rules, now) = (Rules::new(config), Timestamp::now().0);
    let State { pending, redelivered, .. } = &mut state;
    for (sequence, pending) in pending {
        pending.time = pending.time.min(now);
        let deliveries = redelivered.get(sequence).map_or(1, |count| count.saturating_add(1));
        pending.deadline = rules.deadline(pending.time, deliveries);
    }
    Some(state)
}
