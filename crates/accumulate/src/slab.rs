//! Values by slot, in chunks of fixed size, so that growing never copies what is there. A chunk without a value has no memory.
//!
//! A new value takes the lowest vacant slot. So which slot is next depends only on which are taken, not on history: a
//! checkpoint that names each value's slot restores the allocator with it.

use std::collections::BTreeSet;

/// Slots per chunk: 128 KiB of streams.
const CHUNK: usize = 1024;

/// Values by slot.
#[derive(Clone, Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Chunk<T>>,
    vacant: BTreeSet<u32>,
    end: u32,
}

/// Some slots that follow each other; none where no value is in them.
#[derive(Clone, Debug)]
struct Chunk<T> {
    slots: Vec<Option<T>>,
    values: usize,
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
        let is_vacant = slot >= self.end || self.vacant.remove(&slot);
        if !is_vacant {
            return false;
        }
        self.vacant.extend(self.end..slot);
        self.end = self.end.max(slot + 1);
        let (chunk, place) = (slot as usize / CHUNK, slot as usize % CHUNK);
        while self.chunks.len() <= chunk {
            self.chunks.push(Chunk { slots: Vec::new(), values: 0 });
        }
        self.chunks[chunk].put(place, value);
        true
    }

    pub(crate) fn remove(&mut self, slot: u32) -> Option<T> {
        let taken = self.chunks.get_mut(slot as usize / CHUNK)?.take(slot as usize % CHUNK)?;
        self.vacant.insert(slot);
        Some(taken)
    }

    #[inline]
    pub(crate) fn get(&self, slot: u32) -> Option<&T> {
        self.chunks.get(slot as usize / CHUNK)?.slots.get(slot as usize % CHUNK)?.as_ref()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.chunks.get_mut(slot as usize / CHUNK)?.slots.get_mut(slot as usize % CHUNK)?.as_mut()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.slots.capacity() * size_of::<Option<T>>()).sum()
    }
}

impl<T> Chunk<T> {
    fn put(&mut self, place: usize, value: T) {
        if self.slots.is_empty() {
            self.slots.reserve_exact(CHUNK);
        }
        while self.slots.len() <= place {
            self.slots.push(None);
        }
        self.slots[place] = Some(value);
        self.values += 1;
    }

    fn take(&mut self, place: usize) -> Option<T> {
        let taken = self.slots.get_mut(place)?.take()?;
        self.values -= 1;
        if self.values == 0 {
            self.slots = Vec::new();
        }
        Some(taken)
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

    #[test]
    fn a_chunk_whose_values_are_gone_has_no_memory_until_one_comes() {
        let mut slab = Slab::new();
        (0..2048_u32).for_each(|slot| assert!(slab.insert_at(slot, slot)));
        let full = slab.bytes();
        (0..1024).for_each(|slot| assert_eq!(slab.remove(slot), Some(slot)));
        assert_eq!((slab.bytes(), slab.len(), slab.end()), (full / 2, 1024, 2048));
        assert_eq!((slab.get(3), slab.next_slot()), (None, 0));
        assert_eq!(slab.remove(3), None);
        assert!(slab.insert_at(5, 5) && !slab.insert_at(5, 6));
        assert_eq!((slab.get(5), slab.get(4), slab.get(6), slab.bytes()), (Some(&5), None, None, full));
    }
}
