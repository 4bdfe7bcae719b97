//! Why a backend refuses a series, read loosely from what it says.
//!
//! There is no standard for it: Prometheus, Mimir, Cortex (which AMP descends from), Thanos and VictoriaMetrics each have
//! sentences of their own, AMP sometimes says nothing at all. The reason is a label in a metric, and a hint whether a newer
//! sample would do.
//!
//! Pure.

use http::StatusCode;

/// How much of a body is shown.
const SHOWN: usize = 256;

/// Why samples were dropped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DropReason {
    /// Newer ones of the series are there already.
    OutOfOrder,
    /// Another value is there for that time.
    DuplicateTimestamp,
    /// Older than the backend takes.
    TooOld,
    /// Outside what the backend takes, in the future say.
    OutOfBounds,
    /// A name, a label or a label's length.
    LabelInvalid,
    /// The backend has as many series as it may have.
    SeriesLimit,
    /// One series alone is larger than a request may be.
    TooLarge,
    /// Some of a request that the backend took otherwise (`partial_success` of OTLP); it says in words which and why.
    PartialSuccess,
    /// The backend failed, and says that it is not to be asked again.
    ServerError,
    /// The backend does not say.
    Other,
}

impl DropReason {
    /// Whether a newer sample of the same series might be taken.
    pub const fn is_of_age(self) -> bool {
        matches!(self, Self::TooOld | Self::OutOfBounds)
    }

    /// The value of the label `reason` in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OutOfOrder => "out_of_order",
            Self::DuplicateTimestamp => "duplicate_timestamp",
            Self::TooOld => "too_old",
            Self::OutOfBounds => "out_of_bounds",
            Self::LabelInvalid => "label_invalid",
            Self::SeriesLimit => "series_limit",
            Self::TooLarge => "too_large",
            Self::PartialSuccess => "partial_success",
            Self::ServerError => "server_error",
            Self::Other => "other",
        }
    }
}

/// Words by which backends give a reason. Earlier lines win: a sentence about limits may name a label as well.
const WORDS: [(DropReason, &[&str]); 6] = [
    (
        DropReason::DuplicateTimestamp,
        &["duplicate sample for timestamp", "duplicate-timestamp", "new-value-for-timestamp"],
    ),
    (DropReason::TooOld, &["too old", "too-old", "greater_than_max_sample_age"]),
    (DropReason::OutOfOrder, &["out of order", "out-of-order"]),
    (DropReason::OutOfBounds, &["out of bounds", "out-of-bounds", "too far in", "too-far-in", "future"]),
    (
        DropReason::SeriesLimit,
        &["series limit", "series_limit", "max-series", "max_series", "limit of", "limit exceeded"],
    ),
    (DropReason::LabelInvalid, &["label", "metric name", "metric_name", "metric-name"]),
];

/// An answer that refuses something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Rejection {
    /// The status or code.
    pub(super) answer: String,
    pub(super) reason: DropReason,
    /// Whether it may not be the data's fault.
    pub(super) is_doubtful: bool,
    /// The beginning of the body, in one line.
    pub(super) told: String,
}

impl Rejection {
    /// With the reason that the words give.
    pub(super) fn of(answer: String, words: &str) -> Self {
        let lower = words.to_lowercase();
        let told = WORDS.iter().find(|(_, words)| words.iter().any(|word| lower.contains(word)));
        let reason = told.map_or(DropReason::Other, |(reason, _)| *reason);
        Self { answer, reason, is_doubtful: false, told: Self::beginning(words) }
    }

    pub(super) fn read(status: StatusCode, body: &str) -> Self {
        let rejection = Self::of(status.as_u16().to_string(), body);
        if status == StatusCode::PAYLOAD_TOO_LARGE { rejection.because(DropReason::TooLarge) } else { rejection }
    }

    /// For this reason, whatever the words.
    pub(super) fn because(self, reason: DropReason) -> Self {
        Self { reason, ..self }
    }

    /// The backend may refuse everything alike.
    pub(super) fn doubtful(self) -> Self {
        let reason = if self.reason == DropReason::Other { DropReason::ServerError } else { self.reason };
        Self { reason, is_doubtful: true, ..self }
    }

    /// The first 256 bytes, without line breaks.
    pub(super) fn beginning(body: &str) -> String {
        let end = body.floor_char_boundary(SHOWN);
        body[..end].split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::{DropReason, Rejection};

    #[test]
    fn the_reason_is_read_from_what_backends_say() {
        let table = [
            ("out of order sample", DropReason::OutOfOrder),
            ("duplicate sample for timestamp", DropReason::DuplicateTimestamp),
            (
                "duplicate sample for timestamp 1700000000; overrides not allowed: existing 1, new 2",
                DropReason::DuplicateTimestamp,
            ),
            (
                "send data to ingesters: failed pushing to ingester: user=1: err: duplicate sample for timestamp. timestamp=2026, series={__name__=\"a\", label=\"b\"}",
                DropReason::DuplicateTimestamp,
            ),
            (
                "the sample has been rejected because another sample with the same timestamp, but a different value, has already been ingested (err-mimir-sample-duplicate-timestamp)",
                DropReason::DuplicateTimestamp,
            ),
            (
                "the sample was rejected because its timestamp is too old (err-mimir-sample-timestamp-too-old)",
                DropReason::TooOld,
            ),
            ("too old sample", DropReason::TooOld),
            ("out of bounds", DropReason::OutOfBounds),
            ("received a sample whose timestamp is too far in the future", DropReason::OutOfBounds),
            ("per-user series limit of 2000000 exceeded", DropReason::SeriesLimit),
            ("per_user_series_limit", DropReason::SeriesLimit),
            ("label name \"a.b\" is not valid utf8", DropReason::LabelInvalid),
            ("invalid metric name: \"a b\"", DropReason::LabelInvalid),
            ("bad data", DropReason::Other),
            ("", DropReason::Other),
        ];
        for (body, reason) in table {
            assert_eq!(Rejection::read(StatusCode::BAD_REQUEST, body).reason, reason, "{body:?}");
        }
        assert_eq!(Rejection::read(StatusCode::PAYLOAD_TOO_LARGE, "").reason, DropReason::TooLarge);
    }

    #[test]
    fn of_a_body_one_short_line_is_shown() {
        let rejection = Rejection::read(StatusCode::BAD_REQUEST, &format!("a\nb {}", "ü".repeat(300)));
        assert!(rejection.told.starts_with("a b ü") && rejection.told.len() <= 256);
    }
}
