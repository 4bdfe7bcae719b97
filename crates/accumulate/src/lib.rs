//! Delta to cumulative: the streams of one shard, what each has counted, and how long each lives.
//!
//! [`Streams::apply`] decides about a point without changing anything, then changes the stream by the same functions that
//! [`Streams::replay`] uses. So a journal holds what was done, not what was asked: replaying it never decides again, and
//! settings that changed in between can not lose a point that was acknowledged.
//!
//! Does no IO and reads no clock: time is an argument. It knows neither names of series nor destinations; those come and
//! read totals by slot ([`Streams::get`]), and learn what is new to them from generations ([`Streams::begin_pass`]).
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod applied;
mod codec;
mod contexts;
mod exemplars;
mod exponential;
mod histogram;
mod idle;
mod index;
mod memory;
mod number;
mod parked;
mod record;
mod settings;
mod slab;
mod state;
mod statistics;
mod streams;
mod tombstones;
mod validate;

pub use applied::{Applied, Effect, Outcome, Swept};
pub use codec::{Change, Corrupt};
pub use contexts::Contexts;
pub use idle::Place;
pub use parked::ParkedUse;
pub use record::Stream;
pub use settings::{Settings, Writers};
pub use streams::{GROUP, Gathered, Group, MemoryUse, Replay, Streams};
