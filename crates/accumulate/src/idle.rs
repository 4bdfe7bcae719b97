//! Streams that were silent for long: out of memory, but for where they are kept.
//!
//! What is left here of such a stream is what decides about it: when it is to be forgotten, and the newest time that it counted. The
//! rest is bytes of [`crate::Streams::encode_stream`] at a [`Place`], which only whoever keeps them can read. By id, in a tree: it
//! is walked in pieces, and asked only about streams that are not in memory.

use std::collections::BTreeMap;

use shardset_model::StreamId;

/// Where a stream is kept. Means something to whoever keeps it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// The number of a file.
    pub file: u32,
    /// An offset in it.
    pub offset: u64,
    /// How many bytes.
    pub length: u32,
}

/// One stream that is kept elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Idle {
    pub(crate) place: Place,
    /// The newest time that was counted, in ns.
    pub(crate) newest: u64,
    /// When the last point that counted arrived, in seconds since the Unix epoch.
    pub(crate) counted_at: u32,
}

/// The streams that are kept elsewhere, by id.
#[derive(Clone, Default, Debug)]
pub(crate) struct IdleStreams {
    streams: BTreeMap<StreamId, Idle>,
    /// Places that are of no use any more.
    released: Vec<Place>,
}

impl IdleStreams {
    pub(crate) fn get(&self, stream: StreamId) -> Option<&Idle> {
        self.streams.get(&stream)
    }

    pub(crate) fn len(&self) -> usize {
        self.streams.len()
    }

    pub(crate) fn put(&mut self, stream: StreamId, idle: Idle) {
        let before = self.streams.insert(stream, idle);
        self.released.extend(before.map(|before| before.place).filter(|place| *place != idle.place));
    }

    pub(crate) fn take(&mut self, stream: StreamId) -> Option<Idle> {
        let idle = self.streams.remove(&stream)?;
        self.released.push(idle.place);
        Some(idle)
    }

    /// The stream after this one in the order of ids.
    pub(crate) fn after(&self, stream: Option<StreamId>) -> Option<(StreamId, &Idle)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = stream.map_or(Unbounded, Excluded);
        self.streams.range((from, Unbounded)).next().map(|(stream, idle)| (*stream, idle))
    }

    pub(crate) fn take_released(&mut self) -> Vec<Place> {
        std::mem::take(&mut self.released)
    }
}
