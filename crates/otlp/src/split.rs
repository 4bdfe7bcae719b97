//! A request, split by the shard that owns each point.
//!
//! Each shard's part is a request of its own: the points' bytes as they came, in frames that repeat the resource, scope
//! and metric that they stand in, with every field, known or not. Messages that hold no point for a shard are left out of
//! its part. A part can be joined to another by plain concatenation, because `ResourceMetrics` are repeated: that is how
//! a gateway merges the parts of many requests.
//!
//! The length of a frame is not known when it is opened, so it is written as four bytes of varint, padded, and filled in
//! when the frame is closed. Protobuf allows that. A frame is closed when its shard gets a point of another message, so
//! nothing has to go over all shards at the end of each message.
//!
//! What stands around points is copied once for each shard that has some of them. That is little for any encoder, but one
//! resource of megabytes and a point for each of a thousand shards would make gigabytes; so those copies are limited, to
//! four times the request and 16 MiB, and a request beyond is refused.
//!
//! Nothing is output of a malformed request. Fields of the request itself other than `ResourceMetrics` (OTLP has none)
//! stand in every part.

use shardset_model::{RoutingKey, ShardCount, ShardIndex};
use shardset_placement::owner;

use crate::malformed::Malformed;
use crate::route::Router;
use crate::scan::Scanned;
use crate::walk::{Place, Visit, Walk};
use crate::wire::{Fault, Flaw};

mod part;

use part::{Output, Room};

/// How many bytes of buffers a splitter keeps from one request to the next. Buffers above are given back, because one
/// huge request should not hold memory for ever.
const RETAINED: usize = 16 << 20;

/// Splits requests. Keep one and use it again: fresh buffers cost as much as the whole split.
#[derive(Default, Debug)]
pub struct Splitter {
    walk: Walk,
    outputs: Vec<Output>,
}

impl Splitter {
    /// A splitter without buffers yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Splits `request`, the bytes of an `ExportMetricsServiceRequest`, among `shards`. With one shard it is checked and
    /// passed on as it is.
    ///
    /// # Errors
    ///
    /// What is malformed, and where.
    pub fn split<'s>(
        &'s mut self,
        request: &'s [u8],
        key: &RoutingKey,
        shards: ShardCount,
    ) -> Result<Split<'s>, Malformed> {
        self.try_split(request, key, shards).map_err(|flaw| Malformed::new(request, flaw))
    }

    fn try_split<'s>(&'s mut self, request: &'s [u8], key: &RoutingKey, shards: ShardCount) -> Result<Split<'s>, Flaw> {
        self.reset(shards);
        let router = Router::new(key);
        if shards == ShardCount::ONE {
            return self.pass_on(request, router, shards);
        }
        let outputs = &mut self.outputs;
        let room = Room::around(request);
        let points_without_service = match router {
            None => {
                self.walk.run(request, &mut ByStream { outputs, shards, room })?;
                0
            }
            Some(router) => {
                let mut visitor = ByKey { outputs, shards, room, router };
                self.walk.run(request, &mut visitor)?;
                visitor.router.without_service
            }
        };
        self.outputs.iter_mut().for_each(Output::close_all);
        Ok(Split { shards, outputs: &self.outputs, whole: None, points_without_service })
    }

    /// Counts the request's points and gives them all to the only shard.
    fn pass_on<'s>(
        &'s mut self,
        request: &'s [u8],
        router: Option<Router<'_>>,
        shards: ShardCount,
    ) -> Result<Split<'s>, Flaw> {
        let mut visitor = Counting { points: 0, router };
        let resources = self.walk.run(request, &mut visitor)?;
        let shard = shards.shard(0).expect("there is always a shard 0");
        let whole = Part { shard, bytes: request, points: visitor.points, resources };
        Ok(Split {
            shards,
            outputs: &self.outputs,
            whole: Some(whole).filter(|whole| whole.points > 0),
            points_without_service: visitor.router.map_or(0, |router| router.without_service),
        })
    }

    fn reset(&mut self, shards: ShardCount) {
        self.outputs.resize_with(shards.get() as usize, Output::default);
        let retained: usize = self.outputs.iter().map(Output::capacity).sum();
        for output in &mut self.outputs {
            output.reset(retained > RETAINED);
        }
    }
}

/// A request, split. Its bytes are in the splitter, until the next request, or in the request.
#[derive(Debug)]
pub struct Split<'s> {
    shards: ShardCount,
    outputs: &'s [Output],
    whole: Option<Part<'s>>,
    points_without_service: u64,
}

/// What goes to one shard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part<'s> {
    /// The shard.
    pub shard: ShardIndex,
    /// An `ExportMetricsServiceRequest`. Parts may be concatenated: the result is one, too.
    pub bytes: &'s [u8],
    /// Number of points in it, at least one.
    pub points: u64,
    /// Number of top-level `ResourceMetrics` in it: tells whose points a worker refuses after parts were concatenated.
    pub resources: u32,
}

impl<'s> Split<'s> {
    /// One part for each shard that owns a point, by ascending shard.
    pub fn parts(&self) -> impl Iterator<Item = Part<'s>> {
        let split = self.shards.shards().zip(self.outputs).filter_map(|(shard, output)| output.part(shard));
        self.whole.into_iter().chain(split)
    }

    /// Number of points of the request.
    pub fn points(&self) -> u64 {
        self.parts().map(|part| part.points).sum()
    }

    /// Number of points that were routed by their resource because that has no `service.name`. 0 unless the routing key
    /// is [`RoutingKey::Service`].
    pub fn points_without_service(&self) -> u64 {
        self.points_without_service
    }
}

/// Routing by identity.
struct ByStream<'o> {
    outputs: &'o mut [Output],
    shards: ShardCount,
    room: Room,
}

impl Visit for ByStream<'_> {
    const IDENTIFIES: bool = true;

    #[inline]
    fn point(&mut self, place: &Place<'_>, frame: &[u8], point: &Scanned<'_>) -> Result<(), Fault> {
        let stream = place.digest.stream(point.sum);
        let shard = owner(stream.low64(), self.shards);
        self.outputs[shard.position()].push(place, frame, &mut self.room)
    }
}

/// Routing by anything else.
struct ByKey<'o, 'k> {
    outputs: &'o mut [Output],
    shards: ShardCount,
    room: Room,
    router: Router<'k>,
}

impl Visit for ByKey<'_, '_> {
    const IDENTIFIES: bool = false;

    fn point(&mut self, place: &Place<'_>, frame: &[u8], point: &Scanned<'_>) -> Result<(), Fault> {
        let shard = owner(self.router.key(place, point), self.shards);
        self.outputs[shard.position()].push(place, frame, &mut self.room)
    }
}

/// No routing, but the same counts.
struct Counting<'k> {
    points: u64,
    router: Option<Router<'k>>,
}

impl Visit for Counting<'_> {
    const IDENTIFIES: bool = false;

    fn point(&mut self, place: &Place<'_>, _: &[u8], point: &Scanned<'_>) -> Result<(), Fault> {
        self.points += 1;
        if let Some(router) = &mut self.router {
            router.key(place, point);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
