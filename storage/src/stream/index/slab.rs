//! Values with small numbers that stay theirs until they are removed, and are given out again then.
//!
//! Not here: who keeps the numbers.

/// Numbered values.
#[derive(Debug)]
pub(super) struct Slab<T> {
    values: Vec<Option<T>>,
    /// Numbers that hold nothing.
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { values: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// Keeps a value and gives its number.
    pub(super) fn insert(&mut self, value: T) -> u32 {
        if let Some(number) = self.free.pop()
            && let Some(slot) = self.values.get_mut(number as usize)
        {
            *slot = Some(value);
            return number;
        }
        // Memory is exhausted long before: a value has more than 32 bytes.
        assert!(self.values.len() < u32::MAX as usize, "numbers are 32 bits wide");
        self.values.push(Some(value));
        (self.values.len() - 1) as u32
    }

    pub(super) fn get(&self, number: u32) -> Option<&T> {
        self.values.get(number as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.values.get_mut(number as usize)?.as_mut()
    }

    /// Lets a value go; its number may be given out again.
    pub(super) fn remove(&mut self, number: u32) -> Option<T> {
        let value = self.values.get_mut(number as usize)?.take()?;
        self.free.push(number);
        Some(value)
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.values.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_reused() {
        let mut slab = Slab::default();
        let (one, two) = (slab.insert("one"), slab.insert("two"));
        assert_eq!((one, two, slab.len()), (0, 1, 2));
        assert_eq!(slab.remove(one), Some("one"));
        assert_eq!((slab.remove(one), slab.get(one), slab.len()), (None, None, 1));
        assert_eq!(slab.insert("three"), one);
        assert_eq!((slab.get(one), slab.get(two)), (Some(&"three"), Some(&"two")));
    }
}
