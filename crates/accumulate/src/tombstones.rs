//! What is left of forgotten streams: up to which time their points were counted.
//!
//! A point that is sent again after its stream was forgotten must not begin the stream anew. So the floor stays for as long
//! as a counted point is remembered.

use std::collections::VecDeque;

use hashbrown::HashTable;
use shardset_model::{StreamId, UnixNanos};

use crate::codec::Change;

/// One forgotten stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tombstone {
    pub(crate) stream: StreamId,
    /// The newest time that was counted.
    pub(crate) floor: u64,
    /// When it was forgotten, in seconds since the Unix epoch.
    pub(crate) since: u32,
}

impl Tombstone {
    /// What a journal holds of it.
    pub(crate) const fn change(&self) -> Change<'static> {
        Change::Buried { stream: self.stream, floor: UnixNanos(self.floor), since: self.since }
    }
}

/// Forgotten streams, in the order of forgetting.
#[derive(Clone, Default, Debug)]
pub(crate) struct Tombstones {
    table: HashTable<Tombstone>,
    order: VecDeque<(StreamId, u32)>,
}

impl Tombstones {
    /// The floor of a stream that was forgotten within the window; 0 of any other.
    pub(crate) fn floor(&self, stream: StreamId, now: u32, window: u32) -> u64 {
        self.table
            .find(stream.high64(), |kept| kept.stream == stream)
            .filter(|kept| !is_over(kept.since, now, window))
            .map_or(0, |kept| kept.floor)
    }

    pub(crate) fn bury(&mut self, tombstone: Tombstone) {
        self.raise(tombstone.stream);
        self.table.insert_unique(tombstone.stream.high64(), tombstone, |kept| kept.stream.high64());
        self.order.push_back((tombstone.stream, tombstone.since));
    }

    /// Removes a stream that lives again.
    pub(crate) fn raise(&mut self, stream: StreamId) {
        if let Ok(found) = self.table.find_entry(stream.high64(), |kept| kept.stream == stream) {
            found.remove();
        }
    }

    /// Removes those whose window is over.
    pub(crate) fn drop_expired(&mut self, now: u32, window: u32) {
        while let Some((stream, since)) = self.order.front().copied()
            && is_over(since, now, window)
        {
            self.order.pop_front();
            let same = |kept: &Tombstone| kept.stream == stream && kept.since == since;
            if let Ok(found) = self.table.find_entry(stream.high64(), same) {
                found.remove();
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Tombstone> {
        let found = |(stream, since): &(StreamId, u32)| {
            self.table.find(stream.high64(), |kept| kept.stream == *stream && kept.since == *since).copied()
        };
        self.order.iter().filter_map(found)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.table.allocation_size() + self.order.capacity() * size_of::<(StreamId, u32)>()
    }
}

const fn is_over(since: u32, now: u32, window: u32) -> bool {
    now.saturating_sub(since) > window
}
