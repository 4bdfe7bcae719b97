//! What the operator of a worker chooses, and the limits of what is held.

use std::time::Duration;

use shardset_model::ShardIndex;

/// When what is committed reaches the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// Before the commit returns.
    Fsync,
    /// At most this long after the first commit that is not on the disk yet. A process that dies loses nothing; a machine
    /// that loses power loses up to this much of what was acknowledged.
    Interval(Duration),
}

/// How the state of one shard is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Whose state it is.
    pub shard: ShardIndex,
    /// When commits reach the disk.
    pub durability: Durability,
    /// The length from which a segment takes no further frame. A segment is longer than this by one frame at most.
    pub segment_bytes: u64,
    /// With [`Durability::Interval`], the most bytes that wait to be synced: they are held in memory too, to be written again
    /// where a sync fails. A commit that goes over it syncs.
    pub unsynced_bytes: u64,
    /// How long the log since the last checkpoint gets before the next one is due: as long as that checkpoint, within these
    /// bounds.
    pub log_bytes_min: u64,
    /// The upper bound.
    pub log_bytes_max: u64,
    /// The length from which a file of the cold store takes no further blob once it is synced.
    pub cold_file_bytes: u64,
}

impl Settings {
    /// The defaults: every commit is synced, segments and cold files of 64 MiB, at most 8 MiB unsynced, checkpoints after 16 to
    /// 192 MiB.
    ///
    /// A new segment costs four syncs, some milliseconds; at 40 MB/s of changes that is once in 1.6 s. What lies in a cold
    /// file is moved when half of it is dead, 32 MiB at a time. 16 MiB of log are replayed in a fraction of a second, 192 MiB are
    /// 6 million points of sums, which take about as long as the checkpoint of a million streams before them
    /// (docs/benchmarks.md).
    pub const fn new(shard: ShardIndex) -> Self {
        Self {
            shard,
            durability: Durability::Fsync,
            segment_bytes: 64 << 20,
            unsynced_bytes: 8 << 20,
            log_bytes_min: 16 << 20,
            log_bytes_max: 192 << 20,
            cold_file_bytes: 64 << 20,
        }
    }
}
