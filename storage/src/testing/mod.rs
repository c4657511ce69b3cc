//! The engine's inside for benchmarks and fuzz targets, and the simulated disk for tests of programs that embed the engine.
//! Not part of the public interface: it may change with every version.
//! Not here: what the targets look for (the workspace `fuzz`).

mod checksums;
mod encoded_frame;
mod logs;
mod segment_scan;
mod simulated_machine;
mod structure;
mod synced_writes;
mod volumes;

pub use crate::disk::SimulatedDisk;
pub use checksums::repair_checksums;
pub use encoded_frame::EncodedFrame;
pub use logs::Logs;
pub use segment_scan::{ScannedSegment, scan_segment};
pub use simulated_machine::SimulatedMachine;
pub use structure::Structure;
pub use synced_writes::SyncedWrites;
pub use volumes::{commit, keep_house, open_volume};
