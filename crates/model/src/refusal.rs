//! Why a point is refused for good.
//!
//! A refusal is an answer, not a failure: the sender is told by `partial_success`, must not send the point again, and the
//! point is counted under [`Refusal::reason`]. Temporary trouble is never a refusal.

use thiserror::Error;

/// Why a point will never be counted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Error)]
pub enum Refusal {
    /// Its time is at or before the newest one that fell out of the memory of counted points.
    #[error("it is older than the memory of counted points, so it can not be told from a duplicate")]
    TooOld,
    /// With `writers: One`, its interval overlaps one that is counted.
    #[error("its interval overlaps one that is counted already, and the stream may have one writer only")]
    Overlap,
    /// The point contradicts itself or its metric.
    #[error(transparent)]
    Invalid(#[from] InvalidReason),
    /// A sum or histogram that does not say what its points cover.
    #[error("the metric's aggregation temporality is not specified")]
    UnspecifiedTemporality,
    /// The shard has as many streams as it may have, and this one would be new.
    #[error("the worker is at its limit of streams and takes no new one; raise max-streams or the number of workers")]
    StreamLimit,
}

/// What is wrong with a point.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Error)]
pub enum InvalidReason {
    /// `time_unix_nano` is 0.
    #[error("time_unix_nano is missing")]
    NoTime,
    /// The start is after the time.
    #[error("start_time_unix_nano is after time_unix_nano")]
    StartAfterTime,
    /// NaN or infinite, where a total must be a number.
    #[error("the value is not a finite number")]
    NotFinite,
    /// A monotonic sum can not fall.
    #[error("the delta of a monotonic sum is negative")]
    Negative,
    /// The point has no value, and no flag that says so.
    #[error("the point carries no value")]
    NoValue,
    /// The number of buckets does not match the bounds.
    #[error("the number of bucket counts must be the number of bounds plus one")]
    BucketCounts,
    /// The buckets do not add up to the count.
    #[error("the bucket counts do not add up to the count")]
    Count,
    /// Bounds must ascend.
    #[error("the bounds do not ascend")]
    Bounds,
    /// The scale or the bucket indexes are outside what a double can reach.
    #[error("the scale must be from -10 to 20 and bucket indexes must fit 32 bits")]
    Scale,
}

impl Refusal {
    /// The value of the label `reason` in metrics.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TooOld => "too_old",
            Self::Overlap => "overlap",
            Self::Invalid(reason) => reason.reason(),
            Self::UnspecifiedTemporality => "unspecified_temporality",
            Self::StreamLimit => "stream_limit",
        }
    }
}

impl InvalidReason {
    /// The value of the label `reason` in metrics.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NoTime => "invalid_no_time",
            Self::StartAfterTime => "invalid_start_after_time",
            Self::NotFinite => "invalid_not_finite",
            Self::Negative => "invalid_negative",
            Self::NoValue => "invalid_no_value",
            Self::BucketCounts => "invalid_bucket_counts",
            Self::Count => "invalid_count",
            Self::Bounds => "invalid_bounds",
            Self::Scale => "invalid_scale",
        }
    }
}
