//! A worker: counts the streams of one shard and tells destinations their totals.
//!
//! The street is admit -> accumulate -> persist -> export, composed in `pipeline`. What counts and what a total is stands in
//! `shardset_accumulate`; what a total is called stands in `shardset_export`; this crate is the shell that gives them
//! a thread, a clock, files and sockets, and keeps the order between them: durable before answered, delivered before done.
//!
//! In a move it gives streams to their new owners and takes those that come (`handoff`); the rules are `shardset_handoff`'s.
//!
//! Boundary: does not watch memberships: gateways and the coordinator tell them.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod addressed;
mod admit;
mod export;
mod handoff;
mod metrics;
mod persist;
mod pipeline;
pub mod scrape;
mod settings;
mod shard;

pub use export::{CHUNKS_IN_FLIGHT_MAX, ExportTo};
pub use handoff::{Handle, Unanswered};
pub use metrics::Metrics;
pub use pipeline::{Process, Setup, StartError, StopError, Worker};
pub use settings::Settings;
pub use shard::RecoverError;
pub use shardset_journal::Durability;
