//! Who takes part, and when things happen.

use std::fmt;

use shardset_model::ShardIndex;

/// Microseconds since the beginning of a run.
pub(crate) type Time = u64;

/// A millisecond.
pub(crate) const MS: Time = 1_000;
/// A second.
pub(crate) const SECOND: Time = 1_000_000;

/// A part of the cluster.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Node {
    Worker(ShardIndex),
    Gateway(usize),
    Client(usize),
    Coordinator(usize),
    Api,
    Backend,
    /// What happens to all of them.
    World,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Worker(shard) => format!("w{shard}"),
            Self::Gateway(number) => format!("g{number}"),
            Self::Client(number) => format!("c{number}"),
            Self::Coordinator(number) => format!("o{number}"),
            Self::Api => "api".to_owned(),
            Self::Backend => "tsdb".to_owned(),
            Self::World => "*".to_owned(),
        };
        f.pad(&text)
    }
}
