//! Split.
use shardset_model::{ShardCount, ShardIndex};
use shardset_placement::RoutingKey;

use crate::Malformed;

/// Splits requests by the shard that owns each point. Keep one and use it again: it pools its buffers.
#[derive(Default, Debug)]
pub struct Splitter {}

impl Splitter {
    /// A splitter without buffers yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Splits `request`, the bytes of an `ExportMetricsServiceRequest`.
    ///
    /// # Errors
    ///
    /// What is malformed and where; then nothing is output.
    pub fn split<'s>(
        &'s mut self,
        _request: &'s [u8],
        _key: &RoutingKey,
        _shards: ShardCount,
    ) -> Result<Split<'s>, Malformed> {
        unimplemented!("comes with the walker")
    }
}

/// A request, split by shard. The parts live in the splitter until its next request.
#[derive(Debug)]
pub struct Split<'s> {
    parts: &'s [Part<'s>],
}

impl Split<'_> {
    /// One part for each shard that owns at least one point, in the order of shards.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        self.parts.iter().copied()
    }

    /// Points of the whole request.
    pub fn points(&self) -> u64 {
        0
    }

    /// Points that were routed by their resource because it has no `service.name` (routing key `service`).
    pub fn points_without_service(&self) -> u64 {
        0
    }
}

/// What goes to one shard.
#[derive(Clone, Copy, Debug)]
pub struct Part<'s> {
    /// The shard.
    pub shard: ShardIndex,
    /// An `ExportMetricsServiceRequest`. The concatenation of several such messages is one, too.
    pub bytes: &'s [u8],
    /// Number of points in it; at least one.
    pub points: u64,
    /// Number of top-level `ResourceMetrics` in it: tells whose points a worker refused after parts were concatenated.
    pub resources: u32,
}
