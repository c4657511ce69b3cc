//! Verdicts on single fields, and the defaults of those left out.
//! Not here: what depends on other streams.

use super::{NAME_BYTES_MAX, is_name};
use crate::jetstream::config::{Discard, Retention, Storage, StreamConfig};
use crate::jetstream::errors::{self, ApiError};

const DESCRIPTION_BYTES_MAX: usize = 4096;
const METADATA_BYTES_MAX: usize = 128 * 1024;
const REPLICAS_MAX: i64 = 5;
const SHORTEST_TIME: i64 = 100_000_000;
const SECOND: i64 = 1_000_000_000;
const WINDOW_DEFAULT: i64 = 120 * SECOND;

pub(super) fn check(config: &mut StreamConfig, is_pedantic: bool) -> Result<(), ApiError> {
    names(config)?;
    if config.num_replicas == 0 {
        config.num_replicas = 1;
    }
    if config.num_replicas > REPLICAS_MAX {
        return Err(ApiError::config(format!("maximum replicas is {REPLICAS_MAX}")));
    }
    if config.num_replicas < 0 {
        return Err(errors::REPLICAS_NEGATIVE);
    }
    limits(config, is_pedantic)?;
    window(config, is_pedantic)?;
    discard(config)?;
    markers(config, is_pedantic)?;
    schedules(config, is_pedantic)?;
    persistence(config)
}

fn names(config: &StreamConfig) -> Result<(), ApiError> {
    if !is_name(&config.name) {
        return Err(ApiError::config(
            "stream name is required and can not contain '.', '*', '>', '\\', '/'",
        ));
    }
    if config.name.len() > NAME_BYTES_MAX {
        let text = format!("stream name is too long, maximum allowed is {NAME_BYTES_MAX}");
        return Err(ApiError::config(text));
    }
    if config.description.len() > DESCRIPTION_BYTES_MAX {
        return Err(ApiError::config(format!(
            "stream description is too long, maximum allowed is {DESCRIPTION_BYTES_MAX}"
        )));
    }
    let metadata: usize = config.metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
    if metadata > METADATA_BYTES_MAX {
        return Err(ApiError::config(format!(
            "stream metadata exceeds maximum size of {METADATA_BYTES_MAX} bytes"
        )));
    }
    Ok(())
}

/// 0 and everything below -1 stand for no limit.
fn limits(config: &mut StreamConfig, is_pedantic: bool) -> Result<(), ApiError> {
    let refuse = |name: &str, number: i64| match number < -1 && is_pedantic {
        true => Err(ApiError::pedantic(&format!("{name} must be set to -1"))),
        false => Ok(()),
    };
    let fields = [
        ("max_msgs", &mut config.max_msgs),
        ("max_msgs_per_subject", &mut config.max_msgs_per_subject),
        ("max_bytes", &mut config.max_bytes),
    ];
    for (name, number) in fields {
        refuse(name, *number)?;
        if *number < 1 {
            *number = -1;
        }
    }
    refuse("max_msg_size", i64::from(config.max_msg_size))?;
    if config.max_msg_size < 1 {
        config.max_msg_size = -1;
    }
    refuse("max_consumers", config.max_consumers)?;
    if config.max_consumers < 1 {
        config.max_consumers = -1;
    }
    Ok(())
}

fn window(config: &mut StreamConfig, is_pedantic: bool) -> Result<(), ApiError> {
    if config.duplicate_window == 0 && !config.is_copy() {
        config.duplicate_window = WINDOW_DEFAULT;
        if config.max_age != 0 && config.max_age < WINDOW_DEFAULT {
            if is_pedantic {
                return Err(ApiError::pedantic("duplicate window cannot be bigger than max age"));
            }
            config.duplicate_window = config.max_age;
        }
    }
    let text = if config.max_age < 0 {
        "max age can not be negative"
    } else if config.max_age > 0 && config.max_age < SHORTEST_TIME {
        "max age needs to be >= 100ms"
    } else if config.duplicate_window < 0 {
        "duplicates window can not be negative"
    } else if config.max_age != 0 && config.duplicate_window > config.max_age {
        "duplicates window can not be larger then max age"
    } else if config.duplicate_window > 0 && config.duplicate_window < SHORTEST_TIME {
        "duplicates window needs to be >= 100ms"
    } else {
        return Ok(());
    };
    Err(ApiError::config(text))
}

/// What counters do not go with.
fn counters(config: &StreamConfig) -> Option<&'static str> {
    let verdicts = [
        (config.discard == Discard::New, "counter stream cannot use discard new"),
        (config.allow_msg_ttl, "counter stream cannot use message TTLs"),
        (config.allow_msg_schedules, "counter stream cannot use message schedules"),
        (config.retention != Retention::Limits, "counter stream can only use limits retention"),
    ];
    let mut wrong = verdicts.into_iter().filter(|(is_wrong, _)| *is_wrong);
    wrong.next().filter(|_| config.allow_msg_counter).map(|(_, text)| text)
}

fn discard(config: &StreamConfig) -> Result<(), ApiError> {
    let text = if config.deny_purge && config.allow_rollup_hdrs {
        "roll-ups require the purge permission"
    } else if let Some(text) = counters(config) {
        text
    } else if config.discard_new_per_subject && config.discard != Discard::New {
        "discard new per subject requires discard new policy to be set"
    } else if config.discard_new_per_subject && config.max_msgs_per_subject <= 0 {
        "discard new per subject requires max msgs per subject > 0"
    } else {
        return Ok(());
    };
    Err(ApiError::config(text))
}

/// Acknowledging before storing is refused later; what it does not go with is found here.
fn persistence(config: &StreamConfig) -> Result<(), ApiError> {
    let text = match config.unbuilt.is_persisted_late {
        false => return Ok(()),
        true if config.storage != Storage::File => {
            "async persist mode is only supported on file storage"
        }
        true if config.allow_atomic => {
            "async persist mode is not supported with atomic batch publish"
        }
        true => return Ok(()),
    };
    Err(ApiError::config(text))
}

/// A schedule replaces the one before under its subject.
fn schedules(config: &mut StreamConfig, is_pedantic: bool) -> Result<(), ApiError> {
    if !config.allow_msg_schedules {
        return Ok(());
    }
    if config.discard == Discard::New {
        return Err(ApiError::config("message scheduling cannot use discard new"));
    }
    if !config.allow_rollup_hdrs {
        if is_pedantic {
            let text = "message scheduling cannot be set if roll-ups are disabled";
            return Err(ApiError::config(text));
        }
        (config.allow_rollup_hdrs, config.deny_purge) = (true, false);
    }
    Ok(())
}

/// Markers need messages with a lifetime, and replace what is left of their subject.
fn markers(config: &mut StreamConfig, is_pedantic: bool) -> Result<(), ApiError> {
    let text = match config.subject_delete_marker_ttl {
        0 => return Ok(()),
        ttl if ttl < 0 => "subject delete marker TTL must not be negative",
        ttl if ttl < SECOND => "subject delete marker TTL must be at least 1 second",
        _ => {
            let implied = [
                (config.allow_msg_ttl, "message TTLs are disabled"),
                (config.allow_rollup_hdrs, "roll-ups are disabled"),
            ];
            let missing = implied.into_iter().find(|(is_set, _)| is_pedantic && !is_set);
            if let Some((_, what)) = missing {
                let text = format!("subject delete marker cannot be set if {what}");
                return Err(ApiError::config(text));
            }
            if !config.allow_rollup_hdrs {
                config.deny_purge = false;
            }
            (config.allow_msg_ttl, config.allow_rollup_hdrs) = (true, true);
            return Ok(());
        }
    };
    Err(ApiError::config(text))
}
