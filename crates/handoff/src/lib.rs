//! The protocol by which streams change owners: who may count what, when streams move, and when a move is over.
//!
//! ```text
//!                    membership e+1, Moving                      membership e+1, Stable
//! old owner   counts ──▶ keeps, sends in chunks, Complete ─────────────▶ drops
//! new owner          ──▶ parks points until the state is there, counts ─▶ counts
//! ```
//!
//! [`Shard`] is one worker's side: its streams, its membership and its place in a move. It changes by calls that append what
//! was done to a journal's changes; what may be told to others comes [sealed](shardset_model::Sealed), and only the receipt of
//! a commit opens it. After a crash the same calls are done again from the journal ([`Shard::replay`]). [`plan`] is the
//! other side: what whoever owns the membership (the operator, `shardset scale`) does next, given what the workers report.
//!
//! Three things keep it small. A stream's owner is a function of the membership, so "who moves where" is never stored. A
//! receiver says how far it has come, so a sender remembers nothing durably. And every message may be lost, repeated, or come
//! late: it is answered with how things stand.
//!
//! Pure: time is an argument, nothing is sent or written here.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod coordinate;
mod fence;
mod message;
mod peers;
mod record;
mod rule;
mod shard;

pub use coordinate::{Observed, Step, Waiting, Wish, plan};
pub use fence::{Fenced, Verdict};
pub use message::{Adopt, Message, Progress, Reception, Reply, Report, Sending};
pub use peers::{members, owner, receivers, senders};
pub use record::BadRecord;
#[cfg(feature = "mutations")]
pub use rule::without;
pub use rule::{Rule, holds};
pub use shard::{Adopted, Checkpoint, Limits, Shard, SlotChange, Source, Taken};
