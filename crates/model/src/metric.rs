//! What kind of metric a point belongs to.

/// What a point's value covers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Temporality {
    /// Not said, or a number that OTLP does not define.
    Unspecified,
    /// What was added since the previous point.
    Delta,
    /// What was added since the start time.
    Cumulative,
}

/// The type of a metric, with what of it is part of a stream's identity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MetricKind {
    /// A value at a time.
    Gauge,
    /// A value that is added up.
    Sum {
        /// What one point covers.
        temporality: Temporality,
        /// Whether it never falls.
        monotonic: bool,
    },
    /// A histogram with explicit bounds.
    Histogram {
        /// What one point covers.
        temporality: Temporality,
    },
    /// A histogram with exponential buckets.
    ExponentialHistogram {
        /// What one point covers.
        temporality: Temporality,
    },
    /// Quantiles computed by the sender.
    Summary,
}

impl MetricKind {
    /// The temporality, or `None` for the kinds that have none.
    pub const fn temporality(self) -> Option<Temporality> {
        match self {
            Self::Sum { temporality, .. }
            | Self::Histogram { temporality }
            | Self::ExponentialHistogram { temporality } => Some(temporality),
            Self::Gauge | Self::Summary => None,
        }
    }

    /// Whether a worker accumulates this metric's points (they are deltas) rather than passing them on.
    pub const fn is_delta(self) -> bool {
        matches!(self.temporality(), Some(Temporality::Delta))
    }

    /// Whether the exported total never falls: monotonic sums and both kinds of histogram.
    pub const fn is_monotonic(self) -> bool {
        match self {
            Self::Sum { monotonic, .. } => monotonic,
            Self::Histogram { .. } | Self::ExponentialHistogram { .. } => true,
            Self::Gauge | Self::Summary => false,
        }
    }
}
