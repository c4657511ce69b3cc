//! walrus-rust: topics in blocks of shared files.
//!
//! With `FsyncSchedule::SyncEach` files are opened with `O_SYNC` and each append ends with `fsync`. A batch belongs to one
//! topic and has at most 2,000 records. A stream is a topic. The directory is told by the environment (`WALRUS_DATA_DIR`).

use super::Store;
use crate::load::{Record, Scan};
use anyhow::Result;
use std::collections::BTreeMap;
use walrus_rust::{FsyncSchedule, ReadConsistency, Walrus};

/// Largest batch.
const BATCH_RECORDS_MAX: usize = 2000;
/// Threads that append to many topics at once.
const THREADS: usize = 16;
/// Bytes of payloads that one read asks for.
const READ_BYTES: usize = 1024 * 1024;
/// Reads between two stored cursors: none are stored while it is measured.
const READS_PER_CURSOR: u32 = u32::MAX;

pub(super) struct WalrusStore {
    log: Walrus,
    topics: Vec<String>,
}

impl WalrusStore {
    pub(super) fn open(schedule: FsyncSchedule, streams: u32) -> Result<Self> {
        let consistency = ReadConsistency::AtLeastOnce { persist_every: READS_PER_CURSOR };
        let log = Walrus::with_consistency_and_schedule(consistency, schedule)?;
        Ok(Self { log, topics: (0..streams).map(|stream| format!("t{stream}")).collect() })
    }

    fn topic(&self, stream: u32) -> Result<&str> {
        let topic = self.topics.get(stream as usize);
        Ok(topic.ok_or_else(|| anyhow::anyhow!("no topic {stream}"))?)
    }

    fn append_to_topic(&self, stream: u32, payloads: &[&[u8]]) -> Result<()> {
        let topic = self.topic(stream)?;
        if let [payload] = payloads {
            return Ok(self.log.append_for_topic(topic, payload)?);
        }
        for batch in payloads.chunks(BATCH_RECORDS_MAX) {
            self.log.batch_append_for_topic(topic, batch)?;
        }
        Ok(())
    }
}

impl Store for WalrusStore {
    fn append(&self, batch: &[Record<'_>]) -> Result<()> {
        let mut topics: BTreeMap<u32, Vec<&[u8]>> = BTreeMap::new();
        for record in batch {
            topics.entry(record.stream).or_default().push(record.payload);
        }
        let topics: Vec<_> = topics.into_iter().collect();
        if let [(stream, payloads)] = topics.as_slice() {
            return self.append_to_topic(*stream, payloads);
        }
        std::thread::scope(|scope| {
            let parts: Vec<_> = topics
                .chunks(topics.len().div_ceil(THREADS))
                .map(|part| {
                    scope.spawn(move || {
                        part.iter().try_for_each(|(stream, payloads)| {
                            self.append_to_topic(*stream, payloads)
                        })
                    })
                })
                .collect();
            parts.into_iter().try_for_each(|part| {
                part.join().map_err(|_| anyhow::anyhow!("an appending thread panicked"))?
            })
        })
    }

    fn scan(&self, stream: Option<u32>) -> Result<Option<Scan>> {
        let mut scan = Scan::default();
        let streams = stream.map_or(0..self.topics.len() as u32, |stream| stream..stream + 1);
        for stream in streams {
            let topic = self.topic(stream)?;
            loop {
                let entries = self.log.batch_read_for_topic(topic, READ_BYTES, true)?;
                if entries.is_empty() {
                    break;
                }
                entries.iter().for_each(|entry| scan.add(&entry.data));
            }
        }
        Ok(Some(scan))
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
