//! Synced writes by io_uring, several under way at a time.
//!
//! # Soundness
//! The kernel reads a buffer from `submit` until its completion is reaped. For that long the buffer (its memory does not
//! move when the value does) and the file are owned by a slot of the writer; a writer that is dropped waits for every
//! write, and leaks what it cannot wait for.
//! Not here: the order of acknowledgements (`journal`).

use super::{ALIGNMENT, AlignedBuffer, Completion, DiskFile, SyncedWriter};
use io_uring::{IoUring, opcode, types};
use std::{collections::VecDeque, io, sync::Arc};

/// A ring with slots for the writes under way.
pub(super) struct UringWriter {
    ring: IoUring,
    slots: Vec<Option<Slot>>,
    /// Writes that were made on this thread.
    alone: VecDeque<Completion>,
}

/// A write under way. Dropped only when the kernel is done with it.
struct Slot {
    token: u64,
    file: Arc<dyn DiskFile>,
    offset: u64,
    buffer: AlignedBuffer,
    /// Bytes that earlier, short writes of this slot made durable.
    done: usize,
}

impl UringWriter {
    /// Makes a ring for `depth` writes at a time. To be used on this thread only.
    pub(super) fn new(depth: usize) -> io::Result<Self> {
        let entries = u32::try_from(depth.next_power_of_two()).unwrap_or(u32::MAX);
        // Kernels before 6.1 know neither flag and answer EINVAL.
        let ring =
            IoUring::builder().setup_single_issuer().setup_defer_taskrun().build(entries).or_else(
                |error| match error.raw_os_error() {
                    Some(libc::EINVAL) => IoUring::new(entries),
                    _ => Err(error),
                },
            )?;
        let slots = (0..depth).map(|_| None).collect();
        Ok(Self { ring, slots, alone: VecDeque::new() })
    }

    /// Hands what is left of a slot's write to the kernel.
    fn start(&mut self, index: usize) -> io::Result<()> {
        let Some(Some(slot)) = self.slots.get(index) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let Some(descriptor) = slot.file.descriptor() else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let Some(rest) = slot.buffer.as_slice().get(slot.done..) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let len = u32::try_from(rest.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let entry = opcode::Write::new(types::Fd(descriptor), rest.as_ptr(), len)
            .offset(slot.offset + slot.done as u64)
            .rw_flags(libc::RWF_DSYNC)
            .build()
            .user_data(index as u64);
        let mut queue = self.ring.submission();
        // SAFETY: buffer and file belong to the slot, which is kept until the completion of this entry.
        unsafe { queue.push(&entry) }.map_err(|_| io::Error::from(io::ErrorKind::ResourceBusy))
    }

    /// Takes one completion off the ring. `None` where there is none yet, or a short write was started again.
    fn reap(&mut self) -> io::Result<Option<Completion>> {
        let Some(entry) = self.ring.completion().next() else { return Ok(None) };
        let index = usize::try_from(entry.user_data()).map_err(|_| io::ErrorKind::InvalidData)?;
        let Some(place) = self.slots.get_mut(index) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let Some(mut slot) = place.take() else { return Err(io::ErrorKind::InvalidData.into()) };
        let result = match usize::try_from(entry.result()) {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Ok(count) if slot.done + count >= slot.buffer.len() => Ok(()),
            Ok(count) => {
                slot.done += count / ALIGNMENT * ALIGNMENT;
                *place = Some(slot);
                self.start(index)?;
                self.ring.submit()?;
                return Ok(None);
            }
            Err(_) if matches!(-entry.result(), libc::EINTR | libc::EAGAIN) => {
                *place = Some(slot);
                self.start(index)?;
                self.ring.submit()?;
                return Ok(None);
            }
            Err(_) => Err(io::Error::from_raw_os_error(-entry.result())),
        };
        Ok(Some(Completion { token: slot.token, buffer: slot.buffer, result }))
    }

    fn under_way(&self) -> bool {
        self.slots.iter().any(Option::is_some)
    }
}

impl SyncedWriter for UringWriter {
    fn method(&self) -> &'static str {
        "io_uring"
    }

    fn submit(
        &mut self,
        token: u64,
        file: &Arc<dyn DiskFile>,
        offset: u64,
        buffer: AlignedBuffer,
    ) -> io::Result<()> {
        debug_assert_eq!(buffer.len() % ALIGNMENT, 0);
        let Some(index) = self.slots.iter().position(Option::is_none) else {
            return Err(io::ErrorKind::ResourceBusy.into());
        };
        if let Some(place) = self.slots.get_mut(index) {
            *place = Some(Slot { token, file: Arc::clone(file), offset, buffer, done: 0 });
        }
        if let Err(error) = self.start(index) {
            // Nothing went to the kernel.
            if let Some(place) = self.slots.get_mut(index) {
                *place = None;
            }
            return Err(error);
        }
        loop {
            match self.ring.submit() {
                Ok(_) => return Ok(()),
                Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// By a plain call: the kernel completes a synced write of the ring on a thread of its own, which on a busy machine
    /// waits for its turn.
    fn submit_alone(
        &mut self,
        token: u64,
        file: &Arc<dyn DiskFile>,
        offset: u64,
        buffer: AlignedBuffer,
    ) -> io::Result<()> {
        let result = file.write_synced(buffer.as_slice(), offset);
        self.alone.push_back(Completion { token, buffer, result });
        Ok(())
    }

    fn wait(&mut self) -> io::Result<Option<Completion>> {
        if let Some(completion) = self.alone.pop_front() {
            return Ok(Some(completion));
        }
        while self.under_way() {
            if let Some(completion) = self.reap()? {
                return Ok(Some(completion));
            }
            match self.ring.submit_and_wait(1) {
                Ok(_) => {}
                Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

impl Drop for UringWriter {
    fn drop(&mut self) {
        while self.under_way() {
            if self.wait().is_err() {
                // The kernel may still read the memory: better lost than freed under it.
                for slot in self.slots.drain(..).flatten() {
                    std::mem::forget(slot);
                }
            }
        }
    }
}

impl std::fmt::Debug for UringWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let under_way = self.slots.iter().flatten().count();
        write!(f, "UringWriter({under_way} of {} under way)", self.slots.len())
    }
}
