//! Values by slot, in chunks of fixed size, so that growing never copies what is there.
//!
//! A new value takes the lowest vacant slot. So which slot is next depends only on which are taken, not on history: a
//! checkpoint that names each value's slot restores the allocator with it.

use std::collections::BTreeSet;

/// Slots per chunk: 128 KiB of streams.
const CHUNK: usize = 1024;

/// Values by slot.
#[derive(Clone, Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Vec<Option<T>>>,
    vacant: BTreeSet<u32>,
    end: u32,
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { chunks: Vec::new(), vacant: BTreeSet::new(), end: 0 }
    }

    /// One above the highest slot ever taken.
    pub(crate) const fn end(&self) -> u32 {
        self.end
    }

    pub(crate) fn len(&self) -> u32 {
        self.end - self.vacant.len() as u32
    }

    /// The slot that the next value takes.
    pub(crate) fn next_slot(&self) -> u32 {
        self.vacant.first().copied().unwrap_or(self.end)
    }

    /// Puts `value` into a slot; `false` (and no change) where the slot is taken.
    pub(crate) fn insert_at(&mut self, slot: u32, value: T) -> bool {
        while self.end < slot {
            self.vacant.insert(self.end);
            self.grow(None);
        }
        if slot == self.end {
            self.grow(Some(value));
            return true;
        }
        if !self.vacant.remove(&slot) {
            return false;
        }
        self.chunks[slot as usize / CHUNK][slot as usize % CHUNK] = Some(value);
        true
    }

    pub(crate) fn remove(&mut self, slot: u32) -> Option<T> {
        let taken = self.chunks.get_mut(slot as usize / CHUNK)?.get_mut(slot as usize % CHUNK)?.take()?;
        self.vacant.insert(slot);
        Some(taken)
    }

    #[inline]
    pub(crate) fn get(&self, slot: u32) -> Option<&T> {
        self.chunks.get(slot as usize / CHUNK)?.get(slot as usize % CHUNK)?.as_ref()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.chunks.get_mut(slot as usize / CHUNK)?.get_mut(slot as usize % CHUNK)?.as_mut()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.chunks.len() * CHUNK * size_of::<Option<T>>()
    }

    fn grow(&mut self, value: Option<T>) {
        if self.chunks.len() * CHUNK == self.end as usize {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        self.chunks[self.end as usize / CHUNK].push(value);
        self.end += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::Slab;

    #[test]
    fn a_value_takes_the_lowest_vacant_slot_whatever_the_history() {
        let mut slab = Slab::new();
        for value in 0..3000_u32 {
            let slot = slab.next_slot();
            assert!(slab.insert_at(slot, value));
            assert_eq!(slot, value);
        }
        assert_eq!(slab.remove(2999), Some(2999));
        assert_eq!(slab.remove(7), Some(7));
        assert_eq!(slab.remove(7), None);
        assert_eq!((slab.next_slot(), slab.len()), (7, 2998));
        assert!(!slab.insert_at(8, 0), "8 is taken");
        assert!(slab.insert_at(5000, 1));
        assert_eq!((slab.next_slot(), slab.end(), slab.len()), (7, 5001, 2999));
        assert_eq!(slab.get(5000), Some(&1));
        assert_eq!(slab.get(6000), None);
    }
}
