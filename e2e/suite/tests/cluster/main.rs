//! Shardset on a real cluster.
#![cfg(feature = "cluster")]

mod scale;
