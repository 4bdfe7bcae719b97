//! From a stream's value to its series in a remote-write request.
//!
//! [`parts`] says which series there are; an exponential histogram is one native histogram ([`native`]). All samples that are
//! told of a stream at once, its birth or its end besides its value, go into one series message, in order.
//!
//! Pure.

mod batch;
mod exemplars;
mod native;
mod parts;

use shardset_model::{Exemplar, Value};
use thiserror::Error;

use crate::number::push_bound;
use crate::prompb::{NORMAL_NAN, STALE, put_label, put_message, put_sample};
use crate::{Family, FamilyType, Form, Labels, Moment, Sample};

pub use self::batch::SeriesBatch;
pub(crate) use self::exemplars::ExemplarLabels;
use self::exemplars::newest;
pub(crate) use self::parts::{Part, Parts};

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

impl SeriesBatch {
    /// Appends the series of a stream, each with a sample per moment.
    ///
    /// # Errors
    ///
    /// The stream has no series; the batch is as it was.
    pub fn append(&mut self, family: &Family, labels: &Labels, sample: &Sample<'_>) -> Result<(), NotEncodable> {
        if sample.moments.is_empty() {
            return Ok(());
        }
        if let (FamilyType::NativeHistogram, Value::Exponential(point)) = (family.kind(), sample.value) {
            return native::append(self, family, labels, sample, &point);
        }
        let only_ended = sample.moments.iter().all(|moment| moment.form == Form::Stale);
        let value = match sample.value {
            // The end can be told without a number.
            Value::Missing if only_ended => Value::Double(0.0),
            value => value,
        };
        let mut bound = String::new();
        Parts::of(family.kind(), value, sample.exemplars)?.each(|part| {
            bound.clear();
            let extra = part.bound.map(|number| {
                push_bound(&mut bound, number);
                bound.as_str()
            });
            put_message(&mut self.bytes, TIMESERIES, |buf| {
                put_labels(buf, family, labels, part.suffix, extra);
                put_samples(buf, part.value, part.exemplar, sample.moments, family);
            });
            self.close_series(sample.moments.len());
        });
        Ok(())
    }
}

/// A sample per moment, and the exemplar where one of them tells the value.
fn put_samples(buf: &mut Vec<u8>, value: f64, exemplar: Option<&Exemplar<'_>>, moments: &[Moment], family: &Family) {
    for moment in moments {
        put_sample(buf, told(value, moment.form), moment.time);
    }
    let tells_value = moments.iter().any(|moment| moment.form == Form::Value);
    if let Some(exemplar) = exemplar.filter(|_| tells_value) {
        exemplars::put(buf, exemplar, family.naming());
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
