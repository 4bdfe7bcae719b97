//! The points of a request, one by one, borrowed from its bytes.
//!
//! A worker asks this module for [`Point`]s and gets them with the id of their stream. What names the stream (resource,
//! scope, metric, attributes) stays in the request's bytes until somebody asks for it, because only a stream that is new
//! needs it. Numbers that a point repeats (buckets, bounds, quantiles) are unpacked into a [`Scratch`] that is used again,
//! so that the usual point allocates nothing; one with exemplars does.
//!
//! Nothing about a point is judged here except that its bytes are legal: see [`Point`].

use shardset_model::{Context, Point};

use crate::malformed::Malformed;
use crate::scan::Scanned;
use crate::walk::{Place, RESOURCE_ATTRIBUTES, SCOPE_ATTRIBUTES, Visit, Walk, is_data};
use crate::wire::{Fault, Reader, put_varint, varint_len};

mod values;

use values::Values;

/// What reading uses again from point to point and from request to request.
#[derive(Default, Debug)]
pub struct Scratch {
    walk: Walk,
    values: Values,
}

impl Scratch {
    /// A scratch that has not grown yet.
    pub fn new() -> Self {
        Self::default()
    }
}

/// Is shown the points of a request, metric by metric.
pub trait Visitor {
    /// A point.
    fn point(&mut self, point: &PointRef<'_>);

    /// All points of a metric have been shown; the last time that its context is at hand.
    fn metric_end(&mut self, _context: ContextRef<'_>) {}
}

struct Each<F>(F);

impl<F: FnMut(&PointRef<'_>)> Visitor for Each<F> {
    #[inline]
    fn point(&mut self, point: &PointRef<'_>) {
        (self.0)(point);
    }
}

/// How much a request holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Contents {
    /// Top-level `ResourceMetrics`.
    pub resources: u32,
    /// Points.
    pub points: u64,
}

/// Visits every point of `request`, the bytes of an `ExportMetricsServiceRequest`, in its order.
///
/// # Errors
///
/// What is malformed, and where. Points before that have been visited: where that must not be and the request does not
/// come from a splitter, [`check`] it first.
pub fn read(request: &[u8], scratch: &mut Scratch, visit: impl FnMut(&PointRef<'_>)) -> Result<Contents, Malformed> {
    read_metrics(request, scratch, &mut Each(visit))
}

/// The same, for a visitor that puts points off until their metric ends.
///
/// # Errors
///
/// As [`read`].
pub fn read_metrics(request: &[u8], scratch: &mut Scratch, visitor: &mut impl Visitor) -> Result<Contents, Malformed> {
    let mut visitor = Reading { values: &mut scratch.values, points: 0, visitor };
    match scratch.walk.run(request, &mut visitor) {
        Ok(resources) => Ok(Contents { resources, points: visitor.points }),
        Err(flaw) => Err(Malformed::new(request, flaw)),
    }
}

/// Checks a request as [`read`] does, and counts its points.
///
/// # Errors
///
/// What is malformed, and where.
pub fn check(request: &[u8], scratch: &mut Scratch) -> Result<Contents, Malformed> {
    let mut visitor = Checking { points: 0 };
    match scratch.walk.run(request, &mut visitor) {
        Ok(resources) => Ok(Contents { resources, points: visitor.points }),
        Err(flaw) => Err(Malformed::new(request, flaw)),
    }
}

/// Counts the points of a request that will not be read, whatever else is wrong with it: those that can be found before a
/// flaw in their surroundings. Looks into no point, so it costs a few nanoseconds each.
pub fn count_points(request: &[u8]) -> u64 {
    let scopes = Reader::new(request).messages(1).flat_map(|resource| resource.messages(2));
    let data = scopes.flat_map(|scope| scope.messages(2)).flat_map(Reader::checked).filter(is_data);
    data.filter_map(|data| data.message()).map(|data| data.messages(1).count() as u64).sum()
}

/// A point, and what its stream is made of.
#[derive(Clone, Copy, Debug)]
pub struct PointRef<'a> {
    /// Which of the request's top-level `ResourceMetrics` it is in, from 0.
    pub resource_index: u32,
    /// The point.
    pub point: Point<'a>,
    /// What it shares with the other points of its metric.
    pub context: ContextRef<'a>,
    /// Its own attributes.
    pub attributes: AttributesRef<'a>,
}

/// A resource, a scope and a metric, as bytes of a request.
#[derive(Clone, Copy, Debug)]
pub struct ContextRef<'a> {
    place: &'a Place<'a>,
}

impl<'a> ContextRef<'a> {
    /// Names this context: the same 128 bits for the same resource, scope and metric in every request. To intern
    /// contexts by; see [`crate::identity::ContextDigest`].
    pub fn digest(&self) -> u128 {
        self.place.digest.get()
    }

    /// The metric's name.
    pub fn metric_name(&self) -> &'a str {
        self.place.metric.name
    }

    /// The context, copied out of the request.
    pub fn to_context(&self) -> Context {
        let Place { resource, scope, metric, .. } = self.place;
        Context {
            resource_attributes: frames(resource.message, RESOURCE_ATTRIBUTES),
            scope_name: scope.name.into(),
            scope_version: scope.version.into(),
            scope_attributes: frames(scope.message, SCOPE_ATTRIBUTES),
            name: metric.name.into(),
            unit: metric.unit.into(),
            description: metric.description.into(),
            kind: metric.kind,
        }
    }
}

/// The attributes of a point, as bytes of a request.
#[derive(Clone, Copy, Debug)]
pub struct AttributesRef<'a> {
    point: Reader<'a>,
    number: u32,
}

impl AttributesRef<'_> {
    /// The attributes as frames (see [`shardset_model::Identity`]), copied out of the request.
    pub fn to_frames(&self) -> Box<[u8]> {
        frames(self.point, self.number)
    }

    /// Where in the request they are, for [`AttributesAt::to_frames`].
    #[inline]
    pub fn place(&self) -> AttributesAt {
        // No request is longer than 100 MiB.
        AttributesAt { start: self.point.at() as u32, end: self.point.end() as u32, number: self.number }
    }
}

/// Where in a request the attributes of a point are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AttributesAt {
    start: u32,
    end: u32,
    number: u32,
}

impl AttributesAt {
    /// The attributes as frames, copied out of `request`, which must be the request that they were found in.
    pub fn to_frames(self, request: &[u8]) -> Box<[u8]> {
        let point = request.get(self.start as usize..self.end as usize).unwrap_or_default();
        frames(Reader::new(point), self.number)
    }
}

/// The attributes in field `number` of a checked message, as frames.
fn frames(message: Reader<'_>, number: u32) -> Box<[u8]> {
    let length = message.messages(number).map(|body| varint_len(body.bytes().len() as u64) + body.bytes().len()).sum();
    let mut frames = Vec::with_capacity(length);
    message.messages(number).for_each(|body| put_frame(body, &mut frames));
    frames.into_boxed_slice()
}

fn put_frame(key_value: Reader<'_>, frames: &mut Vec<u8>) {
    put_varint(key_value.bytes().len() as u64, frames);
    frames.extend_from_slice(key_value.bytes());
}

struct Reading<'s, V> {
    values: &'s mut Values,
    points: u64,
    visitor: &'s mut V,
}

impl<V: Visitor> Visit for Reading<'_, V> {
    const IDENTIFIES: bool = true;

    #[inline]
    fn point(&mut self, place: &Place<'_>, _: &[u8], scanned: &Scanned<'_>) -> Result<(), Fault> {
        self.points += 1;
        let visitor = &mut *self.visitor;
        let stream = place.digest.stream(scanned.sum);
        self.values.read(place.metric.kind, stream, scanned, |point| {
            visitor.point(&PointRef {
                resource_index: place.resource.index,
                point,
                context: ContextRef { place },
                attributes: AttributesRef { point: scanned.point, number: place.data.shape.attributes },
            });
        });
        Ok(())
    }

    #[inline]
    fn metric_end(&mut self, place: &Place<'_>) {
        self.visitor.metric_end(ContextRef { place });
    }
}

struct Checking {
    points: u64,
}

impl Visit for Checking {
    const IDENTIFIES: bool = false;

    fn point(&mut self, _: &Place<'_>, _: &[u8], _: &Scanned<'_>) -> Result<(), Fault> {
        self.points += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
