//! From a stream's value to its data points in an OTLP request.
//!
//! A stream goes out as it came in, but for its temporality: resource, scope, metric and attributes are those of its sender,
//! byte for byte. Nothing is translated. Schema URLs, metric metadata and other fields that are not part of a stream's identity are not kept,
//! so they are not told.
//!
//! - Everything with a temporality is cumulative, with the start of its total.
//! - What is passed on keeps its own time to the nanosecond. A zero that stands at the start of its total has the start as its time:
//!   the point that OTLP calls a true reset.
//! - The end of a stream is a point with the flag `no recorded value`. Bounds and quantiles come with it, since a receiver that
//!   makes series of them has to end these.
//!
//! Field numbers are those of opentelemetry/proto/metrics/v1/metrics.proto, OTLP 1.11.
//!
//! Pure.

mod batch;
mod exemplars;
mod points;
mod protobuf;

use shardset_model::{Identity, UnixNanos};

pub use self::batch::PointsBatch;
use crate::{Form, Moment};

/// What OTLP tells of a stream beside its value.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// What it is.
    pub identity: &'a Identity,
    /// When its total began; of a stream that is passed on, what its newest point says.
    pub start: UnixNanos,
    /// The time of that point; `None` where the stream is accumulated.
    pub own_time: Option<UnixNanos>,
}

impl Origin<'_> {
    /// The time of a point that tells this moment. Moments are in ms; where a finer time is what was meant, it is told.
    fn time(&self, moment: &Moment) -> UnixNanos {
        let finer = match moment.form {
            Form::Value => self.own_time,
            Form::Zero => Some(self.start),
            Form::Stale => None,
        };
        let millis = u64::try_from(moment.time.0).unwrap_or(0);
        finer.filter(|finer| finer.millis() == moment.time).unwrap_or(UnixNanos(millis.saturating_mul(1_000_000)))
    }

    /// The start of a point at `time`. A start that is yet to come, by a sender's clock that is ahead of ours, is not told.
    fn start_before(&self, time: UnixNanos) -> UnixNanos {
        if self.start <= time { self.start } else { UnixNanos::UNKNOWN }
    }
}

#[cfg(test)]
mod tests;
