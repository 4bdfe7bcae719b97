//! The newest point of a summary: quantiles can not be added, so it is only passed on.

use shardset_model::{Quantile, SummaryPoint};

/// A summary point that is kept.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Summary {
    pub(crate) count: u64,
    pub(crate) sum: f64,
    pub(crate) quantiles: Box<[Quantile]>,
}

impl Summary {
    pub(crate) fn of(point: &SummaryPoint<'_>) -> Self {
        Self { count: point.count, sum: point.sum, quantiles: point.quantiles.into() }
    }

    pub(crate) fn view(&self) -> SummaryPoint<'_> {
        SummaryPoint { count: self.count, sum: self.sum, quantiles: &self.quantiles }
    }
}
