//! Turns frames and damage, in log order, into what the owner of a log is told.
//!
//! Invariants: damage is told before the good frame after it, with that frame's sequence as its end.
//! Not here: how damage is found (`segment::scan`).

use super::{FoundFrame, FrameBody, Observer, Position, RECORDS_BEFORE_MISSING, Replay};
use crate::{
    DamagedBytes, Result,
    format::{segment_header::SEGMENT_HEADER_BYTES, segment_index::SegmentIndex},
    segment::{SegmentFile, segment_path},
};

/// Damage whose end is not known yet.
struct Pending {
    /// No sequence below is lost.
    from_sequence: u64,
    /// No message before it has this sequence or a higher one.
    above_sequence: u64,
    /// Position of the first record that may be lost.
    from_position: Position,
    places: Vec<DamagedBytes>,
}

/// The telling.
pub(super) struct DamageReport<'a> {
    replay: &'a mut Observer<'a>,
    pending: Option<Pending>,
    /// No message so far has this sequence or a higher one.
    next_sequence: u64,
    /// What comes next has no sequence below this one.
    least_sequence: u64,
    next_position: Position,
    /// Nothing was told yet.
    is_first: bool,
}

impl<'a> DamageReport<'a> {
    pub(super) fn new(replay: &'a mut Observer<'a>) -> Self {
        Self {
            replay,
            pending: None,
            next_sequence: 0,
            least_sequence: 0,
            next_position: Position(0),
            is_first: true,
        }
    }

    /// No message so far has this sequence or a higher one.
    pub(super) fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// A segment begins. Its sequence is exact where its header is good.
    pub(super) fn at_segment(&mut self, base_sequence: u64, exact: bool) {
        if exact && self.pending.is_none() {
            (self.next_sequence, self.least_sequence) = (base_sequence, base_sequence);
        }
    }

    /// Tells a good frame, after the damage before it. With an error the owner did not take it: then no message so far is
    /// one of its own.
    pub(super) fn frame(&mut self, found: FoundFrame, body: FrameBody) -> Result<()> {
        if let Some(pending) = &mut self.pending
            && self.is_first
            && found.offset == SEGMENT_HEADER_BYTES as u64
            && let [place] = &pending.places[..]
            && place.path == segment_path(found.segment)
            && place.what != RECORDS_BEFORE_MISSING
        {
            // Of the oldest segment nothing but its header is damaged: what was before it went long ago.
            pending.from_sequence = body.base_sequence;
        }
        self.is_first = false;
        let before = (self.next_sequence, self.least_sequence);
        self.before_sequence(body.base_sequence)?;
        let (base_position, base_sequence) = (body.base_position.0, body.base_sequence);
        let count = u64::from(body.count);
        let known = match (self.replay)(Replay::Frame(found, body)) {
            Ok(known) => known,
            Err(error) => {
                (self.next_sequence, self.least_sequence) = before;
                return Err(error);
            }
        };
        self.next_position = Position(base_position + count);
        // Where the owner does not say: a record is one message at most.
        let guess = base_sequence.saturating_add(count);
        self.next_sequence = known.unwrap_or(guess).max(base_sequence);
        Ok(())
    }

    /// Tells what the owner noted of a segment, after the damage before it.
    pub(super) fn summary(&mut self, index: &SegmentIndex, base_sequence: u64) -> Result<()> {
        self.before_sequence(base_sequence)?;
        let known = (self.replay)(Replay::Summary(index.owner.clone()))?;
        self.is_first = false;
        self.next_position = index.end_position;
        let guess = index.frames.last().map_or(base_sequence, |last| {
            let records = index.end_position.0.saturating_sub(last.base_position.0);
            last.base_sequence.saturating_add(records)
        });
        self.next_sequence = known.unwrap_or(guess).max(base_sequence);
        Ok(())
    }

    /// What comes next begins at this sequence: damage before it ends there.
    pub(super) fn before_sequence(&mut self, sequence: u64) -> Result<()> {
        (self.next_sequence, self.least_sequence) = (sequence, sequence);
        self.tell(Some(sequence))
    }

    /// Notes damage that begins after what was told so far.
    pub(super) fn damage(&mut self, what: &str, file: &SegmentFile, offset: u64, bytes: u64) {
        let place = DamagedBytes::new(&file.path(), offset, bytes, what);
        tracing::error!(%place, bytes, "damage");
        match &mut self.pending {
            Some(pending) => pending.places.push(place),
            None => {
                self.pending = Some(Pending {
                    from_sequence: self.least_sequence,
                    above_sequence: self.next_sequence,
                    from_position: self.next_position,
                    places: vec![place],
                });
            }
        }
    }

    /// The log ends; its next record will have this position.
    pub(super) fn finish(&mut self, position: Position) -> Result<()> {
        let lost = self.pending.as_ref().map(|pending| {
            let records = position.0.saturating_sub(pending.from_position.0);
            (records > 0).then(|| pending.above_sequence.saturating_add(records))
        });
        let known = lost.flatten();
        if let Some(to) = known {
            self.next_sequence = to;
        }
        self.tell(known)
    }

    /// Tells of bytes that were never acknowledged.
    pub(super) fn torn(&mut self, torn: DamagedBytes) -> Result<()> {
        tracing::info!(%torn, "torn end is cut");
        (self.replay)(Replay::Torn(torn)).map(drop)
    }

    fn tell(&mut self, to_sequence: Option<u64>) -> Result<()> {
        let Some(pending) = self.pending.take() else { return Ok(()) };
        (self.replay)(Replay::Damage {
            // The sequences of the frame before are bounded from above only.
            from_sequence: to_sequence
                .map_or(pending.from_sequence, |to| pending.from_sequence.min(to)),
            to_sequence,
            places: pending.places,
        })
        .map(drop)
    }
}
