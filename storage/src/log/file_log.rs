//! A log in segment files: groups are collected in open frames, which the commit thread takes.
//!
//! Invariants: `committed <= written <= assigned`; the table holds committed frames only. Locks: `open` and `table` are
//! never held together, nor while the owner is called.
//! Not here: the writing (`journal::commit`), the opening (`open`).

use super::{
    CommitListener, FrameBody, Group, Log, LogId, NewFrame, Position, SegmentInfo, SegmentNumber,
    rewrite::rewrite,
    write::{OpenFrame, Taken, Writing, Written},
};
use crate::{
    Error, Result,
    format::frame::{FRAME_HEADER_BYTES, FrameHeader},
    journal::{CheckpointCommand, Command, Shared},
    limits::{FRAME_BYTES_MAX, FRAME_BYTES_TARGET, OPEN_BYTES_MAX},
    segment::{FramePlace, FrameTable, Lookup, SegmentFile, write_index},
    store::LogOptions,
    stream::Compression,
};
use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// Bytes of the newest frames of one log that are kept in memory for readers.
const RECENT_BYTES_MAX: usize = 1024 * 1024;
/// The same of all logs together, each with an equal share.
const RECENT_BYTES_ALL_MAX: usize = 128 * 1024 * 1024;

/// What an appender changes.
#[derive(Debug)]
struct Open {
    frames: VecDeque<OpenFrame>,
    /// Bytes in open frames and in frames that are being written.
    waiting_bytes: usize,
    next_position: Position,
    /// Bytes that the active segment will have.
    segment_bytes: u64,
    /// The commit thread knows of the open frames.
    told: bool,
    /// Something was appended to the log ever.
    started: bool,
    failed: Option<Error>,
}

/// What a reader looks at.
#[derive(Debug, Default)]
struct Readable {
    table: FrameTable,
    recent: VecDeque<FrameBody>,
    recent_bytes: usize,
}

/// A log in files.
pub(crate) struct FileLog {
    pub(crate) id: LogId,
    pub(crate) options: LogOptions,
    shared: Arc<Shared>,
    this: Weak<FileLog>,
    open: Mutex<Open>,
    readable: RwLock<Readable>,
    /// Used by the commit thread alone.
    writing: Mutex<Writing>,
    committed: AtomicU64,
    listener: OnceLock<Weak<dyn CommitListener>>,
    /// The owner knows that the log failed: nothing of it is under way.
    settled: AtomicBool,
    lz4: AtomicBool,
    /// Held while a segment is written again: none is removed meanwhile, or its name would come back.
    rewriting: Mutex<()>,
}

impl FileLog {
    /// A log that continues after what `table` holds.
    pub(super) fn new(
        id: LogId,
        options: LogOptions,
        shared: &Arc<Shared>,
        table: FrameTable,
        writing: Writing,
    ) -> Arc<Self> {
        let next_position = writing.end().position;
        let open = Open {
            frames: VecDeque::new(),
            waiting_bytes: 0,
            next_position,
            segment_bytes: writing.end().offset,
            told: false,
            started: writing.has_frames(),
            failed: None,
        };
        Arc::new_cyclic(|this| Self {
            id,
            options,
            shared: Arc::clone(shared),
            this: Weak::clone(this),
            open: Mutex::new(open),
            readable: RwLock::new(Readable { table, ..Readable::default() }),
            writing: Mutex::new(writing),
            committed: AtomicU64::new(next_position.0),
            listener: OnceLock::new(),
            settled: AtomicBool::new(false),
            rewriting: Mutex::new(()),
            lz4: AtomicBool::new(options.compression == Compression::Lz4),
        })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the commit thread keeps of the log.
    pub(crate) fn writing(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How frames are compressed now.
    pub(crate) fn compression(&self) -> Compression {
        if self.lz4.load(Ordering::Relaxed) { Compression::Lz4 } else { Compression::None }
    }

    /// Takes the first open frame, if it fits into `room` bytes; the commit thread's.
    pub(crate) fn take_frame(&self, room: usize) -> Taken {
        let mut open = self.open();
        let Some(frame) = open.frames.front() else {
            open.told = false;
            return Taken::Nothing;
        };
        if frame.records.len() > room {
            return Taken::TooLarge(frame.records.len());
        }
        open.frames.pop_front().map_or(Taken::Nothing, Taken::Frame)
    }

    /// Frames are on stable storage (or written, for a log with an interval): readers may see them.
    pub(crate) fn commit(&self, written: Written) {
        let end = written.end.position;
        self.make_readable(written);
        self.committed.store(end.0, Ordering::Release);
        if let Some(listener) = self.listener.get().and_then(Weak::upgrade) {
            listener.committed(end);
        }
    }

    fn make_readable(&self, written: Written) {
        let bytes = written.frames.iter().map(|frame| frame.body.records.len()).sum::<usize>();
        {
            let mut open = self.open();
            open.waiting_bytes = open.waiting_bytes.saturating_sub(bytes);
        }
        self.shared.give_room(bytes);
        let mut readable = self.readable.write().unwrap_or_else(PoisonError::into_inner);
        for frame in written.frames {
            if let Some(segment) = frame.opens {
                if let Some(active) = readable.table.active() {
                    active.file.seal();
                }
                readable.table.push_segment(segment);
            }
            let end = frame.body.base_position.0 + u64::from(frame.body.count);
            readable.table.push(frame.place, Position(end), frame.last_time);
            readable.recent_bytes += frame.body.records.len();
            readable.recent.push_back(frame.body);
        }
        let share = RECENT_BYTES_ALL_MAX / self.shared.log_count().max(1);
        while readable.recent_bytes > share.min(RECENT_BYTES_MAX) {
            let oldest = readable.recent.pop_front();
            readable.recent_bytes -= oldest.map_or(0, |body| body.records.len());
        }
    }

    /// Refuses appends from now on and drops what nobody took. The owner is told by `tell_failed`.
    pub(crate) fn fail(&self, error: &Error) {
        let mut open = self.open();
        open.failed.get_or_insert_with(|| error.clone());
        let dropped = open.frames.drain(..).map(|frame| frame.records.len()).sum::<usize>();
        open.waiting_bytes = open.waiting_bytes.saturating_sub(dropped);
        drop(open);
        self.shared.give_room(dropped);
    }

    /// Tells the owner that nothing more will be committed.
    pub(crate) fn tell_failed(&self, error: &Error) {
        self.settled.store(true, Ordering::Release);
        if let Some(listener) = self.listener.get().and_then(Weak::upgrade) {
            listener.failed(error);
        }
    }

    /// The log failed and nothing of it is under way.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Acquire)
    }

    /// The frame that was looked up: from memory, or from the disk and checked.
    fn read(&self, found: &Lookup) -> Result<FrameBody> {
        let place = &found.place;
        let damaged = |what: &str| Error::Damaged {
            place: format!("{}:{}", found.file.path().display(), place.offset),
            what: what.to_owned(),
        };
        if place.is_lost() {
            return Err(damaged("lost when the log was opened"));
        }
        let bytes = found.file.read_frame(place.offset, place.bytes as usize)?;
        let bytes = bytes.map_err(|what| damaged(&what))?;
        let header = FrameHeader::decode(found.file.id().seed(), &bytes).map_err(damaged)?;
        if header.base_position != place.base_position {
            return Err(damaged("another frame is here"));
        }
        let body = bytes.slice(FRAME_HEADER_BYTES.min(bytes.len())..);
        let records = header.records(body).map_err(damaged)?;
        Ok(FrameBody {
            base_position: header.base_position,
            base_sequence: header.base_sequence,
            count: header.count,
            records,
        })
    }

    fn frames_of(&self, number: SegmentNumber) -> Option<(Arc<SegmentFile>, Vec<FramePlace>)> {
        let readable = self.readable.read().unwrap_or_else(PoisonError::into_inner);
        let segment = readable.table.segment(number)?;
        Some((Arc::clone(&segment.file), segment.frames.clone()))
    }

    fn find(&self, look: impl FnOnce(&FrameTable) -> Option<Lookup>) -> Result<Option<FrameBody>> {
        let found = {
            let readable = self.readable.read().unwrap_or_else(PoisonError::into_inner);
            let Some(found) = look(&readable.table) else { return Ok(None) };
            let recent = &readable.recent;
            let at = recent.binary_search_by_key(&found.place.base_position, |b| b.base_position);
            if let Some(body) = at.ok().and_then(|at| recent.get(at)) {
                return Ok(Some(body.clone()));
            }
            found
        };
        self.read(&found).map(Some)
    }
}

impl Log for FileLog {
    fn listen(&self, listener: Weak<dyn CommitListener>) {
        let _ = self.listener.set(listener);
    }

    fn append(&self, group: &Group<'_>) -> Result<Position> {
        let len = group.records.len();
        if len > FRAME_BYTES_MAX {
            return Err(Error::MessageTooLarge { bytes: len, max: FRAME_BYTES_MAX });
        }
        assert!(group.count > 0, "a group has a record");
        self.shared.check_open()?;
        let mut open = self.open();
        if let Some(error) = &open.failed {
            return Err(error.clone());
        }
        if group.follows {
            self.shared.add_room(len);
        } else {
            if open.waiting_bytes > 0 && open.waiting_bytes + len > OPEN_BYTES_MAX {
                return Err(Error::Busy);
            }
            self.shared.take_room(len)?;
        }
        let starts_segment = group.starts_segment && open.started;
        if starts_segment {
            open.segment_bytes = 0;
        }
        let base_position = open.next_position;
        // What follows a change belongs to it: a crash between the two would leave half of it.
        let most = if group.follows { FRAME_BYTES_MAX } else { FRAME_BYTES_TARGET };
        let frame_bytes = match open.frames.back_mut() {
            Some(frame) if !starts_segment && frame.records.len() + len <= most => {
                frame.add(group);
                len
            }
            _ => {
                open.frames.push_back(OpenFrame::new(group, base_position, starts_segment));
                FRAME_HEADER_BYTES + len
            }
        };
        open.started = true;
        open.waiting_bytes += len;
        open.segment_bytes += frame_bytes as u64;
        open.next_position = Position(base_position.0 + u64::from(group.count));
        let end = open.next_position;
        let tell = !std::mem::replace(&mut open.told, true);
        drop(open);
        if tell && let Some(this) = self.this.upgrade() {
            self.shared.commands.send(Command::Dirty(this));
        }
        Ok(end)
    }

    fn wants_segment(&self) -> bool {
        let open = self.open();
        // One that damage left without a frame begins as any other does.
        !open.started || open.segment_bytes >= self.options.segment_bytes
    }

    fn frame_for_sequence(&self, sequence: u64) -> Result<Option<FrameBody>> {
        self.find(|table| table.find_sequence(sequence))
    }

    #[cfg(test)]
    fn frame_at(&self, position: Position) -> Result<Option<FrameBody>> {
        self.find(|table| table.find_position(position))
    }

    fn segments(&self) -> Vec<SegmentInfo> {
        self.readable.read().unwrap_or_else(PoisonError::into_inner).table.segments()
    }

    fn remove_segments_before(&self, number: SegmentNumber) -> Result<()> {
        // The commit thread asks too, and must not wait: what stays now goes with the next segment.
        let Ok(_rewriting) = self.rewriting.try_lock() else { return Ok(()) };
        let files = {
            let mut readable = self.readable.write().unwrap_or_else(PoisonError::into_inner);
            readable.table.remove_before(number)
        };
        if files.is_empty() {
            return Ok(());
        }
        // Readers that looked a frame up before may still want to open the file.
        for file in &files {
            file.keep_readable();
        }
        self.shared.give_up(self.id, files);
        if !self.shared.manual {
            let _ = self.shared.checkpoint_commands.send(CheckpointCommand::Remove);
        }
        Ok(())
    }

    fn replace_segment(&self, number: SegmentNumber, frames: Vec<NewFrame>) -> Result<()> {
        let _rewriting = self.rewriting.lock().unwrap_or_else(PoisonError::into_inner);
        let old = {
            let readable = self.readable.read().unwrap_or_else(PoisonError::into_inner);
            readable.table.segment(number).cloned()
        };
        let Some(old) = old.filter(|segment| segment.file.is_sealed()) else { return Ok(()) };
        let new = rewrite(&self.shared.disk, &old, frames, self.compression())?;
        let mut readable = self.readable.write().unwrap_or_else(PoisonError::into_inner);
        // Frames in memory go by their positions, and other frames have these now.
        let positions = new.base_position..new.end_position;
        readable.recent.retain(|body| !positions.contains(&body.base_position));
        readable.recent_bytes = readable.recent.iter().map(|body| body.records.len()).sum();
        readable.table.replace(new);
        Ok(())
    }

    fn unindexed(&self) -> Option<SegmentNumber> {
        let readable = self.readable.read().unwrap_or_else(PoisonError::into_inner);
        readable.table.unindexed().map(|segment| segment.file.id().number)
    }

    fn visit_segment(
        &self,
        number: SegmentNumber,
        visit: &mut dyn FnMut(FrameBody) -> Result<()>,
    ) -> Result<()> {
        let Some((file, frames)) = self.frames_of(number) else { return Ok(()) };
        for place in frames {
            visit(self.read(&Lookup { file: Arc::clone(&file), place })?)?;
        }
        Ok(())
    }

    fn write_index(&self, number: SegmentNumber, owner: Option<Vec<u8>>) -> Result<()> {
        let made = {
            let readable = self.readable.read().unwrap_or_else(PoisonError::into_inner);
            readable.table.segment(number).zip(owner).and_then(|(segment, owner)| {
                let index = segment.index(owner.into())?;
                Some((Arc::clone(&segment.file), index))
            })
        };
        let written =
            made.map_or(Ok(()), |(file, index)| write_index(&self.shared.disk, &file, index));
        // A failed try is not made again: the index only saves time.
        let mut readable = self.readable.write().unwrap_or_else(PoisonError::into_inner);
        readable.table.set_indexed(number);
        written
    }

    fn set_compression(&self, compression: Compression) {
        self.lz4.store(compression == Compression::Lz4, Ordering::Relaxed);
    }

    fn committed(&self) -> Position {
        Position(self.committed.load(Ordering::Acquire))
    }
}

impl fmt::Debug for FileLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileLog({:032x}, committed {})", self.id.0, self.committed().0)
    }
}
