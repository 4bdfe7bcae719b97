//! A worker: counts the streams of one shard and tells destinations their totals.
//!
//! The street is admit -> accumulate -> persist -> export, composed in `pipeline`. What counts and what a total is stands in
//! `shardset_accumulate`; what a total is called stands in `shardset_remote_write`; this crate is the shell that gives them
//! a thread, a clock, files and sockets, and keeps the order between them: durable before answered, delivered before done.
//!
//! Boundary: does not watch memberships and hands no streams over.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod admit;
mod export;
mod metrics;
pub mod persist;
mod pipeline;
pub mod scrape;
mod settings;
mod shard;

pub use admit::Fenced;
pub use export::{CHUNKS_IN_FLIGHT_MAX, ExportTo};
pub use metrics::Metrics;
pub use pipeline::{Process, Setup, StartError, StopError, Worker};
pub use settings::Settings;
