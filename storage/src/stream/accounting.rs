//! What a message counts for in `StreamState::bytes` and against a limit on bytes: the figures that nats-server reports,
//! so that limits mean the same on both.
//! Not here: what a message takes on disk (`record`).

use super::StorageKind;

/// Length, sequence, time and subject length before each message in a file of nats-server, in bytes.
const FILE_PREFIX_BYTES: usize = 22;
/// Checksum behind each message, in bytes.
const FILE_CHECKSUM_BYTES: usize = 8;
/// Length of the headers, where there are any, in bytes.
const FILE_HEADER_LENGTH_BYTES: usize = 4;
/// Sequence and time of each message in memory, in bytes.
const MEMORY_BYTES: usize = 16;

/// Bytes that a message counts for.
pub(crate) fn message_bytes(
    storage: StorageKind,
    subject: usize,
    headers: usize,
    payload: usize,
) -> u32 {
    let bytes = match storage {
        StorageKind::Memory => subject + headers + payload + MEMORY_BYTES,
        StorageKind::File => {
            let headers = if headers > 0 { headers + FILE_HEADER_LENGTH_BYTES } else { 0 };
            FILE_PREFIX_BYTES + subject + headers + payload + FILE_CHECKSUM_BYTES
        }
    };
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_nats_server() {
        // "ORDER n" on ORDERS.new, n from 1 to 100, in a memory stream of nats-server 2.15: 3392 bytes.
        let orders = (1..=100).map(|n: u32| format!("ORDER {n}").len());
        let bytes = orders.map(|payload| message_bytes(StorageKind::Memory, 10, 0, payload));
        assert_eq!(bytes.sum::<u32>(), 3392);
        assert_eq!(message_bytes(StorageKind::File, 10, 0, 7), 47);
        assert_eq!(message_bytes(StorageKind::File, 10, 20, 7), 71);
    }
}
