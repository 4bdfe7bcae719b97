//! What a point says: its times, flags, value and exemplars, from the fields beside its attributes.
//!
//! The bytes were checked by the scan. Fields that stand twice count as protobuf says: the last of a number, all of a
//! repeated one, the last of a number point's two kinds of value.

use shardset_model::{
    Buckets, Exemplar, ExponentialPoint, HistogramPoint, MetricKind, Point, Quantile, StreamId, SummaryPoint,
    UnixNanos, Value,
};

use super::put_frame;
use crate::scan::Scanned;
use crate::wire::{Field, Payload, Reader};

/// Room for what a point repeats.
#[derive(Default, Debug)]
pub(super) struct Values {
    bounds: Vec<f64>,
    counts: Vec<u64>,
    negative: Vec<u64>,
    quantiles: Vec<Quantile>,
}

impl Values {
    /// Reads a point and hands it to `visit`.
    #[inline]
    pub(super) fn read(
        &mut self,
        kind: MetricKind,
        stream: StreamId,
        scanned: &Scanned<'_>,
        visit: impl FnOnce(Point<'_>),
    ) {
        let mut header = Header::default();
        let value = match kind {
            MetricKind::Gauge | MetricKind::Sum { .. } => self.number(scanned, &mut header),
            MetricKind::Histogram { .. } => self.histogram(scanned, &mut header),
            MetricKind::ExponentialHistogram { .. } => self.exponential(scanned, &mut header),
            MetricKind::Summary => self.summary(scanned, &mut header),
        };
        let exemplars: Vec<_> = header.exemplars.iter().map(|parts| parts.exemplar(&header.frames)).collect();
        visit(Point {
            stream,
            kind,
            start: UnixNanos(header.start),
            time: UnixNanos(header.time),
            no_recorded_value: header.flags & NO_RECORDED_VALUE != 0,
            value,
            exemplars: &exemplars,
        });
    }

    fn number<'a>(&'a mut self, scanned: &Scanned<'a>, header: &mut Header<'a>) -> Value<'a> {
        let mut value = Value::Missing;
        scanned.for_each_field(|field| match (field.number, field.payload) {
            (4, Payload::Fixed64(bits)) => value = Value::Double(f64::from_bits(bits)),
            (6, Payload::Fixed64(bits)) => value = Value::Int(bits as i64),
            _ => header.read(field, 8, 5),
        });
        value
    }

    fn histogram<'a>(&'a mut self, scanned: &Scanned<'a>, header: &mut Header<'a>) -> Value<'a> {
        self.bounds.clear();
        self.counts.clear();
        let mut point = HistogramPoint { count: 0, sum: None, min: None, max: None, bounds: &[], counts: &[] };
        scanned.for_each_field(|field| match (field.number, field.payload) {
            (4, Payload::Fixed64(count)) => point.count = count,
            (5, Payload::Fixed64(bits)) => point.sum = Some(f64::from_bits(bits)),
            (6, payload) => extend(&mut self.counts, payload, |bits| bits),
            (7, payload) => extend(&mut self.bounds, payload, f64::from_bits),
            (11, Payload::Fixed64(bits)) => point.min = Some(f64::from_bits(bits)),
            (12, Payload::Fixed64(bits)) => point.max = Some(f64::from_bits(bits)),
            _ => header.read(field, 10, 8),
        });
        Value::Histogram(HistogramPoint { bounds: &self.bounds, counts: &self.counts, ..point })
    }

    fn exponential<'a>(&'a mut self, scanned: &Scanned<'a>, header: &mut Header<'a>) -> Value<'a> {
        self.counts.clear();
        self.negative.clear();
        let mut point = EMPTY_EXPONENTIAL;
        let (mut positive, mut negative) = (0, 0);
        scanned.for_each_field(|field| match (field.number, field.payload) {
            (4, Payload::Fixed64(count)) => point.count = count,
            (5, Payload::Fixed64(bits)) => point.sum = Some(f64::from_bits(bits)),
            (6, Payload::Varint(value)) => point.scale = zigzag(value),
            (7, Payload::Fixed64(count)) => point.zero_count = count,
            (8, Payload::Bytes(message)) => positive = buckets(message, &mut self.counts),
            (9, Payload::Bytes(message)) => negative = buckets(message, &mut self.negative),
            (12, Payload::Fixed64(bits)) => point.min = Some(f64::from_bits(bits)),
            (13, Payload::Fixed64(bits)) => point.max = Some(f64::from_bits(bits)),
            (14, Payload::Fixed64(bits)) => point.zero_threshold = f64::from_bits(bits),
            _ => header.read(field, 10, 11),
        });
        Value::Exponential(ExponentialPoint {
            positive: Buckets { offset: positive, counts: &self.counts },
            negative: Buckets { offset: negative, counts: &self.negative },
            ..point
        })
    }

    fn summary<'a>(&'a mut self, scanned: &Scanned<'a>, header: &mut Header<'a>) -> Value<'a> {
        self.quantiles.clear();
        let mut point = SummaryPoint { count: 0, sum: 0.0, quantiles: &[] };
        scanned.for_each_field(|field| match (field.number, field.payload) {
            (4, Payload::Fixed64(count)) => point.count = count,
            (5, Payload::Fixed64(bits)) => point.sum = f64::from_bits(bits),
            (6, Payload::Bytes(message)) => self.quantiles.push(quantile(message)),
            _ => header.read(field, 8, NO_EXEMPLARS),
        });
        Value::Summary(SummaryPoint { quantiles: &self.quantiles, ..point })
    }
}

/// Bit of `DataPointFlags`.
const NO_RECORDED_VALUE: u32 = 1;

/// A field number that no field has.
const NO_EXEMPLARS: u32 = 0;

const EMPTY_EXPONENTIAL: ExponentialPoint<'static> = ExponentialPoint {
    count: 0,
    sum: None,
    min: None,
    max: None,
    scale: 0,
    zero_count: 0,
    zero_threshold: 0.0,
    positive: Buckets { offset: 0, counts: &[] },
    negative: Buckets { offset: 0, counts: &[] },
};

/// What every kind of point has.
#[derive(Default)]
struct Header<'a> {
    start: u64,
    time: u64,
    flags: u32,
    exemplars: Vec<Parts<'a>>,
    /// The attributes of all exemplars, as frames.
    frames: Vec<u8>,
}

/// An exemplar whose attributes are from one place in the header's frames to another.
#[derive(Default)]
struct Parts<'a> {
    time: u64,
    value: f64,
    trace_id: &'a [u8],
    span_id: &'a [u8],
    attributes: (usize, usize),
}

impl<'a> Header<'a> {
    /// Reads a field that stands for the same in every kind of point, under these numbers in this kind.
    fn read(&mut self, field: &Field<'a>, flags: u32, exemplars: u32) {
        match (field.number, field.payload) {
            (2, Payload::Fixed64(nanos)) => self.start = nanos,
            (3, Payload::Fixed64(nanos)) => self.time = nanos,
            (number, Payload::Varint(value)) if number == flags => self.flags = value as u32,
            (number, Payload::Bytes(message)) if number == exemplars => self.exemplar(message),
            _ => {}
        }
    }

    fn exemplar(&mut self, message: Reader<'a>) {
        let begin = self.frames.len();
        let mut parts = Parts::default();
        for field in message.checked() {
            match (field.number, field.payload) {
                (2, Payload::Fixed64(nanos)) => parts.time = nanos,
                (3, Payload::Fixed64(bits)) => parts.value = f64::from_bits(bits),
                (4, Payload::Bytes(id)) => parts.span_id = id.bytes(),
                (5, Payload::Bytes(id)) => parts.trace_id = id.bytes(),
                (6, Payload::Fixed64(bits)) => parts.value = bits as i64 as f64,
                (7, Payload::Bytes(key_value)) => put_frame(key_value, &mut self.frames),
                _ => {}
            }
        }
        parts.attributes = (begin, self.frames.len());
        self.exemplars.push(parts);
    }
}

impl<'a> Parts<'a> {
    fn exemplar(&self, frames: &'a [u8]) -> Exemplar<'a> {
        Exemplar {
            time: UnixNanos(self.time),
            value: self.value,
            trace_id: self.trace_id,
            span_id: self.span_id,
            filtered_attributes: &frames[self.attributes.0..self.attributes.1],
        }
    }
}

/// Appends the counts of a `Buckets` message; returns its offset.
fn buckets(message: Reader<'_>, counts: &mut Vec<u64>) -> i32 {
    let mut offset = 0;
    for field in message.checked() {
        match (field.number, field.payload) {
            (1, Payload::Varint(value)) => offset = zigzag(value),
            (2, Payload::Varint(count)) => counts.push(count),
            (2, Payload::Bytes(mut packed)) => counts.extend(std::iter::from_fn(|| packed.varint().ok())),
            _ => {}
        }
    }
    offset
}

fn quantile(message: Reader<'_>) -> Quantile {
    let mut quantile = Quantile { quantile: 0.0, value: 0.0 };
    for field in message.checked() {
        match (field.number, field.payload) {
            (1, Payload::Fixed64(bits)) => quantile.quantile = f64::from_bits(bits),
            (2, Payload::Fixed64(bits)) => quantile.value = f64::from_bits(bits),
            _ => {}
        }
    }
    quantile
}

/// Appends the numbers of a field that is 64 bits wide and repeated: one, or a packed run.
fn extend<T>(numbers: &mut Vec<T>, payload: Payload<'_>, of_bits: impl Fn(u64) -> T) {
    match payload {
        Payload::Fixed64(bits) => numbers.push(of_bits(bits)),
        Payload::Bytes(packed) => {
            let (chunks, _) = packed.bytes().as_chunks();
            numbers.extend(chunks.iter().map(|chunk| of_bits(u64::from_le_bytes(*chunk))));
        }
        Payload::Varint(_) | Payload::Fixed32 => {}
    }
}

/// A `sint32`.
const fn zigzag(value: u64) -> i32 {
    let value = value as u32;
    (value >> 1) as i32 ^ -((value & 1) as i32)
}
