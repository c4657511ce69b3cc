//! A data directory that no server has open: looked at, counted, printed and copied, and never changed.
//!
//! [`OfflineVolume`] opens the directory for reading and runs the engine's own recovery over it in memory: the journal is
//! replayed, torn ends are cut and damage is found by the code that a start runs, on a disk that keeps all changes to
//! itself. So these tools cannot disagree with the engine, and have no decoder of their own. What they read beyond what a
//! start reads is what a start takes on trust: the frames of segments that have an index, the indexes, and rounds of the
//! journal that are not needed. A file that the system cannot read counts as missing, and bytes that it cannot read as zeros
//! (`unread`): both are findings like other damage, and everything else is read.
//!
//! Invariants: not one byte of the directory changes. Of one stream at a time about as much is held in memory as a server
//! holds of it.
//! Not here: texts and tables (the server's command line).

mod copy;
mod dump;
mod figures;
mod finding;
mod index_check;
mod log_walk;
mod lost;
mod salvage;
mod survey;
mod unread;
mod volume;

pub use dump::{DumpItem, DumpRecord, DumpSelection};
pub use figures::{JournalFigures, LogFigures, LogKind, RecordCounts};
pub use finding::{Finding, Verdict};
pub use salvage::{Salvage, SalvagedStream};
pub use survey::Survey;
pub use volume::{OfflineVolume, Progress};
