//! One worker's side of the protocol: its streams, its membership, and its place in a move.
//!
//! Every call that changes something appends what was done to `changes`; the caller commits them before anything that follows
//! is told. What a call decides is a function of the state and its arguments, and the same functions are called when a
//! journal is replayed.
//!
//! A stream that leaves stays in its slot, marked *away*, until the move is over: it can be sent again at any time, and nothing
//! has to be copied in the moment of the change. Its place in the order of sending is its slot.

mod adopt;
mod checkpoint;
mod place;
mod receive;
mod replay;
mod report;
mod rest;
mod send;
mod settle;

use std::collections::BTreeMap;

use shardset_accumulate::Streams;
use shardset_model::{Incarnation, Membership, Phase, ShardIndex, StreamId, UnixMillis};

pub use self::adopt::{Adopted, Source};
pub use self::checkpoint::Checkpoint;
pub use self::place::Taken;
use self::send::Outgoing;
use crate::fence::{Verdict, fence};
use crate::record::{Received, Record};

/// How much a move may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of points that wait for their streams. One request may go beyond it by what it brings.
    pub parked_bytes: usize,
    /// Bytes of a chunk, but for its last stream. A receiver installs it in one go, some µs per stream.
    pub chunk_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { parked_bytes: 64 << 20, chunk_bytes: 512 << 10 }
    }
}

/// A stream took a slot, or left it, other than by a point that was counted: names and labels go by slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SlotChange {
    /// A stream is there now.
    Entered(u32),
    /// The slot is vacant now.
    Left(u32),
}

/// The state of one shard at its worker.
#[derive(Clone, Debug)]
pub struct Shard {
    index: ShardIndex,
    incarnation: Incarnation,
    limits: Limits,
    membership: Option<Membership>,
    streams: Streams,
    /// By receiver, while streams move.
    outgoing: BTreeMap<ShardIndex, Outgoing>,
    /// By receiver, while streams move: the first life of its disk that streams may have been sent to.
    sent_first: BTreeMap<ShardIndex, Incarnation>,
    /// By sender, while streams move; none for a sender that has said nothing yet.
    received: BTreeMap<ShardIndex, Received>,
    /// Slots of streams that left in a move that is over.
    leftovers: Vec<u32>,
    /// Streams that left in a move that is over and are not in memory.
    idle_leftovers: Vec<StreamId>,
    /// Where deciding on points that waited goes on.
    unparked: Option<StreamId>,
    /// No sample was told after this time.
    latest: UnixMillis,
    slot_changes: Vec<SlotChange>,
}

impl Shard {
    /// A shard with an empty disk of this incarnation: it has no epoch yet.
    pub fn new(index: ShardIndex, incarnation: Incarnation, streams: Streams, limits: Limits) -> Self {
        Self {
            index,
            incarnation,
            limits,
            membership: None,
            streams,
            outgoing: BTreeMap::new(),
            sent_first: BTreeMap::new(),
            received: BTreeMap::new(),
            leftovers: Vec::new(),
            idle_leftovers: Vec::new(),
            unparked: None,
            latest: UnixMillis(0),
            slot_changes: Vec::new(),
        }
    }

    /// Which shard it is.
    pub const fn index(&self) -> ShardIndex {
        self.index
    }

    /// The life of its disk.
    pub const fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// The membership it works by.
    pub const fn membership(&self) -> Option<&Membership> {
        self.membership.as_ref()
    }

    /// Its streams, those that are away included.
    pub const fn streams(&self) -> &Streams {
        &self.streams
    }

    /// Its streams, to count points of known ones and to note what was told of them. Streams do not come and go this way.
    pub const fn streams_mut(&mut self) -> &mut Streams {
        &mut self.streams
    }

    /// Whether a request that was routed by `theirs` may be counted.
    pub fn fence(&self, theirs: Option<&Membership>) -> Verdict {
        fence(self.membership.as_ref(), theirs)
    }

    /// Whether streams move.
    pub fn is_moving(&self) -> bool {
        self.membership.as_ref().is_some_and(|membership| membership.phase() == Phase::Moving)
    }

    /// No sample was told after this time, by earlier lives of the worker either.
    pub const fn latest(&self) -> UnixMillis {
        self.latest
    }

    /// A sample of this time is about to be told. To be durable before it is.
    pub fn stamp(&mut self, time: UnixMillis, changes: &mut Vec<u8>) {
        if time > self.latest {
            self.latest = time;
            Record::Stamped { latest: time }.write(changes);
        }
    }

    /// Which slots changed hands since this was last asked.
    pub fn take_slot_changes(&mut self) -> Vec<SlotChange> {
        std::mem::take(&mut self.slot_changes)
    }
}

#[cfg(test)]
mod tests;
