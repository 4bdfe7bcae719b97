//! An `ExportMetricsServiceRequest` in the making.
//!
//! Points are encoded as streams are appended, in the order of slots, where neighbours rarely share a metric; resource, scope and
//! metric stand around them only in the request. So a batch keeps each stream's points and what they belong to, and groups them
//! when it is sent: a resource with a thousand streams is written once. The points of one stream stay in their order.
//!
//! Pure.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use shardset_model::{Context, MetricKind, Value};

use super::Origin;
use super::points::Point;
use super::protobuf::put_attributes;
use crate::batch::{MAX_BYTES, MAX_SAMPLES};
use crate::prompb::{put_message, put_string, put_uint};
use crate::{Form, NotEncodable, Sample};

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: u64 = 2;

/// Streams with their points, encoded.
#[derive(Clone, Debug, Default)]
pub struct PointsBatch {
    contexts: Vec<Arc<Context>>,
    /// By the address of the context, which `contexts` keeps alive.
    places: BTreeMap<usize, u32>,
    streams: Vec<Extent>,
    /// Points as field 1 of their metric's data.
    bytes: Vec<u8>,
    /// Bytes that contexts take in a request, at least.
    context_bytes: usize,
    points: usize,
}

/// One stream: what it belongs to, where it ends, and how many points it has.
#[derive(Clone, Copy, Debug)]
struct Extent {
    context: u32,
    end: u32,
    points: u32,
}

impl PointsBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether it is time to send it.
    pub fn is_full(&self) -> bool {
        self.points >= MAX_SAMPLES || self.bytes.len() + self.context_bytes >= MAX_BYTES
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// How many points it has.
    pub fn points(&self) -> usize {
        self.points
    }

    /// How many streams it has.
    pub fn streams(&self) -> usize {
        self.streams.len()
    }

    /// How many points a run of streams has.
    pub fn points_in(&self, streams: Range<usize>) -> u64 {
        self.streams[streams].iter().map(|extent| u64::from(extent.points)).sum()
    }

    /// Appends a stream, with a point per moment.
    ///
    /// # Errors
    ///
    /// The value does not fit the metric, or there is none; the batch is as it was.
    pub fn append(&mut self, origin: &Origin<'_>, sample: &Sample<'_>) -> Result<(), NotEncodable> {
        let only_ended = sample.moments.iter().all(|moment| moment.form == Form::Stale);
        if !fits(origin.identity.context.kind, &sample.value, only_ended) {
            return Err(NotEncodable::Mismatch);
        }
        if sample.moments.is_empty() {
            return Ok(());
        }
        for moment in sample.moments {
            let time = origin.time(moment);
            let (start, form, exemplars) = (origin.start_before(time), moment.form, sample.exemplars);
            let point = Point { attributes: &origin.identity.attributes, start, time, form, exemplars };
            put_message(&mut self.bytes, 1, |buf| point.put(buf, &sample.value));
        }
        let end = u32::try_from(self.bytes.len()).expect("a batch is full at 1 MiB, and a stream is far below 4 GiB");
        let context = self.place(&origin.identity.context);
        self.streams.push(Extent { context, end, points: sample.moments.len() as u32 });
        self.points += sample.moments.len();
        Ok(())
    }

    /// An `ExportMetricsServiceRequest` of a run of streams, uncompressed.
    pub fn message_of(&self, streams: Range<usize>) -> Vec<u8> {
        let mut message = Vec::with_capacity(self.bytes.len() + 2 * self.context_bytes);
        let mut order: Vec<usize> = streams.collect();
        order.sort_by(|&a, &b| self.rank(a).cmp(&self.rank(b)));
        for resource in order.chunk_by(|&a, &b| self.rank(a).0 == self.rank(b).0) {
            put_message(&mut message, 1, |buf| self.put_resource(buf, resource));
        }
        message
    }

    /// `ResourceMetrics { resource = 1, scope_metrics = 2 }`; `Resource { attributes = 1 }`.
    fn put_resource(&self, buf: &mut Vec<u8>, streams: &[usize]) {
        let attributes = &self.context(streams[0]).resource_attributes;
        if !attributes.is_empty() {
            put_message(buf, 1, |buf| put_attributes(buf, 1, attributes));
        }
        for scope in streams.chunk_by(|&a, &b| self.rank(a).1 == self.rank(b).1) {
            put_message(buf, 2, |buf| self.put_scope(buf, scope));
        }
    }

    /// `ScopeMetrics { scope = 1, metrics = 2 }`; `InstrumentationScope { name = 1, version = 2, attributes = 3 }`.
    fn put_scope(&self, buf: &mut Vec<u8>, streams: &[usize]) {
        let context = self.context(streams[0]);
        if self.rank(streams[0]).1 != ("", "", [].as_slice()) {
            put_message(buf, 1, |buf| {
                put_string(buf, 1, &context.scope_name);
                put_string(buf, 2, &context.scope_version);
                put_attributes(buf, 3, &context.scope_attributes);
            });
        }
        for metric in streams.chunk_by(|&a, &b| self.rank(a).2 == self.rank(b).2) {
            put_message(buf, 2, |buf| self.put_metric(buf, metric));
        }
    }

    /// `Metric { name = 1, description = 2, unit = 3, data }`.
    fn put_metric(&self, buf: &mut Vec<u8>, streams: &[usize]) {
        let context = self.context(streams[0]);
        put_string(buf, 1, &context.name);
        put_string(buf, 2, &context.description);
        put_string(buf, 3, &context.unit);
        put_message(buf, data_field(context.kind), |buf| {
            streams.iter().for_each(|&stream| buf.extend_from_slice(self.points_of(stream)));
            if context.kind.temporality().is_some() {
                put_uint(buf, 2, CUMULATIVE);
            }
            put_uint(buf, 3, matches!(context.kind, MetricKind::Sum { monotonic: true, .. }).into());
        });
    }

    /// What streams are grouped by: resource, scope, metric.
    fn rank(&self, stream: usize) -> (&[u8], (&str, &str, &[u8]), u32) {
        let context = self.context(stream);
        let scope = (&*context.scope_name, &*context.scope_version, &*context.scope_attributes);
        (&context.resource_attributes, scope, self.streams[stream].context)
    }

    fn context(&self, stream: usize) -> &Context {
        &self.contexts[self.streams[stream].context as usize]
    }

    fn points_of(&self, stream: usize) -> &[u8] {
        let start = stream.checked_sub(1).map_or(0, |before| self.streams[before].end);
        &self.bytes[start as usize..self.streams[stream].end as usize]
    }

    fn place(&mut self, context: &Arc<Context>) -> u32 {
        let next = self.contexts.len() as u32;
        let place = *self.places.entry(Arc::as_ptr(context).addr()).or_insert(next);
        if place == next {
            self.context_bytes += weight(context);
            self.contexts.push(Arc::clone(context));
        }
        place
    }
}

/// Bytes that a context takes in a request where it shares nothing with others.
fn weight(context: &Context) -> usize {
    let texts = [&context.scope_name, &context.scope_version, &context.name, &context.unit, &context.description];
    let attributes = context.resource_attributes.len() + context.scope_attributes.len();
    attributes + texts.iter().map(|text| text.len()).sum::<usize>()
}

fn fits(kind: MetricKind, value: &Value<'_>, only_ended: bool) -> bool {
    match value {
        Value::Missing => only_ended && matches!(kind, MetricKind::Gauge | MetricKind::Sum { .. }),
        Value::Int(_) | Value::Double(_) => matches!(kind, MetricKind::Gauge | MetricKind::Sum { .. }),
        Value::Histogram(_) => matches!(kind, MetricKind::Histogram { .. }),
        Value::Exponential(_) => matches!(kind, MetricKind::ExponentialHistogram { .. }),
        Value::Summary(_) => kind == MetricKind::Summary,
    }
}

/// The field of `Metric` that holds the data of this kind.
const fn data_field(kind: MetricKind) -> u64 {
    match kind {
        MetricKind::Gauge => 5,
        MetricKind::Sum { .. } => 7,
        MetricKind::Histogram { .. } => 9,
        MetricKind::ExponentialHistogram { .. } => 10,
        MetricKind::Summary => 11,
    }
}
