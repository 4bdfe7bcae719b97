//! The way through a request: resource, scope, metric, data, point.
//!
//! Identity needs what comes after the points (a sum's temporality does) and splitting needs everything around them, so
//! each level is gone through once, before its children: [`Level`] remembers where the children are and what stands
//! beside them. Fields may come in any order. Nothing is looked for twice, whatever the number of shards.
//!
//! A flaw ends the walk; what was visited before it must then be forgotten.

use shardset_model::{MetricKind, Temporality};

use crate::check::Fields;
use crate::identity::{AttributeSum, ContextDigest, ContextIdentity};
use crate::scan::{self, Scanned, Shape, scan};
use crate::schema::{self, Message};
use crate::wire::{Fault, Field, Flaw, Payload, Reader};

/// The largest request that is walked, in bytes. Offsets fit 32 bits, and every message that a split makes of it has a
/// length that fits four bytes of a varint (28 bits): a split repeats no bytes within one shard and frames a message in 5
/// bytes that took 2 at least, at four levels, of which a point takes at least 10 with its own; so an output is less than
/// 2.2 times its request.
pub const MAX_REQUEST: usize = 100 << 20;

/// What stands in one message: the children that the walk goes on with, and everything else.
#[derive(Default, Debug)]
pub(crate) struct Level {
    /// The messages one level down.
    children: Vec<Child>,
    /// Where all other fields are, key and all; neighbours are one span.
    rest: Vec<(u32, u32)>,
    /// How many messages of this level were scanned before in this request.
    serial: u32,
}

/// A message that the walk goes on with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Child {
    number: u32,
    /// Where its key begins.
    pub(crate) start: u32,
    /// Where its body begins.
    body: u32,
    /// Where it ends.
    pub(crate) end: u32,
}

impl Child {
    fn reader(self, request: &[u8]) -> Reader<'_> {
        Reader::within(request, self.body, self.end)
    }
}

impl Level {
    /// Goes through `message`: children are the fields whose bit is set in `children`, all others are checked.
    fn scan(&mut self, schema: &'static Message, children: u32, mut message: Reader<'_>) -> Result<(), Flaw> {
        self.children.clear();
        self.rest.clear();
        self.serial += 1;
        let mut fields = Fields::of(schema);
        while let Some(field) = message.field()? {
            let (start, end) = (field.start as u32, message.at() as u32);
            match field.message() {
                Some(body) if field.number < 32 && children >> field.number & 1 == 1 => {
                    self.children.push(Child { number: field.number, start, body: body.at() as u32, end });
                }
                _ => {
                    fields.check(&field)?;
                    self.keep(start, end);
                }
            }
        }
        Ok(())
    }

    fn keep(&mut self, start: u32, end: u32) {
        match self.rest.last_mut() {
            Some(last) if last.1 == start => last.1 = end,
            _ => self.rest.push((start, end)),
        }
    }

    /// The bytes that are not children, in spans.
    pub(crate) fn spans<'a>(&self, request: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.rest.iter().map(|&(start, end)| &request[start as usize..end as usize])
    }

    /// The fields that are not children.
    fn fields<'a>(&self, request: &'a [u8]) -> impl Iterator<Item = Field<'a>> {
        self.rest.iter().flat_map(move |&(start, end)| Reader::within(request, start, end).checked())
    }
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

/// What is done with each point.
pub(crate) trait Visit {
    /// Whether it needs [`Scanned::sum`] of points.
    const IDENTIFIES: bool;

    /// Visits a point, which is legal.
    fn point(&mut self, place: &Place<'_>, frame: Child, point: &Scanned<'_>);
}

/// Where points stand: everything that those of one metric share.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    pub(crate) request: &'a [u8],
    walk: &'a Walk,
    /// Which of the top-level messages this is.
    pub(crate) resource_index: u32,
    pub(crate) resource: Resource<'a>,
    pub(crate) scope: Scope<'a>,
    pub(crate) metric: Metric<'a>,
    pub(crate) digest: ContextDigest,
    /// The field number of the metric's data.
    pub(crate) data_number: u32,
    pub(crate) shape: &'static Shape,
}

impl<'a> Place<'a> {
    /// The fields of the request itself that are not `ResourceMetrics`: none that OTLP knows.
    pub(crate) fn request_level(&self) -> &'a Level {
        &self.walk.request
    }

    /// Tells two metrics of one request apart.
    #[inline]
    pub(crate) fn serial(&self) -> u32 {
        self.walk.data.serial
    }

    /// The levels from the resource to the data, outermost first.
    pub(crate) fn levels(&self) -> [&'a Level; 4] {
        [&self.walk.resource, &self.walk.scope, &self.walk.metric, &self.walk.data]
    }
}

impl Level {
    /// Tells two messages of this level in one request apart.
    pub(crate) const fn serial(&self) -> u32 {
        self.serial
    }
}

/// The resource of a `ResourceMetrics`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resource<'a> {
    pub(crate) message: Reader<'a>,
    pub(crate) sum: AttributeSum,
}

/// The scope of a `ScopeMetrics`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) message: Reader<'a>,
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    pub(crate) sum: AttributeSum,
}

/// A metric without its points.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric<'a> {
    pub(crate) name: &'a str,
    pub(crate) description: &'a str,
    pub(crate) unit: &'a str,
    pub(crate) kind: MetricKind,
}

/// Field numbers of attributes.
pub(crate) const RESOURCE_ATTRIBUTES: u32 = 1;
pub(crate) const SCOPE_ATTRIBUTES: u32 = 3;

/// The fields of a metric that hold its data: gauge, sum, histogram, exponential histogram, summary.
const DATA: u32 = 1 << 5 | 1 << 7 | 1 << 9 | 1 << 10 | 1 << 11;

/// Whether a field of a metric holds its data.
pub(crate) fn is_data(field: &Field<'_>) -> bool {
    field.number < 32 && DATA >> field.number & 1 == 1
}

impl Walk {
    /// Visits every point of `request` in order. Returns the number of its `ResourceMetrics`.
    pub(crate) fn run(&mut self, request: &[u8], visitor: &mut impl Visit) -> Result<u32, Flaw> {
        if request.len() > MAX_REQUEST {
            return Err(Flaw { what: Fault::TooLarge, at: 0 });
        }
        for level in [&mut self.resource, &mut self.scope, &mut self.metric, &mut self.data] {
            level.serial = 0;
        }
        self.request.scan(&schema::REQUEST, 1 << 1, Reader::new(request))?;
        for position in 0..self.request.children.len() {
            let child = self.request.children[position];
            self.resource_metrics(request, child.reader(request), position as u32, visitor)?;
        }
        Ok(self.request.children.len() as u32)
    }

    fn resource_metrics(
        &mut self,
        request: &[u8],
        message: Reader<'_>,
        resource_index: u32,
        visitor: &mut impl Visit,
    ) -> Result<(), Flaw> {
        self.resource.scan(&schema::RESOURCE_METRICS, 1 << 2, message)?;
        let resource = Resource::of(&self.resource, request);
        for position in 0..self.resource.children.len() {
            let message = self.resource.children[position].reader(request);
            self.scope.scan(&schema::SCOPE_METRICS, 1 << 2, message)?;
            let scope = Scope::of(&self.scope, request);
            for position in 0..self.scope.children.len() {
                let message = self.scope.children[position].reader(request);
                self.metric(request, message, (resource_index, resource, scope), visitor)?;
            }
        }
        Ok(())
    }

    fn metric<V: Visit>(
        &mut self,
        request: &[u8],
        message: Reader<'_>,
        (resource_index, resource, scope): (u32, Resource<'_>, Scope<'_>),
        visitor: &mut V,
    ) -> Result<(), Flaw> {
        self.metric.scan(&schema::METRIC, DATA, message)?;
        let data = match *self.metric.children {
            [] => return Ok(()),
            [data] => data,
            [_, second, ..] => return Err(Flaw { what: Fault::Twice, at: second.start as usize }),
        };
        let (schema, shape) = forms(data.number);
        self.data.scan(schema, 1 << 1, data.reader(request))?;
        let metric = Metric::of(&self.metric, kind(data.number, &self.data, request), request);
        let digest = digest(&resource, &scope, &metric, &mut self.buffer);
        let walk = &*self;
        let place =
            Place { request, walk, resource_index, resource, scope, metric, digest, data_number: data.number, shape };
        for &child in &walk.data.children {
            let point = child.reader(request);
            let scanned = if V::IDENTIFIES { scan::<true>(shape, point)? } else { scan::<false>(shape, point)? };
            visitor.point(&place, child, &scanned);
        }
        Ok(())
    }
}

/// The messages that hold the points of the data with this field number, and their points.
fn forms(data_number: u32) -> (&'static Message, &'static Shape) {
    match data_number {
        5 => (&schema::GAUGE, &scan::NUMBER),
        7 => (&schema::SUM, &scan::NUMBER),
        9 => (&schema::HISTOGRAM, &scan::HISTOGRAM),
        10 => (&schema::EXPONENTIAL_HISTOGRAM, &scan::EXPONENTIAL),
        _ => (&schema::SUMMARY, &scan::SUMMARY),
    }
}

fn kind(data_number: u32, data: &Level, request: &[u8]) -> MetricKind {
    let mut temporality = Temporality::Unspecified;
    let mut monotonic = false;
    for field in data.fields(request) {
        match (field.number, field.payload) {
            // An enum is an int32: the lower half of its varint.
            (2, Payload::Varint(value)) => {
                temporality = match value as u32 {
                    1 => Temporality::Delta,
                    2 => Temporality::Cumulative,
                    _ => Temporality::Unspecified,
                }
            }
            (3, Payload::Varint(value)) => monotonic = value != 0,
            _ => {}
        }
    }
    match data_number {
        5 => MetricKind::Gauge,
        7 => MetricKind::Sum { temporality, monotonic },
        9 => MetricKind::Histogram { temporality },
        10 => MetricKind::ExponentialHistogram { temporality },
        _ => MetricKind::Summary,
    }
}

fn digest(resource: &Resource<'_>, scope: &Scope<'_>, metric: &Metric<'_>, buffer: &mut Vec<u8>) -> ContextDigest {
    let identity = ContextIdentity {
        resource: resource.sum,
        scope: scope.sum,
        scope_name: scope.name,
        scope_version: scope.version,
        name: metric.name,
        unit: metric.unit,
        kind: metric.kind,
    };
    ContextDigest::of(&identity, buffer)
}

/// The message in field 1 of a level; an empty one where it has none.
fn first_message<'a>(level: &Level, request: &'a [u8]) -> Reader<'a> {
    let found = level.fields(request).find(|field| field.number == 1).and_then(|field| field.message());
    found.unwrap_or(Reader::new(&[]))
}

impl<'a> Resource<'a> {
    fn of(level: &Level, request: &'a [u8]) -> Self {
        let message = first_message(level, request);
        Self { message, sum: attribute_sum(message, RESOURCE_ATTRIBUTES) }
    }
}

impl<'a> Scope<'a> {
    fn of(level: &Level, request: &'a [u8]) -> Self {
        let message = first_message(level, request);
        let sum = attribute_sum(message, SCOPE_ATTRIBUTES);
        let mut scope = Self { message, name: "", version: "", sum };
        for field in message.checked() {
            match field.number {
                1 => scope.name = field.text(),
                2 => scope.version = field.text(),
                _ => {}
            }
        }
        scope
    }
}

impl<'a> Metric<'a> {
    fn of(level: &Level, kind: MetricKind, request: &'a [u8]) -> Self {
        let mut metric = Self { name: "", description: "", unit: "", kind };
        for field in level.fields(request) {
            match field.number {
                1 => metric.name = field.text(),
                2 => metric.description = field.text(),
                3 => metric.unit = field.text(),
                _ => {}
            }
        }
        metric
    }
}

fn attribute_sum(message: Reader<'_>, attributes: u32) -> AttributeSum {
    let mut sum = AttributeSum::default();
    message.messages(attributes).for_each(|key_value| sum.add(key_value.bytes()));
    sum
}
