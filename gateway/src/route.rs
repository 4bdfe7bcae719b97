//! Identify and route: a request's bytes become one part for each shard that owns some of its points.
//!
//! Splitters keep their buffers from request to request; there is one for each thread that splits at the same time, handed
//! out from a list whose lock is held for a push or a pop.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use shardset_model::{Membership, ShardCount, ShardIndex};
use shardset_otlp::Malformed;
use shardset_otlp::split::{Part, Splitter};

/// Above this many bytes a split takes milliseconds, and the runtime is told that this thread is busy.
const LONG_SPLIT_BYTES: usize = 4 << 20;

/// What a request asks of one shard.
#[derive(Clone, Debug)]
pub struct Routed {
    /// Whose it is.
    pub shard: ShardIndex,
    /// A valid `ExportMetricsServiceRequest`.
    pub bytes: Bytes,
    /// Top-level `ResourceMetrics` in it.
    pub resources: u32,
    /// Points in it.
    pub points: u64,
}

/// A request, taken apart.
#[derive(Clone, Debug, Default)]
pub struct RoutedRequest {
    /// One part for each shard that owns some of it.
    pub parts: Vec<Routed>,
    /// Points in all of them.
    pub points: u64,
    /// Points that were routed by their resource because it names no service (routing key `service`).
    pub points_without_service: u64,
}

/// Splits requests, each under the membership it comes with.
#[derive(Debug, Default)]
pub struct Router {
    splitters: Mutex<Vec<Splitter>>,
}

impl Router {
    /// Splits `request` by the routing key of `membership` among its shards.
    ///
    /// # Errors
    ///
    /// What of it is malformed, and where.
    pub fn route(&self, request: &Bytes, membership: &Membership) -> Result<RoutedRequest, Malformed> {
        if request.len() > LONG_SPLIT_BYTES {
            tokio::task::block_in_place(|| self.split(request, membership))
        } else {
            self.split(request, membership)
        }
    }

    fn split(&self, request: &Bytes, membership: &Membership) -> Result<RoutedRequest, Malformed> {
        let mut splitter = self.splitters().pop().unwrap_or_default();
        let shards = membership.shards();
        let routed = splitter.split(request, membership.routing(), shards).map(|split| RoutedRequest {
            parts: split.parts().map(|part| of_shard(request, part, shards)).collect(),
            points: split.points(),
            points_without_service: split.points_without_service(),
        });
        self.splitters().push(splitter);
        routed
    }

    fn splitters(&self) -> std::sync::MutexGuard<'_, Vec<Splitter>> {
        // A list of buffers is whole between any two statements.
        self.splitters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One shard owns all of it: the request goes on as it is. Otherwise the part is copied out of the splitter's buffer.
fn of_shard(request: &Bytes, part: Part<'_>, shards: ShardCount) -> Routed {
    let bytes = if shards == ShardCount::ONE { request.clone() } else { Bytes::copy_from_slice(part.bytes) };
    Routed { shard: part.shard, bytes, resources: part.resources, points: part.points }
}
