//! Streams to and from folders on the client's side, over the connection. The folder is the one that the `nats` command line
//! and its library write, so that each of them restores what the other has backed up.
//! Not here: how the server makes an archive, and a stream of one.

mod folder;
mod restore;
mod take;

pub(super) use restore::{RestoreFlags, run as restore};
pub(super) use take::{BackupFlags, run as take};
