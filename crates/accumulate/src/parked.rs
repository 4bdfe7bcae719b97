//! Points that wait for their stream's state, which is on its way from another shard.
//!
//! They are kept as the journal writes them, in the order of their arrival, and are decided on by the ordinary rules when the
//! state is there, or when it is known that there is none. By id, in a tree: it is walked in pieces while points come and go.

use std::collections::BTreeMap;

use shardset_model::{Identity, StreamId};

/// What an entry takes beside its points and attributes, about.
const ENTRY_BYTES: usize = 160;

/// Points that wait, by stream.
#[derive(Clone, Default, Debug)]
pub(crate) struct Parked {
    streams: BTreeMap<StreamId, Waiting>,
    points: u64,
    bytes: usize,
}

/// The points of one stream.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) identity: Identity,
    /// As [`crate::codec::write_point`] writes them, one after another.
    pub(crate) points: Vec<u8>,
    number: u64,
}

/// What waits.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ParkedUse {
    /// Streams.
    pub streams: usize,
    /// Their points.
    pub points: u64,
    /// Bytes of both, about.
    pub bytes: usize,
}

impl Parked {
    pub(crate) fn has(&self, stream: StreamId) -> bool {
        self.streams.contains_key(&stream)
    }

    pub(crate) fn get(&self, stream: StreamId) -> Option<&Waiting> {
        self.streams.get(&stream)
    }

    /// Adds a point to a stream whose points wait; `false` (and no change) where none does and no identity is given.
    pub(crate) fn add(&mut self, stream: StreamId, identity: Option<Identity>, point: &[u8]) -> bool {
        if !self.has(stream) {
            let Some(identity) = identity else { return false };
            self.insert(stream, identity, Vec::new(), 0);
        }
        let Some(waiting) = self.streams.get_mut(&stream) else { return false };
        waiting.points.extend_from_slice(point);
        waiting.number += 1;
        self.points += 1;
        self.bytes += point.len();
        true
    }

    /// Puts a stream's points in the place of those that are known.
    pub(crate) fn replace(&mut self, stream: StreamId, identity: Identity, points: &[u8], number: u64) {
        self.take(stream);
        self.insert(stream, identity, points.to_vec(), number);
    }

    pub(crate) fn take(&mut self, stream: StreamId) -> Option<Waiting> {
        let waiting = self.streams.remove(&stream)?;
        self.points -= waiting.number;
        self.bytes -= waiting.bytes();
        Some(waiting)
    }

    /// The stream after this one in the order of ids.
    pub(crate) fn after(&self, stream: Option<StreamId>) -> Option<(StreamId, &Waiting)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = stream.map_or(Unbounded, Excluded);
        self.streams.range((from, Unbounded)).next().map(|(stream, waiting)| (*stream, waiting))
    }

    pub(crate) fn in_use(&self) -> ParkedUse {
        ParkedUse { streams: self.streams.len(), points: self.points, bytes: self.bytes }
    }

    fn insert(&mut self, stream: StreamId, identity: Identity, points: Vec<u8>, number: u64) {
        let waiting = Waiting { identity, points, number };
        self.points += number;
        self.bytes += waiting.bytes();
        self.streams.insert(stream, waiting);
    }
}

impl Waiting {
    fn bytes(&self) -> usize {
        ENTRY_BYTES + self.identity.attributes.len() + self.points.len()
    }
}
