//! Where a stream lives: routing key -> 64 bits -> shard.
//!
//! A shard is an ordinal, so placement is a pure function of a key and the number of shards: no ring, no addresses, no
//! table. A restart in place moves nothing, growth from n to n + 1 moves 1 / (n + 1) of the keys and only to the new
//! shard, shrinking is the exact inverse.
//!
//! What the 64 bits of a point are under each routing key is decided in `shardset_otlp::route`, which sees the points.
//!
//! Pure: no IO, no clock, no randomness.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod owner;

pub use owner::owner;
