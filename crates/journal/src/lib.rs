//! The durable state of one worker: a log of what its shard changed, checkpoints in it, and a store of idle streams.
//!
//! A [`Journal`] keeps payloads in order. A payload is bytes that the caller makes and understands (changes of
//! `shardset-accumulate`); nothing here looks into it. What [`Journal::commit`] answers with is the receipt without which a
//! worker can tell nobody anything. Recovery ([`Journal::open`], then [`Opening::replay`]) gives back exactly the payloads
//! that were committed, plus at most the one that was being committed when the process died, or says what is damaged.
//!
//! A log of its own, and not raft-engine, fjall, redb or another store. The access pattern is trivial: append, sync, read all
//! at the start, so an index, a memtable or a tree would be carried and never used. Key-value stores reached 0.07 to 0.4 M
//! records/s where a log of compact records reached 12 M on the same disk. A checkpoint mixed with changes in one order is what
//! makes recovery simple, and none of them has it. And none of them can be run over a simulated disk ([`Storage`]), where
//! every crash and every failed operation is tried; that is what the promise above rests on.
//!
//! What is not here: when to commit, and when to write a checkpoint (the caller's policy); time and chance (arguments);
//! threads (one shard, one thread: every call blocks it until the disk answers; only a replay may have one that reads ahead).
//!
//! # With `Durability::Interval`
//!
//! A commit is then written and synced later, at most one interval. Losing power loses what was not synced: the end of the log,
//! never something in the middle. A process that dies loses nothing. Where a sync fails, what waited is still in memory
//! (at most `Settings::unsynced_bytes`), and the next commit writes it again into a new segment, before its own frame;
//! until that succeeds, it would be lost with the power, or where the process dies, if the system has thrown it away.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod checkpoint;
mod cold;
mod error;
mod format;
mod journal;
mod manifest;
mod name;
mod opening;
mod replay;
mod segment;
mod settings;
mod statistics;
pub mod storage;
mod window;

pub use cold::{ColdStore, Location};
pub use error::{ColdError, CommitError, Damage, FileError, OpenError, ReplayError};
pub use journal::Journal;
pub use opening::Opening;
pub use replay::Frame;
pub use settings::{Durability, Settings};
pub use statistics::Statistics;
pub use storage::{Disk, Storage};
