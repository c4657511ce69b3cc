//! Reading and writing of fixed-size fields at fixed offsets.
//! Not here: which fields there are.

/// A field: where it is and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// Offset from the start of the structure, in bytes.
    pub(crate) offset: usize,
    /// Size in bytes.
    pub(crate) size: usize,
}

impl Field {
    /// The first field of a structure.
    pub(crate) const fn first(size: usize) -> Self {
        Self { offset: 0, size }
    }

    /// The field right after this one.
    pub(crate) const fn then(self, size: usize) -> Self {
        Self { offset: self.offset + self.size, size }
    }

    /// Where the field ends.
    pub(crate) const fn end(self) -> usize {
        self.offset + self.size
    }

    /// The bytes of the field; none where the structure is too short.
    pub(crate) fn bytes(self, from: &[u8]) -> &[u8] {
        from.get(self.offset..self.end()).unwrap_or_default()
    }

    /// The field as a number of four bytes; 0 where the structure is too short.
    pub(crate) fn u32(self, from: &[u8]) -> u32 {
        self.bytes(from).try_into().map_or(0, u32::from_le_bytes)
    }

    /// The field as a number of eight bytes; 0 where the structure is too short.
    pub(crate) fn u64(self, from: &[u8]) -> u64 {
        self.bytes(from).try_into().map_or(0, u64::from_le_bytes)
    }

    /// The field as a signed number of eight bytes; 0 where the structure is too short.
    pub(crate) fn i64(self, from: &[u8]) -> i64 {
        self.bytes(from).try_into().map_or(0, i64::from_le_bytes)
    }

    /// The field as a number of sixteen bytes; 0 where the structure is too short.
    pub(crate) fn u128(self, from: &[u8]) -> u128 {
        self.bytes(from).try_into().map_or(0, u128::from_le_bytes)
    }

    /// Writes the field. The value has the field's size and the structure is long enough.
    #[expect(clippy::expect_used, reason = "encoders size their buffer by the fields")]
    pub(crate) fn put(self, to: &mut [u8], value: &[u8]) {
        to.get_mut(self.offset..self.end())
            .expect("structure longer than its fields")
            .copy_from_slice(value);
    }
}
