//! What changes are answered, as the callbacks bring it, and words for refusals.
//! Not here: what they should be answered (`tracked`).

use headwater_storage::{Appended, Error, Result, stream::BatchOutcome};
use std::sync::{Arc, Mutex, PoisonError};

/// Why something is refused, as a word.
pub(crate) type Refusal = &'static str;

/// What a change was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// An append: sequence, whether it was a duplicate, time.
    Appended(u64, bool, i64),
    /// A batch of replication: steps applied, last sequence.
    Applied(usize, u64),
}

impl From<Appended> for Told {
    fn from(appended: Appended) -> Self {
        Self::Appended(appended.sequence, appended.duplicate, appended.time.0)
    }
}

impl From<BatchOutcome> for Told {
    fn from(outcome: BatchOutcome) -> Self {
        Self::Applied(outcome.applied, outcome.last_sequence)
    }
}

/// An answer, with the number of the change.
type Answer = (u64, Result<Told>);

/// Answers as they come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers(Arc<Mutex<Vec<Answer>>>);

impl Answers {
    /// A callback for the change with this number.
    pub(crate) fn callback<T: Into<Told>>(
        &self,
        number: u64,
    ) -> impl FnOnce(Result<T>) + Send + use<T> {
        let answers = Arc::clone(&self.0);
        move |answer| {
            let answer = (number, answer.map(Into::into));
            answers.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
        }
    }

    pub(crate) fn take(&self) -> Vec<Answer> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The word for an error: a refusal by a rule, or what went wrong with the disk.
pub(crate) fn kind(error: &Error) -> Refusal {
    match error {
        Error::MessageTooLarge { .. } => "MessageTooLarge",
        Error::MaximumMessages => "MaximumMessages",
        Error::MaximumBytes => "MaximumBytes",
        Error::MaximumMessagesPerSubject => "MaximumMessagesPerSubject",
        Error::WrongLastSequence { .. } => "WrongLastSequence",
        Error::DuplicateMessageId { .. } => "DuplicateMessageId",
        Error::WrongProgress { .. } => "WrongProgress",
        Error::MessageNotFound(_) => "MessageNotFound",
        Error::InvalidConfig(_) => "InvalidConfig",
        Error::StreamExists(_) => "StreamExists",
        Error::StreamNotFound(_) => "StreamNotFound",
        Error::Sealed => "Sealed",
        Error::DeleteDenied => "DeleteDenied",
        Error::PurgeDenied => "PurgeDenied",
        Error::RollupDenied => "RollupDenied",
        _ => "Disk",
    }
}
