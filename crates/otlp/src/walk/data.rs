//! The five kinds of data that a metric may have, by their field numbers in `Metric`.

use shardset_model::{MetricKind, Temporality};

use crate::scan::{self, Shape};
use crate::schema::{self, Message};
use crate::wire::{Field, Payload};

/// A kind of data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Data {
    /// Its field number in `Metric`.
    pub(crate) number: u32,
    /// The message that holds the points.
    pub(super) message: &'static Message,
    /// The points.
    pub(crate) shape: &'static Shape,
}

const GAUGE: u32 = 5;
const SUM: u32 = 7;
const HISTOGRAM: u32 = 9;
const EXPONENTIAL_HISTOGRAM: u32 = 10;
const SUMMARY: u32 = 11;

/// Whether a field of a metric holds its data.
pub(crate) fn is_data(field: &Field<'_>) -> bool {
    field.number < 32 && Data::FIELDS >> field.number & 1 == 1
}

impl Data {
    /// The fields of a metric that hold data; bit n stands for field n.
    pub(super) const FIELDS: u32 = 1 << GAUGE | 1 << SUM | 1 << HISTOGRAM | 1 << EXPONENTIAL_HISTOGRAM | 1 << SUMMARY;

    /// The data in the field of this number, one of [`Data::FIELDS`].
    pub(super) fn of(number: u32) -> Self {
        let (message, shape) = match number {
            GAUGE => (&schema::GAUGE, &scan::NUMBER),
            SUM => (&schema::SUM, &scan::NUMBER),
            HISTOGRAM => (&schema::HISTOGRAM, &scan::HISTOGRAM),
            EXPONENTIAL_HISTOGRAM => (&schema::EXPONENTIAL_HISTOGRAM, &scan::EXPONENTIAL),
            _ => (&schema::SUMMARY, &scan::SUMMARY),
        };
        Self { number, message, shape }
    }

    /// The metric's type, of which the fields beside the points tell the rest.
    pub(super) fn kind<'a>(self, beside: impl Iterator<Item = Field<'a>>) -> MetricKind {
        let mut temporality = Temporality::Unspecified;
        let mut monotonic = false;
        for field in beside {
            match (field.number, field.payload) {
                (2, Payload::Varint(value)) => temporality = temporality_of(value),
                (3, Payload::Varint(value)) => monotonic = value != 0,
                _ => {}
            }
        }
        match self.number {
            GAUGE => MetricKind::Gauge,
            SUM => MetricKind::Sum { temporality, monotonic },
            HISTOGRAM => MetricKind::Histogram { temporality },
            EXPONENTIAL_HISTOGRAM => MetricKind::ExponentialHistogram { temporality },
            _ => MetricKind::Summary,
        }
    }
}

/// An enum is an int32 on the wire: the lower half of a varint.
const fn temporality_of(value: u64) -> Temporality {
    match value as u32 {
        1 => Temporality::Delta,
        2 => Temporality::Cumulative,
        _ => Temporality::Unspecified,
    }
}
