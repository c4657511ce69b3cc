//! Open files, synced writes and the lock of the simulated disk.
//! Not here: what a crash does to them (`simulated`).

use super::{
    AlignedBuffer, Completion, DiskFile, FileMap, SyncedWriter,
    simulated::{SimulatedDisk, failed},
    simulated_names::FileNumber,
};
use bytes::Bytes;
use std::{io, sync::Arc};

/// A synced write that is under way.
#[derive(Debug)]
pub(super) struct UnderWay {
    pub(super) token: u64,
    pub(super) file: FileNumber,
    pub(super) offset: u64,
    pub(super) buffer: AlignedBuffer,
}

/// The lock of a simulated directory.
pub(super) struct SimulatedLock {
    pub(super) disk: SimulatedDisk,
}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        self.disk.state().locked = false;
    }
}

/// An open file of the simulated disk.
#[derive(Debug)]
pub(super) struct SimulatedFile {
    pub(super) disk: SimulatedDisk,
    pub(super) number: FileNumber,
}

impl DiskFile for SimulatedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        state.reading()?;
        let content = state.content(self.number)?;
        if content.is_rotten(offset, buffer.len() as u64) {
            return Err(rustix::io::Errno::IO.into());
        }
        let count = content.read(buffer, offset);
        state.bytes_read += count as u64;
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.state().write(self.number, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.state().sync(self.number)
    }

    fn len(&self) -> io::Result<u64> {
        let mut state = self.disk.state();
        state.power()?;
        Ok(state.content(self.number)?.len())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let on = state.operation(b't', len)?;
        if state.fails() {
            return Err(failed());
        }
        state.content(self.number)?.truncate(len);
        if on { Ok(()) } else { state.power() }
    }

    fn preallocate(&self, _offset: u64, _len: u64) -> io::Result<()> {
        Ok(())
    }

    fn map(&self) -> io::Result<Box<dyn FileMap>> {
        let mut state = self.disk.state();
        state.reading()?;
        let content = state.content(self.number)?;
        let mut bytes = vec![0; content.len() as usize];
        content.read(&mut bytes, 0);
        state.bytes_read += bytes.len() as u64;
        let (disk, number) = (self.disk.clone(), self.number);
        Ok(Box::new(SimulatedMap { file: Self { disk, number }, bytes: bytes.into() }))
    }

    fn descriptor(&self) -> Option<i32> {
        // The writer below gets its file number this way.
        i32::try_from(self.number).ok()
    }
}

/// A file as memory, as it was when it was mapped.
#[derive(Debug)]
struct SimulatedMap {
    file: SimulatedFile,
    bytes: Bytes,
}

impl FileMap for SimulatedMap {
    fn read(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        let mut state = self.file.disk.state();
        // A file that was removed is not touched by damage any more.
        let content = state.content(self.file.number);
        if content.is_ok_and(|content| content.is_rotten(offset, len as u64)) {
            return Err(rustix::io::Errno::FAULT.into());
        }
        self.bytes.read(offset, len)
    }
}

/// Synced writes that complete in any order.
#[derive(Debug)]
pub(super) struct SimulatedWriter {
    pub(super) disk: SimulatedDisk,
    pub(super) depth: usize,
}

impl SyncedWriter for SimulatedWriter {
    fn method(&self) -> &'static str {
        "simulated"
    }

    fn submit(
        &mut self,
        token: u64,
        file: &Arc<dyn DiskFile>,
        offset: u64,
        buffer: AlignedBuffer,
    ) -> io::Result<()> {
        let mut state = self.disk.state();
        assert!(state.under_way.len() < self.depth, "more writes under way than asked for");
        let number = file.descriptor().and_then(|number| usize::try_from(number).ok());
        let file = number.ok_or(io::ErrorKind::NotFound)?;
        let on = state.operation(b'j', offset)?;
        if state.fails() {
            return Err(failed());
        }
        state.under_way.push(UnderWay { token, file, offset, buffer });
        if on { Ok(()) } else { state.power() }
    }

    fn wait(&mut self) -> io::Result<Option<Completion>> {
        let mut guard = self.disk.state();
        let state = &mut *guard;
        state.power()?;
        if state.under_way.is_empty() {
            return Ok(None);
        }
        if !state.operation(b'k', 0)? {
            state.power()?;
        }
        let index = state.random.below(state.under_way.len() as u64) as usize;
        let UnderWay { token, file, offset, buffer } = state.under_way.swap_remove(index);
        if std::mem::take(&mut state.fail_sync) | state.fails() {
            return Ok(Some(Completion { token, buffer, result: Err(failed()) }));
        }
        state.content(file)?.write_durable(buffer.as_slice(), offset);
        Ok(Some(Completion { token, buffer, result: Ok(()) }))
    }
}
