//! What workers and the coordinator say to each other.
//!
//! Nothing here is an instruction that works once: each message may be lost, repeated or late, and its answer says how things
//! stand at whoever answers.
//!
//! What a sender has for a receiver is in one order, and a place in it is a *position*: 0 are the remains of forgotten streams,
//! `1 + slot` is the stream in that slot, and from 2^32 on come the streams that are not in memory, in the order of their ids.
//! Streams that are on their way stay where they are and as they are, so a position means the same over restarts and whatever
//! the size of chunks.

use shardset_model::{Incarnation, Membership, ShardIndex};

/// From a sender to a receiver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Who sends.
    pub from: ShardIndex,
    /// The life of the sender's disk.
    pub sender: Incarnation,
    /// To whom.
    pub to: ShardIndex,
    /// The life of the receiver's disk, where the sender knows it. To another one the message says nothing.
    pub receiver: Option<Incarnation>,
    /// The membership by which the streams move.
    pub membership: Membership,
    /// What it is about.
    pub progress: Progress,
}

/// What a message is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Progress {
    /// How far has the receiver come?
    Ask,
    /// What stands from one position to another.
    Chunk {
        /// The first position.
        position: u64,
        /// The position after the last.
        next: u64,
        /// Streams and remains; their format stands in `record`.
        items: Vec<u8>,
    },
    /// There is nothing from this position on.
    Complete {
        /// The position.
        position: u64,
    },
}

/// How things stand at the receiver of a [`Message`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// The life of the sender's disk that the message came from.
    pub sender: Incarnation,
    /// The life of the receiver's disk.
    pub receiver: Incarnation,
    /// Its membership; none while its disk is new and nobody told it.
    pub membership: Option<Membership>,
    /// It has everything from this sender up to this position, durably.
    pub through: u64,
    /// It knows that there is nothing more.
    pub completed: bool,
}

/// From the coordinator to a worker: this is the membership. Answered with a [`Report`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Adopt {
    /// The life of the disk that it is for. Another one did not hear it.
    pub incarnation: Incarnation,
    /// The membership.
    pub membership: Membership,
    /// The lives of all disks that the coordinator knows.
    pub incarnations: Vec<(ShardIndex, Incarnation)>,
}

/// How things stand at a worker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// Which shard it serves.
    pub shard: ShardIndex,
    /// The life of its disk.
    pub incarnation: Incarnation,
    /// Its membership; none while its disk is new and nobody told it.
    pub membership: Option<Membership>,
    /// Streams that it counts, or keeps the totals of, in memory or not.
    pub streams: u64,
    /// Those of them that are not in memory, because they were silent for long.
    pub idle: u64,
    /// Streams that it has no more and still drops from memory.
    pub leftovers: u64,
    /// Points that wait for their streams.
    pub parked_points: u64,
    /// Bytes of them.
    pub parked_bytes: u64,
    /// What it sends in the present move.
    pub sending: Vec<Sending>,
    /// What it receives in the present move.
    pub receiving: Vec<Reception>,
}

/// How far one worker has come with sending to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sending {
    /// To whom.
    pub to: ShardIndex,
    /// To which life of its disk; none until it has answered.
    pub receiver: Option<Incarnation>,
    /// Streams sent, and known to be durable there.
    pub sent: u64,
    /// Streams to send.
    pub total: u64,
    /// Whether the receiver knows that there is nothing more.
    pub completed: bool,
}

/// How far one worker has come with receiving from another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reception {
    /// From whom.
    pub from: ShardIndex,
    /// Whether everything has come.
    pub completed: bool,
}

impl Report {
    /// Whether nothing of an earlier move is left to do here, so that the next one may begin.
    pub fn is_settled(&self) -> bool {
        self.leftovers == 0 && self.parked_points == 0
    }
}
