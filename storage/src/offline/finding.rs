//! What is found wrong in a data directory, and what it means.

use crate::DamagedBytes;

/// What a finding means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Bytes that were durable are not what was written, or are gone.
    Damage,
    /// The end of something that a crash cut short. It was never acknowledged; the next start cuts it off.
    Torn,
    /// Something is not as it should be that nothing depends on: an index, which is made again; a round of the journal that
    /// is not needed any more; the other one of the two checkpoints; a file that is none of the volume's. A crash may leave
    /// it so, and nobody can tell that from damage.
    Spare,
}

/// Something wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it means.
    pub verdict: Verdict,
    /// Where it is: at least one place.
    pub places: Vec<DamagedBytes>,
    /// The stream that it is of, where it is of one and its name is known.
    pub stream: Option<String>,
    /// Sequences that are lost with it, as inclusive ranges in order. Sequences that are known to have been removed are
    /// not among them.
    pub lost: Vec<(u64, u64)>,
    /// More may be lost than `lost` says: how far the stream went is not known.
    pub end_is_unknown: bool,
}

impl Finding {
    /// At one place, with nothing lost.
    pub(super) fn at(verdict: Verdict, place: DamagedBytes) -> Self {
        Self { verdict, places: vec![place], stream: None, lost: Vec::new(), end_is_unknown: false }
    }
}
