//! Bounds of what replication queues, retries and decodes, with their relations checked at compile time.

use headwater_storage::limits::{FRAME_BYTES_TARGET, SUBJECT_BYTES_MAX};
use std::time::Duration;

/// Longest source or destination of a transform, in bytes.
pub const TRANSFORM_BYTES_MAX: usize = SUBJECT_BYTES_MAX;
/// Bytes of messages taken from an origin at a time.
pub const BATCH_BYTES_TARGET: usize = FRAME_BYTES_TARGET;
/// Messages taken from an origin at a time.
pub const BATCH_MESSAGES_MAX: usize = 1024;
/// Batches of one copy that may wait to become durable.
pub const BATCHES_IN_FLIGHT_MAX: usize = 16;
/// Longest stored progress, in bytes.
pub const PROGRESS_BYTES_MAX: usize = 128;
/// First wait after a failure, doubled with each further one.
pub const RETRY_MIN: Duration = Duration::from_millis(20);
/// Longest wait between two tries.
pub const RETRY_MAX: Duration = Duration::from_secs(2);
/// Longest wait of a copy that the target refused: nobody tells when there is room again.
pub const REFUSED_RETRY_MAX: Duration = Duration::from_millis(250);

const _: () = assert!(BATCH_BYTES_TARGET <= FRAME_BYTES_TARGET);
const _: () = assert!(REFUSED_RETRY_MAX.as_millis() <= RETRY_MAX.as_millis());
const _: () = assert!(RETRY_MIN.as_millis() < RETRY_MAX.as_millis());
