//! The `shardset` binary.
fn main() {}
