//! OTLP metrics as bytes: check them, walk them, name their streams, split them by shard, read their points.
//!
//! A gateway never builds structs of a request: [`split`] walks its protobuf bytes and frames every point again for the
//! shard that owns it. A worker borrows points from the bytes ([`read`]). Both see the same requests the same way because
//! both stand on one walk, which refuses malformed bytes with what is wrong and where ([`Malformed`]).
//!
//! Pure: no IO, no clock, no randomness.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod attributes;
pub mod identity;
pub mod read;
pub mod split;
mod wire;

pub use wire::{Fault, Malformed};
