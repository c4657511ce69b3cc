//! Lookups in a stream that take several questions to the engine.
//! Not here: lookups that the engine answers at once.

use headwater_storage::{Message, Result, Stream};

/// The last message of a subject at or below a sequence.
pub(crate) fn last_up_to(stream: &Stream, subject: &str, up_to: u64) -> Result<Option<Message>> {
    let last = stream.last_by_subject(subject)?;
    if last.as_ref().is_none_or(|last| last.sequence <= up_to) {
        return Ok(last);
    }
    let filters = [subject.to_owned()];
    // The number of messages of the subject from a sequence on tells where the last one below the bound lies.
    let above = stream.count_from(up_to.saturating_add(1), &filters);
    let (mut low, mut high) = (0, up_to);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if stream.count_from(middle, &filters) > above { low = middle } else { high = middle - 1 }
    }
    if low == 0 {
        return Ok(None);
    }
    Ok(stream.next_by_subject(&filters, low)?.filter(|message| message.sequence <= up_to))
}
