//! The open batches of one stream: which members have come, and what a member that comes makes of its batch.
//!
//! Pure: no clock and no engine, the moment is handed in. The order of the verdicts is nats-server's.
//! Invariants: members of an open batch are numbered 1, 2, 3.. without a gap; whatever is wrong ends the batch; what an
//! open batch holds is bounded in members, in bytes and in time, and accounted for in the budget.
//! Not here: what the members' headers ask for (`check`), who is told (`atomic`).

use super::super::budget::{Budget, Claim, Kind};
use crate::jetstream::advisory::Abandoned;
use crate::jetstream::errors::{self, ApiError};
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Most members of a batch, its end not counted where that is not stored.
pub(super) const MEMBERS_MAX: u64 = 1000;
/// Most open batches of a stream.
const OPEN_MAX: usize = 50;
/// How long a batch stays open without a new member.
const IDLE_MAX: Duration = Duration::from_secs(10);
/// Longest id of a batch.
const ID_BYTES_MAX: usize = 64;
/// Most bytes of a batch: it has to fit into one frame of the engine.
const BATCH_BYTES_MAX: u64 = 48 * 1024 * 1024;
/// What a member takes beside its bytes, in memory and in the frame.
const MEMBER_OVERHEAD_BYTES: usize = 256;

const _: () = assert!(BATCH_BYTES_MAX < headwater_storage::limits::FRAME_BYTES_MAX as u64);

/// A message of a batch, as it was published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) subject: Bytes,
    pub(super) headers: Bytes,
    pub(super) payload: Bytes,
}

impl Member {
    fn bytes(&self) -> usize {
        let texts = self.subject.len() + self.headers.len() + self.payload.len();
        texts + MEMBER_OVERHEAD_BYTES
    }
    /// The same in memory of its own: what was read from a socket shares a buffer that it would keep alive.
    fn owned(&self) -> Self {
        let copy = |bytes: &Bytes| Bytes::copy_from_slice(bytes);
        let (subject, headers) = (copy(&self.subject), copy(&self.headers));
        Self { subject, headers, payload: copy(&self.payload) }
    }
}

/// Whether a member ends its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Commit {
    /// More will come.
    Not,
    /// It is the last one.
    Here,
    /// The one before was the last one; this one only says so.
    Before,
    /// The header has no such value.
    Invalid,
}

/// A member that comes.
#[derive(Clone, Debug)]
pub(super) struct Arrival<'a> {
    pub(super) id: &'a [u8],
    /// None where it is no number.
    pub(super) sequence: Option<u64>,
    pub(super) commit: Commit,
    /// Whether the server has the API level that the member asks for.
    pub(super) is_level_supported: bool,
    pub(super) member: Member,
}

/// What became of a member.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It waits for the rest of its batch.
    Staged,
    /// The batch is complete; the claim is held until the members are handed on.
    Complete(Vec<Member>, Claim),
    /// The member is refused, and its batch is gone if there was one. Listeners are told where a reason is given.
    Refused(ApiError, Option<Abandoned>),
}

#[derive(Debug)]
struct OpenBatch {
    members: Vec<Member>,
    claim: Claim,
    deadline: Instant,
}

/// The open batches of one stream.
#[derive(Debug)]
pub(super) struct Staging {
    open: HashMap<Bytes, OpenBatch>,
    budget: Arc<Budget>,
}

impl Staging {
    /// No open batches.
    pub(super) fn new(budget: Arc<Budget>) -> Self {
        Self { open: HashMap::new(), budget }
    }
    /// Takes a member.
    pub(super) fn take(&mut self, arrival: &Arrival<'_>, now: Instant) -> Outcome {
        if arrival.id.len() > ID_BYTES_MAX {
            return Outcome::Refused(errors::ATOMIC_PUBLISH_ID_INVALID, None);
        }
        let Some(sequence) = arrival.sequence else {
            return Outcome::Refused(errors::ATOMIC_PUBLISH_SEQUENCE_MISSING, None);
        };
        let mut batch = match self.open.remove(arrival.id) {
            Some(batch) => batch,
            None => match self.begin(arrival, sequence, now) {
                Ok(batch) => batch,
                Err(error) => return Outcome::Refused(error, None),
            },
        };
        if let Err((error, reason)) = batch.admit(arrival, sequence, now) {
            return Outcome::Refused(error, reason);
        }
        match arrival.commit {
            Commit::Here => {
                batch.members.push(arrival.member.clone());
                Outcome::Complete(batch.members, batch.claim)
            }
            Commit::Before => Outcome::Complete(batch.members, batch.claim),
            Commit::Not | Commit::Invalid => {
                batch.members.push(arrival.member.owned());
                batch.deadline = now + IDLE_MAX;
                self.open.insert(Bytes::copy_from_slice(arrival.id), batch);
                Outcome::Staged
            }
        }
    }
    /// Ends the batches that were idle for too long; gives their ids.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Bytes> {
        let idle = self.open.extract_if(|_, batch| batch.deadline <= now);
        idle.map(|(id, _)| id).collect()
    }
    /// When the next batch will have been idle for too long.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.open.values().map(|batch| batch.deadline).min()
    }
    /// Ends all batches.
    pub(super) fn clear(&mut self) {
        self.open.clear();
    }

    fn begin(
        &self,
        arrival: &Arrival<'_>,
        sequence: u64,
        now: Instant,
    ) -> Result<OpenBatch, ApiError> {
        if sequence != 1 {
            return Err(match members(sequence, arrival.commit) > MEMBERS_MAX {
                true => ApiError::atomic_publish_too_large(MEMBERS_MAX),
                false => errors::ATOMIC_PUBLISH_INCOMPLETE,
            });
        }
        let claim = (self.open.len() < OPEN_MAX).then(|| self.budget.open(Kind::Atomic)).flatten();
        let claim = claim.ok_or(errors::ATOMIC_PUBLISH_TOO_MANY)?;
        Ok(OpenBatch { members: Vec::new(), claim, deadline: now + IDLE_MAX })
    }
}

/// How many members a batch has that ends here. The end of an unbegun batch counts as far too many, as with nats-server.
fn members(sequence: u64, commit: Commit) -> u64 {
    sequence.wrapping_sub(u64::from(commit == Commit::Before))
}

impl OpenBatch {
    /// Whether the member is the next one of the batch, and there is room for it.
    fn admit(
        &mut self,
        arrival: &Arrival<'_>,
        sequence: u64,
        now: Instant,
    ) -> Result<(), (ApiError, Option<Abandoned>)> {
        if arrival.commit == Commit::Invalid {
            return Err((errors::ATOMIC_PUBLISH_COMMIT_INVALID, None));
        }
        if !arrival.is_level_supported {
            return Err((errors::REQUIRED_API_LEVEL, Some(Abandoned::Unsupported)));
        }
        let held = u64::try_from(self.members.len()).unwrap_or(u64::MAX);
        let is_next = sequence == held.saturating_add(1) && self.deadline > now;
        let is_empty = sequence == 1 && arrival.commit == Commit::Before;
        if !is_next || is_empty {
            return Err((errors::ATOMIC_PUBLISH_INCOMPLETE, Some(Abandoned::Incomplete)));
        }
        let too_large = |error| (error, Some(Abandoned::Large));
        if members(sequence, arrival.commit) > MEMBERS_MAX {
            return Err(too_large(ApiError::atomic_publish_too_large(MEMBERS_MAX)));
        }
        if arrival.commit == Commit::Before {
            return Ok(());
        }
        if !self.claim.grow(arrival.member.bytes()) {
            return Err(too_large(errors::ATOMIC_PUBLISH_TOO_MANY));
        }
        if self.claim.bytes() > BATCH_BYTES_MAX {
            let bound = format_args!("{BATCH_BYTES_MAX} bytes");
            return Err(too_large(ApiError::atomic_publish_too_large(bound)));
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "staging_test.rs"]
mod staging_test;
