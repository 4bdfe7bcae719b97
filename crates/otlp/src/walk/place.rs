//! Where points stand: the resource, the scope and the metric around them.

use shardset_model::MetricKind;

use super::{Data, Level, Walk};
use crate::identity::{AttributeSum, ContextDigest, ContextIdentity};
use crate::wire::Reader;

/// Where points stand: everything that those of one metric share.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    pub(crate) request: &'a [u8],
    pub(super) walk: &'a Walk,
    pub(crate) resource: Resource<'a>,
    pub(crate) scope: Scope<'a>,
    pub(crate) metric: Metric<'a>,
    pub(crate) digest: ContextDigest,
    pub(crate) data: Data,
}

impl<'a> Place<'a> {
    /// The fields of the request itself that are not `ResourceMetrics`: none that OTLP knows.
    pub(crate) fn request_level(&self) -> &'a Level {
        &self.walk.request
    }

    /// Tells two metrics of one request apart.
    #[inline]
    pub(crate) fn serial(&self) -> u32 {
        self.walk.data.serial()
    }

    /// The levels from the resource to the data, outermost first.
    pub(crate) fn levels(&self) -> [&'a Level; 4] {
        [&self.walk.resource, &self.walk.scope, &self.walk.metric, &self.walk.data]
    }
}

/// The resource of a `ResourceMetrics`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resource<'a> {
    /// Which of the request's `ResourceMetrics` it is of, from 0.
    pub(crate) index: u32,
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

impl<'a> Resource<'a> {
    pub(super) fn of(level: &Level, request: &'a [u8], index: u32) -> Self {
        let message = first_message(level, request);
        Self { index, message, sum: attribute_sum(message, RESOURCE_ATTRIBUTES) }
    }
}

impl<'a> Scope<'a> {
    pub(super) fn of(level: &Level, request: &'a [u8]) -> Self {
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
    pub(super) fn of(level: &Level, kind: MetricKind, request: &'a [u8]) -> Self {
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

/// The digest of a context. `buffer` is used and may hold anything.
pub(super) fn digest(
    resource: &Resource<'_>,
    scope: &Scope<'_>,
    metric: &Metric<'_>,
    buffer: &mut Vec<u8>,
) -> ContextDigest {
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

fn attribute_sum(message: Reader<'_>, attributes: u32) -> AttributeSum {
    let mut sum = AttributeSum::default();
    message.messages(attributes).for_each(|key_value| sum.add(key_value.bytes()));
    sum
}
