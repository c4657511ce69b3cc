//! The journal: what all logs brought at one moment goes to the disk in one synced write, a *round*.
//!
//! The commit thread (`commit`) takes the open frames of all logs that have some, writes them to their segments without
//! waiting for the disk, and writes one round with the same frames to the current file of a ring of zeroed files
//! (`ring`). When the round is durable, and all before it, its frames are acknowledged. A checkpoint (`checkpoint`)
//! syncs the segments and lets the space of the rounds before it be used again. After a crash `replay` finds the end of
//! the journal and writes the frames of its rounds to their places.
//!
//! Invariants: a round holds no frame that is not in its segment file; a round is acknowledged after all before it.
//! Not here: what a frame holds (`log`).

mod checkpoint;
mod command_queue;
mod commit;
mod drive;
mod old_files;
mod replay;
mod ring;
mod round;
mod shared;
mod slots;
mod survey;

pub(crate) use checkpoint::Checkpointer;
pub(crate) use command_queue::CommandQueue;
pub(crate) use commit::Committer;
pub(crate) use drive::{Driver, Ends, Helper};
pub(crate) use replay::{Redone, replay};
pub(crate) use ring::{JOURNAL_DIRECTORY, Ring, RingOptions};
pub(crate) use shared::{CheckpointCommand, Command, Progress, Shared};
pub(crate) use slots::{Slots, SlotsRead};
pub(crate) use survey::{JournalSurvey, survey};
