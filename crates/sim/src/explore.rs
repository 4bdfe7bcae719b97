//! The model checker: every order of steps of a small cluster, not the ones that chance comes to.
//!
//! Workers are the same [`shardset_handoff::Shard`]s. A step is what one of them does with one message, made durable at once:
//! crashes within a commit are the simulator's. Messages are answered, or arrive and their answer is lost, or are lost, or come
//! late, after anything else; a bounded number of them is late at a time. What a state is, is the bytes that its parts write;
//! two states of the same bytes are one.
//!
//! Asked of every state: one owner, conservation, no going back. And of all of them together: from each there is a way to the
//! end of the move. That is more than that the end is reached once, and what "the move ends when faults stop" means.
//!
//! Not `stateright`: it brings second versions of four crates and an HTTP server, and checks on threads of its own, where a rule
//! that was taken out on this one holds. A search is a queue and a set.

mod cluster;
mod expected;
mod search;
mod step;

use std::fmt;

use shardset_model::ShardCount;

pub use self::search::{Checked, explore};

/// What is explored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scope {
    /// How many shards there are, and then one wish after another.
    pub shards: Vec<u32>,
    /// How many workers may lose what is not durable.
    pub crashes: u32,
    /// How many disks may be lost.
    pub lost_disks: u32,
    /// A worker that the user gives up in the first move.
    pub given_up: Option<u32>,
    /// A worker that reaches no backend.
    pub silent: Option<u32>,
    /// Messages that may be late at a time.
    pub late: usize,
    /// Points that are sent of the stream that moves, by one gateway and the other in turn; at most two.
    pub points: usize,
    /// Whether the stream that moves has no point yet.
    pub begins_empty: bool,
    /// The most states that are looked at.
    pub states_max: usize,
}

impl Scope {
    /// One move between two numbers of shards, with one late message and no fault.
    pub fn of(from: u32, to: u32) -> Self {
        Self {
            shards: vec![from, to],
            crashes: 0,
            lost_disks: 0,
            given_up: None,
            silent: None,
            late: 1,
            points: 2,
            begins_empty: false,
            states_max: 3_000_000,
        }
    }

    fn counts(&self) -> impl Iterator<Item = ShardCount> {
        self.shards.iter().map(|shards| ShardCount::new(*shards).expect("a small cluster has shards"))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shards: Vec<String> = self.shards.iter().map(ToString::to_string).collect();
        write!(
            f,
            "{}, {} crashes, {} lost disks, {} late",
            shards.join("->"),
            self.crashes,
            self.lost_disks,
            self.late
        )?;
        self.given_up.iter().try_for_each(|worker| write!(f, ", w{worker} given up"))?;
        self.silent.iter().try_for_each(|worker| write!(f, ", w{worker} silent"))
    }
}
