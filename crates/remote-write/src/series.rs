//! From a stream's value to its series.
//!
//! A counter or gauge is one series. A histogram is `_bucket` per bound and for `+Inf`, `_sum` where its sender knows the sum,
//! and `_count`; buckets in Prometheus count everything up to their bound. A summary is one series per quantile, `_sum` and
//! `_count`. An exponential histogram is one native histogram ([`native`]). Smallest, largest, and exemplars of gauges have
//! no place in Prometheus.
//!
//! Pure.

mod exemplars;
mod native;

use shardset_model::{Exemplar, HistogramPoint, SummaryPoint, Value};
use thiserror::Error;

use crate::batch::Batch;
use crate::prompb::{NORMAL_NAN, STALE, put_label, put_message, put_sample};
use crate::{Family, FamilyType, Form, Labels, Sample};

pub(crate) use self::exemplars::{ExemplarLabels, newest};

const TIMESERIES: u64 = 1;

/// Why a stream has no series now. It is counted and left out; nothing of it was written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Error)]
pub enum NotEncodable {
    /// Native histograms reach from scale -4 to 8. A finer scale is brought down, a coarser one can not be brought up.
    #[error("an exponential histogram of scale {0} is coarser than native histograms can be, which is -4")]
    Scale(i32),
    /// A bucket lies outside what 32 bits can name.
    #[error("the buckets of an exponential histogram reach beyond 32-bit indexes")]
    BucketIndex,
    /// The value is not of the family's type.
    #[error("the value does not fit the type of its family")]
    Mismatch,
    /// In text only: one name, two types.
    #[error("another metric of this name has another type")]
    TypeConflict,
}

impl NotEncodable {
    /// The value of the label `reason` in metrics.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Scale(_) => "scale",
            Self::BucketIndex => "bucket_index",
            Self::Mismatch => "mismatch",
            Self::TypeConflict => "type_conflict",
        }
    }
}

impl Batch {
    /// Appends the series of a stream, each with a sample per moment.
    ///
    /// # Errors
    ///
    /// The stream has no series; the batch is as it was.
    pub fn append(&mut self, family: &Family, labels: &Labels, sample: &Sample<'_>) -> Result<(), NotEncodable> {
        if sample.moments.is_empty() {
            return Ok(());
        }
        match (family.kind(), sample.value) {
            (FamilyType::Histogram, Value::Histogram(histogram)) => {
                Series { batch: self, family, labels, sample }.histogram(histogram);
            }
            (FamilyType::NativeHistogram, Value::Exponential(exponential)) => {
                native::append(self, family, labels, sample, &exponential)?;
            }
            (FamilyType::Summary, Value::Summary(summary)) => {
                Series { batch: self, family, labels, sample }.summary(summary);
            }
            (FamilyType::Counter | FamilyType::Gauge | FamilyType::Info, value) => {
                let number = number(value, sample)?;
                Series { batch: self, family, labels, sample }.number(number);
            }
            _ => return Err(NotEncodable::Mismatch),
        }
        Ok(())
    }
}

/// A number point's number; there need not be one where only the end of the stream is told.
fn number(value: Value<'_>, sample: &Sample<'_>) -> Result<f64, NotEncodable> {
    match value {
        Value::Int(int) => Ok(int as f64),
        Value::Double(double) => Ok(double),
        Value::Missing if sample.moments.iter().all(|moment| moment.form == Form::Stale) => Ok(0.0),
        _ => Err(NotEncodable::Mismatch),
    }
}

/// One stream on its way into a batch.
struct Series<'a> {
    batch: &'a mut Batch,
    family: &'a Family,
    labels: &'a Labels,
    sample: &'a Sample<'a>,
}

impl Series<'_> {
    fn number(&mut self, number: f64) {
        let exemplar = match self.family.kind() {
            FamilyType::Counter => newest(self.sample.exemplars, f64::NEG_INFINITY, f64::INFINITY),
            _ => None,
        };
        self.put("", None, number, exemplar);
    }

    fn histogram(&mut self, histogram: HistogramPoint<'_>) {
        let mut below = 0;
        let mut lower = f64::NEG_INFINITY;
        for (&bound, &count) in histogram.bounds.iter().zip(histogram.counts) {
            below += count;
            self.put("_bucket", Some(&bound.to_string()), below as f64, newest(self.sample.exemplars, lower, bound));
            lower = bound;
        }
        let highest = newest(self.sample.exemplars, lower, f64::INFINITY);
        self.put("_bucket", Some("+Inf"), histogram.count as f64, highest);
        if let Some(sum) = histogram.sum {
            self.put("_sum", None, sum, None);
        }
        self.put("_count", None, histogram.count as f64, None);
    }

    fn summary(&mut self, summary: SummaryPoint<'_>) {
        for quantile in summary.quantiles {
            self.put("", Some(&quantile.quantile.to_string()), quantile.value, None);
        }
        self.put("_sum", None, summary.sum, None);
        self.put("_count", None, summary.count as f64, None);
    }

    /// One series: the family's name with `suffix`, the extra label where there is one, a sample per moment.
    fn put(&mut self, suffix: &str, extra: Option<&str>, value: f64, exemplar: Option<&Exemplar<'_>>) {
        let Self { batch, family, labels, sample } = self;
        put_message(&mut batch.bytes, TIMESERIES, |buf| {
            put_labels(buf, family, labels, suffix, extra);
            for moment in sample.moments {
                put_sample(buf, told(value, moment.form), moment.time);
            }
            let tells_value = sample.moments.iter().any(|moment| moment.form == Form::Value);
            if let Some(exemplar) = exemplar.filter(|_| tells_value) {
                exemplars::put(buf, exemplar, family.naming());
            }
        });
        batch.close_series(sample.moments.len());
    }
}

/// What a sample says of a value in this form.
fn told(value: f64, form: Form) -> f64 {
    match form {
        Form::Value if value.is_nan() => NORMAL_NAN,
        Form::Value => value,
        Form::Zero => 0.0,
        Form::Stale => STALE,
    }
}

/// The labels of one series: the blob, with the name and the extra label where they belong.
fn put_labels(buf: &mut Vec<u8>, family: &Family, labels: &Labels, suffix: &str, extra: Option<&str>) {
    let [before_name, before_extra, rest] = labels.parts();
    buf.extend_from_slice(before_name);
    put_label(buf, "__name__", [family.name(), suffix]);
    buf.extend_from_slice(before_extra);
    if let Some(extra) = extra {
        put_label(buf, family.kind().extra_label(), [extra, ""]);
    }
    buf.extend_from_slice(rest);
}

#[cfg(test)]
mod tests;
