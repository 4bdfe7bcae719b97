//! The shard, event by event.
