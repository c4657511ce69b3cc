//! What is done to a stream beside its appends: expiry, new configurations, recovery after a full disk, the end.
//! Not here: when (`volume::housekeeper`).

use super::{
    Core, Stream,
    config::{StorageKind, StreamConfig},
    core::Effect,
    log_options,
    replay::Rebuild,
    stored::StoredConfig,
    summary::Summing,
};
use crate::{Error, Result, Timestamp, log::LogId};
use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
};

impl Core {
    /// Whether the stream can have this configuration; gives what the catalogue would have.
    pub(crate) fn check_update(&self, config: &StreamConfig) -> Result<StoredConfig> {
        self.check()?;
        let refused = |what: &str| Err(Error::InvalidConfig(what.into()));
        if config.name != self.config.name {
            return refused("the name of a stream cannot change");
        }
        if config.storage != self.config.storage {
            return refused("the storage of a stream cannot change");
        }
        if self.config.sealed && !config.sealed {
            return refused("a sealed stream stays sealed");
        }
        if config.sync != self.config.sync {
            return refused("the sync policy of a stream cannot change");
        }
        // Replay begins there: another one would give the same log other sequences.
        if config.first_sequence.max(1) != self.config.first_sequence.max(1) {
            return refused("the first sequence of a stream cannot change");
        }
        Ok(StoredConfig::new(config, self.incarnation, self.created))
    }

    /// Takes a configuration, and notes it in the log.
    pub(crate) fn update(&mut self, config: StreamConfig, now: Timestamp) -> Result<Effect> {
        let stored = self.check_update(&config)?;
        self.begin();
        self.encoder.config(&stored);
        self.append_group(now, false, false)?;
        self.log.set_compression(config.compression);
        self.dedup.set_window(config.dedup_window, now);
        self.config = Arc::new(config);
        Ok(Effect::default())
    }

    /// Brings what was rebuilt from the log within the limits.
    fn begin_life(&mut self, now: Timestamp) -> Result<()> {
        let first_segments: Vec<u64> =
            self.log.segments().iter().take(2).map(|segment| segment.base_sequence).collect();
        self.next_segment = first_segments.get(1).copied().unwrap_or(u64::MAX);
        if self.config.sealed {
            return Ok(());
        }
        // A change that is empty is not queued: no commit would come to settle it, and answers would wait behind it.
        if let Some(effect) = self.enforce(now)? {
            self.queue(effect, None);
        }
        Ok(())
    }

    /// Distinct subjects of held messages.
    pub(crate) fn held_subjects(&self) -> u64 {
        let contents = &self.contents;
        let all = contents.subjects.len() as u64;
        if self.committed_sequence == self.last_sequence {
            return all;
        }
        let pending = contents.entries.iter_from(self.committed_sequence + 1);
        let only_pending: HashSet<_> = pending
            .map(|(_, entry)| entry.subject)
            .filter(|id| {
                let first = contents.subjects.sequences(*id).and_then(|all| all.first());
                first.is_none_or(|first| first > self.committed_sequence)
            })
            .collect();
        all - only_pending.len() as u64
    }
}

impl Stream {
    /// Removes what is too old, where something is.
    pub(crate) fn expire(&self, now: Timestamp) {
        if self.next_expiry.load(Ordering::Relaxed) > now.0 {
            return;
        }
        let mut core = self.core();
        match core.expire(now) {
            Ok(true) => {}
            Ok(false) => {
                let expiry = core.next_expiry().map_or(i64::MAX, |time| time.0);
                self.next_expiry.store(expiry, Ordering::Relaxed);
            }
            // The next look tries again.
            Err(Error::Busy) => {}
            Err(_) => self.next_expiry.store(i64::MAX, Ordering::Relaxed),
        }
        self.finish(core, None);
    }

    /// Removes segments that only the dedup window kept.
    pub(crate) fn trim(&self, now: Timestamp) {
        let mut core = self.core();
        let Some(number) = core.trim(now) else { return };
        let log = core.log.clone();
        drop(core);
        if let Err(error) = log.remove_segments_before(number) {
            tracing::warn!(%error, "segments stay until the volume is opened again");
        }
    }

    /// Makes the indexes of sealed segments that have none, at most so many.
    pub(crate) fn index_segments(&self, count_max: usize) {
        for _ in 0..count_max {
            let log = self.core().log.clone();
            let Some(number) = log.unindexed() else { return };
            let mut summing = Summing::default();
            let visited = log.visit_segment(number, &mut |frame| {
                summing.frame(&frame);
                Ok(())
            });
            let summary = visited.ok().and_then(|()| summing.finish());
            let owner = summary.map(|summary| summary.encode());
            if let Err(error) = log.write_index(number, owner) {
                tracing::debug!(%error, "a segment stays without an index");
            }
        }
    }

    /// After the disk was full: goes on from what is committed, as if the volume had been opened again.
    pub(crate) fn recover(self: &Arc<Self>) -> Result<()> {
        let (incarnation, created) = {
            let core = self.core();
            if !matches!(core.failure, Some(Error::NoSpace)) || core.is_in_memory() {
                return Ok(());
            }
            (core.incarnation, core.created)
        };
        let environment = &self.environment;
        // An update may have reached the catalogue and failed in the log: what a restart would find holds.
        let stored = environment.catalogue.stored(LogId(incarnation.0)).ok_or(Error::Busy)?;
        let config = stored.config();
        let now = environment.now();
        let options = log_options(&config, environment.sync, environment.segment_bytes);
        let mut rebuild = Rebuild::new(config.dedup_window, now);
        let log = environment
            .store
            .reopen_log(LogId(incarnation.0), options, &mut |event| rebuild.event(event))?;
        let rebuilt = rebuild.finish(config, incarnation, created, log.clone());
        self.listen(&log);
        {
            let mut core = self.core();
            let combine = core.combine.take();
            *core = Core { combine, ..rebuilt };
            core.begin_life(now)?;
            self.next_expiry.store(i64::MIN, Ordering::Relaxed);
        }
        self.signal.notify();
        Ok(())
    }

    /// After recovery: brings what was found within the limits.
    pub(crate) fn begin(&self, now: Timestamp) -> Result<()> {
        self.core().begin_life(now)
    }

    /// Writes the configuration into the log, which has an older one or none.
    pub(crate) fn note_config(&self) -> Result<()> {
        let mut core = self.core();
        let (stored, time) = (core.stored(), core.last_time.unwrap_or(core.created));
        core.roll()?;
        core.begin();
        core.encoder.config(&stored);
        core.append_group(time, false, false)?;
        // Opening alone lets no damaged segment go.
        core.doubt_ends();
        core.queue(Effect::default(), None);
        Ok(())
    }

    /// No changes and no tails any more.
    pub(crate) fn end(&self) {
        let dones = {
            let mut core = self.core();
            core.failure = Some(Error::Closed);
            match core.config.storage {
                StorageKind::Memory => core.fail(&Error::Closed),
                StorageKind::File => Vec::new(),
            }
        };
        self.signal.notify();
        for done in dones {
            done(Some(Error::Closed));
        }
    }
}
