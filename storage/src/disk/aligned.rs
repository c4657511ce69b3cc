//! Memory for direct writes: aligned to the largest logical block of usual disks.
//!
//! # Soundness
//! A buffer owns its allocation from `new` to `drop`; it is zeroed at first, so every byte is always initialised.
//! Not here: who holds it while the kernel reads it (`uring`).

use std::{
    alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error},
    fmt,
    ptr::NonNull,
};

/// Alignment of memory, offset and length of direct writes, in bytes.
pub(crate) const ALIGNMENT: usize = 4096;

/// A block of aligned memory of fixed capacity with a length.
pub(crate) struct AlignedBuffer {
    memory: NonNull<u8>,
    capacity: usize,
    len: usize,
}

impl AlignedBuffer {
    /// Zeroed memory for at least `bytes` (rounded up to the alignment), with a length of 0.
    pub(crate) fn new(bytes: usize) -> Self {
        let capacity = bytes.max(1).next_multiple_of(ALIGNMENT);
        let layout = Self::layout(capacity);
        // SAFETY: the layout has a size above zero.
        let memory = unsafe { alloc_zeroed(layout) };
        let Some(memory) = NonNull::new(memory) else { handle_alloc_error(layout) };
        Self { memory, capacity, len: 0 }
    }

    #[expect(clippy::expect_used, reason = "only a capacity near usize::MAX fails")]
    fn layout(capacity: usize) -> Layout {
        Layout::from_size_align(capacity, ALIGNMENT).expect("capacity within the address space")
    }

    /// Bytes that fit.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes held.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Forgets the content.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds bytes at the end. They must fit.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.capacity - self.len, "buffer overrun");
        let len = self.len;
        self.len += bytes.len();
        self.as_mut_slice().split_at_mut(len).1.copy_from_slice(bytes);
    }

    /// Adds zeros up to the next multiple of the alignment.
    pub(crate) fn pad(&mut self) {
        let len = self.len;
        self.len = len.next_multiple_of(ALIGNMENT);
        self.as_mut_slice().split_at_mut(len).1.fill(0);
    }

    /// The bytes held.
    pub(crate) fn as_slice(&self) -> &[u8] {
        // SAFETY: `len <= capacity`, all of it allocated, initialised and owned by self.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr(), self.len) }
    }

    /// The bytes held, to be changed.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: `len <= capacity`, all of it allocated, initialised and owned by self, which is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.memory.as_ptr(), self.len) }
    }
}

impl fmt::Debug for AlignedBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AlignedBuffer({} of {} bytes)", self.len, self.capacity)
    }
}

impl Drop for AlignedBuffer {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with the same layout, and not freed before.
        unsafe { dealloc(self.memory.as_ptr(), Self::layout(self.capacity)) }
    }
}

// SAFETY: the memory is owned by the buffer alone and has no tie to a thread.
unsafe impl Send for AlignedBuffer {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_aligned_and_padded_with_zeros() {
        let mut buffer = AlignedBuffer::new(5000);
        assert_eq!(buffer.capacity(), 8192);
        assert_eq!(buffer.as_slice().as_ptr() as usize % ALIGNMENT, 0);
        buffer.extend(&[7; 8192]);
        buffer.clear();
        buffer.extend(b"ab");
        buffer.pad();
        assert_eq!(buffer.len(), 4096);
        assert_eq!(buffer.as_slice().first(), Some(&b'a'));
        assert!(buffer.as_slice().iter().skip(2).all(|byte| *byte == 0), "old bytes show");
    }

    #[test]
    #[should_panic(expected = "buffer overrun")]
    fn a_buffer_takes_no_more_than_its_capacity() {
        AlignedBuffer::new(4096).extend(&[0; 4097]);
    }
}
