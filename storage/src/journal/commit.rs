//! The commit thread: takes open frames, writes them to their segments, and one round of them to the journal.
//!
//! Invariants: rounds are acknowledged in order, whatever order they complete in; nothing is acknowledged after a
//! failure; a log that has no space fails alone, before anything of the frame is in a round.
//! Not here: the files of the journal (`ring`).

use super::{
    CheckpointCommand, Checkpointer, Command, Ring, RingOptions, Shared,
    round::{ROUND_OVERHEAD_BYTES, RoundBuilder},
};
use crate::{
    Error, Result,
    disk::{AlignedBuffer, Completion, SyncedWriter},
    format::{
        checkpoint::JournalPlace,
        journal_round::{self, ENTRY_FLAG_IN_SEGMENT, EntryHeader},
    },
    log::{ClosedFrame, FileLog, Taken, Written},
    stream::config::SyncPolicy,
};
use crossbeam_channel::{Receiver, Sender};
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// Size that a round is filled to, in bytes.
const ROUND_BYTES: usize = 1024 * 1024;
/// Rounds under way at a time.
pub(crate) const ROUNDS_IN_FLIGHT_MAX: usize = 2;
/// How long the commit thread waits for room in the journal before it asks again.
const ROOM_WAIT: Duration = Duration::from_millis(100);
/// How often it asks while the store is being closed.
const CLOSING_TRIES_MAX: u32 = 300;
/// A round under way.
struct Flight {
    round: u64,
    /// The place after it.
    next: JournalPlace,
    logs: Vec<(Arc<FileLog>, Written)>,
    done: bool,
}

/// The commit thread's state.
pub(crate) struct Committer {
    shared: Arc<Shared>,
    checkpointer: Arc<Checkpointer>,
    room: Receiver<()>,
    writer: Box<dyn SyncedWriter>,
    ring: Ring,
    seed: u32,
    /// Frames with more records than this are synced in their segment instead of going through the journal.
    inline_bytes_max: usize,
    round_bytes: usize,
    dirty: VecDeque<Arc<FileLog>>,
    flights: VecDeque<Flight>,
    /// Logs that have failed, with the first round that has nothing of them.
    failed: VecDeque<(u64, Arc<FileLog>, Error)>,
    flushes: Vec<Sender<()>>,
    pool: Vec<AlignedBuffer>,
    scratch: Vec<u8>,
    durable_through: u64,
    told_failed: bool,
    stop: bool,
    /// Another thread than the writer's runs it, for one round.
    is_helped: bool,
}

impl Committer {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        checkpointer: &Arc<Checkpointer>,
        room: Receiver<()>,
        ring: Ring,
        options: RingOptions,
    ) -> Result<Self> {
        let writer = shared
            .disk
            .synced_writer(ROUNDS_IN_FLIGHT_MAX)
            .map_err(|error| Error::io("prepare synced writes", error))?;
        tracing::debug!(method = writer.method(), "journal writer is ready");
        let share = usize::try_from(options.file_bytes / 4).unwrap_or(ROUND_BYTES);
        Ok(Self {
            shared: Arc::clone(shared),
            checkpointer: Arc::clone(checkpointer),
            room,
            writer,
            seed: journal_round::seed(options.volume),
            durable_through: ring.place().round.saturating_sub(1),
            ring,
            inline_bytes_max: 2 * share.min(2 * ROUND_BYTES) - ROUND_OVERHEAD_BYTES,
            round_bytes: share.min(ROUND_BYTES),
            dirty: VecDeque::new(),
            flights: VecDeque::new(),
            failed: VecDeque::new(),
            flushes: Vec::new(),
            pool: Vec::new(),
            scratch: Vec::new(),
            told_failed: false,
            stop: false,
            is_helped: false,
        })
    }

    /// Runs until nothing is left to do. True: for good.
    pub(crate) fn serve(&mut self) -> bool {
        loop {
            self.run_once();
            if !self.has_work() {
                return self.stop;
            }
        }
    }

    /// Commits what is open on a thread that waits for it, by a write that needs no other thread. True where there was work.
    pub(crate) fn help(&mut self) -> bool {
        debug_assert!(self.flights.is_empty(), "the commit thread is between two rounds");
        self.is_helped = true;
        let had_work = self.run_once();
        self.is_helped = false;
        if self.has_work() || self.stop {
            self.shared.commands.wake();
        }
        had_work
    }

    fn has_work(&self) -> bool {
        !self.dirty.is_empty() || !self.flights.is_empty() || !self.flushes.is_empty()
    }

    /// Takes what is told, starts as many rounds as may be under way, and completes one. True where there was work.
    pub(crate) fn run_once(&mut self) -> bool {
        self.obey_all();
        let had_work = self.has_work();
        while self.shared.failure().is_none()
            && self.flights.len() < ROUNDS_IN_FLIGHT_MAX
            && !self.dirty.is_empty()
        {
            if let Err(error) = self.start_round() {
                self.shared.fail(&error);
            }
            if self.is_helped {
                break;
            }
            self.obey_all();
        }
        if self.shared.failure().is_none()
            && let Err(error) = self.complete_one()
        {
            self.shared.fail(&error);
        }
        self.tell_failures();
        self.answer_flushes();
        if self.shared.manual && self.shared.failure().is_none() {
            let removed = self.checkpointer.remove_given_up();
            if let Err(error) = removed {
                tracing::warn!(%error, "segments stay until the volume is opened again");
            }
        }
        had_work
    }

    fn obey_all(&mut self) {
        for command in self.shared.commands.take() {
            self.obey(command);
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Dirty(log) => self.dirty.push_back(log),
            Command::Flush(answer) => self.flushes.push(answer),
            Command::Barrier(answer) => {
                let _ = answer.send(());
            }
            Command::Failed => {}
            Command::Stop => self.stop = true,
        }
    }

    /// Builds a round of what the dirty logs have open, and starts its write.
    fn start_round(&mut self) -> Result<()> {
        let buffer = self.pool.pop().unwrap_or_else(|| AlignedBuffer::new(self.round_bytes));
        let mut build = RoundBuilder::new(buffer);
        let mut unsynced_bytes = 0;
        while unsynced_bytes < self.round_bytes
            && let Some(log) = self.dirty.pop_front()
        {
            let room = build.room(self.round_bytes);
            let frame = match log.take_frame(room) {
                Taken::Nothing => continue,
                Taken::Frame(frame) => frame,
                Taken::TooLarge(_) if !build.is_empty() => {
                    self.dirty.push_front(log);
                    break;
                }
                Taken::TooLarge(bytes) => match log.take_frame(bytes) {
                    Taken::Frame(frame) => frame,
                    _ => continue,
                },
            };
            self.dirty.push_back(Arc::clone(&log));
            let frame = ClosedFrame::new(frame, log.compression());
            if log.options.sync != SyncPolicy::Always {
                unsynced_bytes += frame.frame_bytes();
            }
            self.add_frame(&mut build, &log, frame)?;
        }
        if build.is_empty() {
            self.recycle(build.into_buffer());
            return Ok(());
        }
        self.submit(build)
    }

    /// Writes a frame to its segment and adds it to the round. Only what stops the store is an error.
    fn add_frame(
        &mut self,
        build: &mut RoundBuilder,
        log: &Arc<FileLog>,
        frame: ClosedFrame,
    ) -> Result<()> {
        let mut writing = log.writing();
        let opens = if frame.starts_segment() && writing.has_frames() {
            match writing.roll(&self.shared.disk, log.id, &frame) {
                Ok(segment) => Some(segment),
                Err(Error::NoSpace) => return self.no_space(log, &frame),
                Err(error) => return Err(error),
            }
        } else {
            None
        };
        let end = writing.end();
        let id = writing.segment().id();
        let header = frame.header.encode(id.seed());
        self.scratch.clear();
        self.scratch.extend_from_slice(&header);
        self.scratch.extend_from_slice(frame.body());
        let file = match writing.segment().write(&self.scratch, end.offset) {
            Ok(file) => file,
            Err(Error::NoSpace) => return self.no_space(log, &frame),
            Err(error) => return Err(error),
        };
        let synced = matches!(log.options.sync, SyncPolicy::Always);
        let inline = frame.frame_bytes() <= self.inline_bytes_max;
        if synced && !inline {
            file.sync().map_err(|error| {
                Error::ReadOnly(format!("sync of {}: {error}", writing.segment().path().display()))
            })?;
        }
        self.shared.progress().dirty.insert(id, Arc::clone(&file));
        let entry = EntryHeader {
            segment: id,
            offset: end.offset,
            end_position: frame.header.end_position(),
            frame_bytes: u32::try_from(frame.frame_bytes()).unwrap_or(u32::MAX),
            flags: if inline { 0 } else { ENTRY_FLAG_IN_SEGMENT },
        };
        let groups = frame.header.groups;
        let written = writing.advance(frame, opens);
        let end = writing.end();
        let hand_over = writing.hand_over().filter(|_| !self.shared.manual);
        drop(writing);
        if let Some(range) = hand_over {
            let _ = self.shared.checkpoint_commands.send(CheckpointCommand::WriteBack(file, range));
        }
        if !synced {
            if let Some(known) = self.shared.progress().ends.get_mut(&log.id) {
                *known = end;
            }
            log.commit(Written { frames: vec![written], end });
            return Ok(());
        }
        build.add_entry(&entry, if inline { &self.scratch } else { &[] }, groups);
        build.add_written(log, written, end);
        Ok(())
    }

    /// The log fails alone; its owner is told when the rounds before are acknowledged.
    fn no_space(&mut self, log: &Arc<FileLog>, frame: &ClosedFrame) -> Result<()> {
        tracing::warn!(log = ?log, "no space left for the log's segment");
        self.shared.give_room(frame.header.records_bytes as usize);
        log.fail(&Error::NoSpace);
        let round = self.ring.place().round + 1;
        self.failed.push_back((round, Arc::clone(log), Error::NoSpace));
        Ok(())
    }

    /// Closes the round and starts its write.
    fn submit(&mut self, mut build: RoundBuilder) -> Result<()> {
        let bytes = build.pad();
        let (file, place) = self.reserve(bytes)?;
        let alone = self.is_helped || (build.is_of_one() && self.flights.is_empty());
        let (buffer, logs) = build.close(self.seed, place, self.durable_through);
        self.flights.push_back(Flight {
            round: place.round,
            next: self.ring.place(),
            logs,
            done: false,
        });
        let submitted = if alone {
            self.writer.submit_alone(place.round, &file, place.offset, buffer)
        } else {
            self.writer.submit(place.round, &file, place.offset, buffer)
        };
        submitted.map_err(|error| Error::ReadOnly(format!("write of the journal: {error}")))
    }

    /// The place for a round; waits for a checkpoint where the journal is full.
    fn reserve(&mut self, bytes: u64) -> Result<(Arc<dyn crate::disk::DiskFile>, JournalPlace)> {
        let mut tries = 0;
        loop {
            let before = self.ring.place().use_number;
            if let Some(found) = self.ring.reserve(&self.shared.space, bytes) {
                if found.1.use_number != before && self.shared.space.is_filling() {
                    self.want_checkpoint();
                }
                return Ok(found);
            }
            // What is under way must be acknowledged before a checkpoint can let its space go.
            while !self.flights.is_empty() {
                self.complete_one()?;
            }
            self.shared.check()?;
            tries += 1;
            if self.shared.is_closed() && tries > CLOSING_TRIES_MAX {
                return Err(Error::ReadOnly(
                    "the journal is full, and no checkpoint can be made".into(),
                ));
            }
            if self.shared.manual {
                self.checkpointer.run(false)?;
            } else {
                self.want_checkpoint();
                // The bound is for a wake-up that came before the wait.
                let _ = self.room.recv_timeout(ROOM_WAIT);
            }
        }
    }

    fn want_checkpoint(&self) {
        let _ = self.shared.checkpoint_commands.send(CheckpointCommand::Wanted);
    }

    /// Waits for one write and acknowledges what is complete, in order.
    fn complete_one(&mut self) -> Result<()> {
        let failed =
            |error: std::io::Error| Error::ReadOnly(format!("write of the journal: {error}"));
        let Some(Completion { token, buffer, result }) = self.writer.wait().map_err(failed)? else {
            return Ok(());
        };
        self.recycle(buffer);
        result.map_err(failed)?;
        if let Some(flight) = self.flights.iter_mut().find(|flight| flight.round == token) {
            flight.done = true;
        }
        while let Some(flight) = self.flights.pop_front_if(|flight| flight.done) {
            self.acknowledge(flight);
        }
        Ok(())
    }

    fn acknowledge(&mut self, flight: Flight) {
        self.durable_through = flight.round;
        {
            let mut progress = self.shared.progress();
            progress.acknowledged = flight.next;
            for (log, written) in &flight.logs {
                // A log that was removed meanwhile has no end any more.
                if let Some(end) = progress.ends.get_mut(&log.id) {
                    *end = written.end;
                }
            }
        }
        for (log, written) in flight.logs {
            log.commit(written);
        }
    }

    /// Keeps the memory, also of a round that had to grow for a large frame: fresh pages cost more than copying into them.
    fn recycle(&mut self, buffer: AlignedBuffer) {
        if self.pool.len() <= ROUNDS_IN_FLIGHT_MAX {
            self.pool.push(buffer);
        }
    }

    /// Tells owners of logs that failed, once nothing of them is under way; all of them where the store has failed.
    fn tell_failures(&mut self) {
        if let Some(error) = self.shared.failure() {
            if !std::mem::replace(&mut self.told_failed, true) {
                self.shared.tell_failed(&error);
            }
            self.dirty.clear();
            self.flights.clear();
            self.failed.clear();
            return;
        }
        let first = self.flights.front().map_or(u64::MAX, |flight| flight.round);
        while let Some((_, log, error)) = self.failed.pop_front_if(|(round, _, _)| *round <= first)
        {
            log.tell_failed(&error);
        }
    }

    fn answer_flushes(&mut self) {
        if self.dirty.is_empty() && self.flights.is_empty() {
            for answer in self.flushes.drain(..) {
                let _ = answer.send(());
            }
        }
    }
}

impl std::fmt::Debug for Committer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Committer")
            .field("writer", &self.writer)
            .field("ring", &self.ring)
            .finish_non_exhaustive()
    }
}
