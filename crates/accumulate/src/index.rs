//! From a stream's id to its slot.
//!
//! Split into tables that grow one at a time: a table that doubles looks at the id behind each of its slots, and doing so for
//! all streams at once would stop the shard for tens of milliseconds. Hashes are the upper half of the id: the lower half
//! decides the shard, so inside one shard it is not spread evenly.

use hashbrown::HashTable;
use shardset_model::StreamId;

/// A power of two.
const TABLES: usize = 64;
/// The first of the bits that choose a table: above those that choose a bucket, below those that hashbrown compares by.
const TABLE_SHIFT: u32 = 48;

/// Slots by id.
#[derive(Debug)]
pub(crate) struct Index {
    tables: Vec<HashTable<u32>>,
}

impl Index {
    pub(crate) fn new() -> Self {
        Self { tables: (0..TABLES).map(|_| HashTable::new()).collect() }
    }

    #[inline]
    pub(crate) fn find(&self, id: StreamId, is: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut is = is;
        self.tables[table(id)].find(id.high64(), |slot| is(*slot)).copied()
    }

    /// `id_of` tells the id of a slot that is in the index already.
    pub(crate) fn insert(&mut self, id: StreamId, slot: u32, id_of: impl Fn(u32) -> StreamId) {
        self.tables[table(id)].insert_unique(id.high64(), slot, |slot| id_of(*slot).high64());
    }

    pub(crate) fn remove(&mut self, id: StreamId, slot: u32) {
        if let Ok(found) = self.tables[table(id)].find_entry(id.high64(), |kept| *kept == slot) {
            found.remove();
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.tables.iter().map(HashTable::allocation_size).sum()
    }
}

const fn table(id: StreamId) -> usize {
    (id.high64() >> TABLE_SHIFT) as usize % TABLES
}
