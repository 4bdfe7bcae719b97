//! The way through a request: resource, scope, metric, data, point.
//!
//! Identity needs what comes after the points (a sum's temporality does) and splitting needs everything around them, so
//! the fields of each level are gone through once before its children: [`Level`] remembers what stands beside those.
//! Fields may come in any order. What a walk holds beside the request is at most twice as large as that.
//!
//! A flaw ends the walk; what was visited before it must then be forgotten.

use crate::scan::{Scanned, scan};
use crate::schema;
use crate::wire::{Fault, Flaw, Reader};

mod data;
mod level;
mod place;

use data::Data;
use level::{Level, children};

pub(crate) use data::is_data;
pub(crate) use place::{Metric, Place, RESOURCE_ATTRIBUTES, Resource, SCOPE_ATTRIBUTES, Scope};

/// The largest request that is walked, in bytes. Every message of a split must have a length that fits four bytes of a
/// varint (28 bits). A split frames a message in 5 bytes that took 2 at least, at four levels, once per shard; a point
/// takes 10 bytes at least with those around it. So no part is more than 2.2 times as long as its request.
pub const MAX_REQUEST: usize = 100 << 20;

/// What is done with each point.
pub(crate) trait Visit {
    /// Whether it needs [`Scanned::sum`] of points.
    const IDENTIFIES: bool;

    /// Visits a point, which is legal. `frame` is all of it, from its key on.
    ///
    /// # Errors
    ///
    /// What ends the walk.
    fn point(&mut self, place: &Place<'_>, frame: &[u8], point: &Scanned<'_>) -> Result<(), Fault>;

    /// All points of a metric have been visited.
    #[inline]
    fn metric_end(&mut self, _place: &Place<'_>) {}
}

/// Walks requests. Keep one and use it again: it keeps its lists.
#[derive(Default, Debug)]
pub(crate) struct Walk {
    request: Level,
    resource: Level,
    scope: Level,
    metric: Level,
    data: Level,
    buffer: Vec<u8>,
}

/// The field of the request that holds `ResourceMetrics`.
const RESOURCES: u32 = 1 << 1;
/// The field of `ResourceMetrics` that holds `ScopeMetrics`.
const SCOPES: u32 = 1 << 2;
/// The field of `ScopeMetrics` that holds `Metric`.
const METRICS: u32 = 1 << 2;
/// The field of a metric's data that holds its points.
const POINTS: u32 = 1 << 1;

impl Walk {
    /// Visits every point of `request` in order. Returns the number of its `ResourceMetrics`.
    pub(crate) fn run(&mut self, request: &[u8], visitor: &mut impl Visit) -> Result<u32, Flaw> {
        if request.len() > MAX_REQUEST {
            return Err(Flaw { what: Fault::TooLarge, at: MAX_REQUEST });
        }
        for level in [&mut self.request, &mut self.resource, &mut self.scope, &mut self.metric, &mut self.data] {
            level.reset();
        }
        let message = Reader::new(request);
        let resources = self.request.scan(&schema::REQUEST, RESOURCES, message)?;
        for (index, resource_metrics) in (0..).zip(children(message, RESOURCES)) {
            self.resource_metrics(request, resource_metrics.body, index, visitor)?;
        }
        Ok(resources)
    }

    fn resource_metrics(
        &mut self,
        request: &[u8],
        message: Reader<'_>,
        index: u32,
        visitor: &mut impl Visit,
    ) -> Result<(), Flaw> {
        self.resource.scan(&schema::RESOURCE_METRICS, SCOPES, message)?;
        let resource = Resource::of(&self.resource, request, index);
        for scope_metrics in children(message, SCOPES) {
            self.scope.scan(&schema::SCOPE_METRICS, METRICS, scope_metrics.body)?;
            let scope = Scope::of(&self.scope, request);
            for metric in children(scope_metrics.body, METRICS) {
                self.metric(request, metric.body, resource, scope, visitor)?;
            }
        }
        Ok(())
    }

    fn metric<V: Visit>(
        &mut self,
        request: &[u8],
        message: Reader<'_>,
        resource: Resource<'_>,
        scope: Scope<'_>,
        visitor: &mut V,
    ) -> Result<(), Flaw> {
        self.metric.scan(&schema::METRIC, Data::FIELDS, message)?;
        let mut found = children(message, Data::FIELDS);
        let Some(child) = found.next() else { return Ok(()) };
        if let Some(second) = found.next() {
            return Err(Flaw { what: Fault::Twice, at: second.start });
        }
        let data = Data::of(child.number);
        self.data.scan(data.message, POINTS, child.body)?;
        let metric = Metric::of(&self.metric, data.kind(self.data.fields(request)), request);
        let digest = place::digest(&resource, &scope, &metric, &mut self.buffer);
        let place = Place { request, walk: self, resource, scope, metric, digest, data };
        for point in children(child.body, POINTS) {
            let shape = data.shape;
            let scanned =
                if V::IDENTIFIES { scan::<true>(shape, point.body)? } else { scan::<false>(shape, point.body)? };
            visitor.point(&place, point.frame(request), &scanned).map_err(|what| Flaw { what, at: point.start })?;
        }
        visitor.metric_end(&place);
        Ok(())
    }
}
