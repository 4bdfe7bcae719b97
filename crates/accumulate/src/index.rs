//! From a stream's id to its slot.
//!
//! An entry is a slot and a *tag*, the lower 32 bits of the id's upper half (the lower half of an id decides the shard, so
//! inside one shard it is not spread evenly). Entries stand where their tag says, or in the next free place after it, so a
//! look-up waits for one cache line, and touches no stream before it has one with the same tag. The usual table waits for
//! two lines in different pages and for the stream; over a million streams that was half of the cost of counting a point.
//!
//! Split into tables that grow one at a time, so that no growth stops the shard for milliseconds.

use shardset_model::StreamId;

/// A power of two.
const TABLES: usize = 64;
/// The first of the bits that choose a table: above those of the tag.
const TABLE_SHIFT: u32 = 48;
/// Places of a table at first; a power of two.
const PLACES: usize = 16;

/// Slots by id.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    tables: Vec<Table>,
}

impl Index {
    pub(crate) fn new() -> Self {
        Self { tables: (0..TABLES).map(|_| Table::new()).collect() }
    }

    /// The slot of the stream that `is` says yes to; only streams with the same tag are asked.
    #[inline]
    pub(crate) fn find(&self, id: StreamId, is: impl FnMut(u32) -> bool) -> Option<u32> {
        self.tables[table(id)].find(tag(id), is)
    }

    /// The slot of a stream that has the same tag: with one exception in thousands of millions, the stream's.
    #[inline]
    pub(crate) fn candidate(&self, id: StreamId) -> Option<u32> {
        self.find(id, |_| true)
    }

    /// Adds a stream that is not there.
    pub(crate) fn insert(&mut self, id: StreamId, slot: u32) {
        self.tables[table(id)].insert(Entry::new(tag(id), slot));
    }

    pub(crate) fn remove(&mut self, id: StreamId, slot: u32) {
        self.tables[table(id)].remove(Entry::new(tag(id), slot));
    }

    pub(crate) fn bytes(&self) -> usize {
        self.tables.iter().map(|table| table.places.len() * size_of::<Entry>()).sum()
    }
}

const fn table(id: StreamId) -> usize {
    (id.high64() >> TABLE_SHIFT) as usize % TABLES
}

const fn tag(id: StreamId) -> u32 {
    id.high64() as u32
}

/// A tag and a slot; a free place is 0, so slots are kept as one more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Entry(u64);

impl Entry {
    const FREE: Self = Self(0);

    const fn new(tag: u32, slot: u32) -> Self {
        Self((tag as u64) << 32 | (slot as u64 + 1))
    }

    const fn tag(self) -> u32 {
        (self.0 >> 32) as u32
    }

    const fn slot(self) -> u32 {
        (self.0 as u32).wrapping_sub(1)
    }
}

/// Open addressing with linear probing, at most three quarters full. What is removed leaves no mark: those behind it that
/// it kept from their place move up.
#[derive(Clone, Debug)]
struct Table {
    places: Vec<Entry>,
    taken: usize,
}

impl Table {
    fn new() -> Self {
        Self { places: vec![Entry::FREE; PLACES], taken: 0 }
    }

    #[inline]
    fn find(&self, tag: u32, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut place = self.home(tag);
        loop {
            let entry = self.places[place];
            if entry == Entry::FREE {
                return None;
            }
            if entry.tag() == tag && is(entry.slot()) {
                return Some(entry.slot());
            }
            place = self.next(place);
        }
    }

    fn insert(&mut self, entry: Entry) {
        if (self.taken + 1) * 4 > self.places.len() * 3 {
            self.grow();
        }
        let mut place = self.home(entry.tag());
        while self.places[place] != Entry::FREE {
            place = self.next(place);
        }
        self.places[place] = entry;
        self.taken += 1;
    }

    fn remove(&mut self, entry: Entry) {
        let mut hole = self.home(entry.tag());
        while self.places[hole] != entry {
            if self.places[hole] == Entry::FREE {
                return;
            }
            hole = self.next(hole);
        }
        let mut place = self.next(hole);
        while self.places[place] != Entry::FREE {
            let behind_home = self.distance(self.home(self.places[place].tag()), place);
            if behind_home >= self.distance(hole, place) {
                self.places[hole] = self.places[place];
                hole = place;
            }
            place = self.next(place);
        }
        self.places[hole] = Entry::FREE;
        self.taken -= 1;
    }

    fn grow(&mut self) {
        let places = vec![Entry::FREE; self.places.len() * 2];
        let entries = std::mem::replace(&mut self.places, places);
        self.taken = 0;
        entries.into_iter().filter(|entry| *entry != Entry::FREE).for_each(|entry| self.insert(entry));
    }

    #[inline]
    fn home(&self, tag: u32) -> usize {
        tag as usize & (self.places.len() - 1)
    }

    #[inline]
    fn next(&self, place: usize) -> usize {
        (place + 1) & (self.places.len() - 1)
    }

    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.places.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use shardset_model::StreamId;

    use super::{Entry, Index, Table};

    #[test]
    fn streams_with_one_tag_are_told_apart_by_what_they_are() {
        let id = |low: u64| StreamId::from_digest(u128::from(7_u64) << 64 | u128::from(low));
        let mut index = Index::new();
        (0..3).for_each(|slot| index.insert(id(u64::from(slot)), slot));
        assert_eq!(index.find(id(2), |slot| slot == 2), Some(2));
        assert!(index.candidate(id(9)).is_some(), "a stranger with the same tag");
        index.remove(id(2), 2);
        assert_eq!(index.find(id(2), |slot| slot == 2), None);
        assert_eq!(index.candidate(StreamId::from_digest(8 << 64)), None);
    }

    proptest! {
        #[test]
        fn a_table_holds_what_was_put_in_and_not_taken_out(steps in prop::collection::vec((any::<bool>(), 0..40_u32, 0..8_u32), 0..300)) {
            let mut table = Table::new();
            let mut model = BTreeMap::new();
            for (insert, slot, home) in steps {
                // Few homes at both ends of the table, so that runs are long and wrap.
                let tag = home.wrapping_mul(15) | slot << 16;
                if insert && !model.contains_key(&slot) {
                    model.insert(slot, tag);
                    table.insert(Entry::new(tag, slot));
                } else if !insert && let Some(kept) = model.remove(&slot) {
                    table.remove(Entry::new(kept, slot));
                }
                for slot in 0..40 {
                    let found = model.get(&slot).and_then(|tag| table.find(*tag, |found| found == slot));
                    prop_assert_eq!(found, model.get(&slot).map(|_| slot));
                }
                prop_assert_eq!(table.taken, model.len());
            }
        }
    }
}
