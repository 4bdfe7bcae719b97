//! Exemplars: the newest one of each series goes with its sample.
//!
//! Trace and span become the labels `trace_id` and `span_id`. The attributes that a view took away come along only where all
//! labels together stay within 128 characters, the limit of OpenMetrics, which backends check.
//!
//! Pure.

use std::fmt::Write;

use shardset_model::Exemplar;
use shardset_otlp::attributes::attributes;

use crate::labels::LabelNaming;
use crate::prompb::{put_double, put_label, put_message, put_uint};

/// Characters that the names and values of an exemplar's labels may have together.
const MAX_CHARS: usize = 128;

/// The newest exemplar whose value lies above `lower` and not above `upper`.
pub(crate) fn newest<'a>(exemplars: &'a [Exemplar<'a>], lower: f64, upper: f64) -> Option<&'a Exemplar<'a>> {
    let within = |exemplar: &&Exemplar<'_>| {
        (exemplar.value > lower || lower == f64::NEG_INFINITY && exemplar.value == lower) && exemplar.value <= upper
    };
    exemplars.iter().filter(within).max_by_key(|exemplar| exemplar.time)
}

/// `Exemplar { labels = 1, value = 2, timestamp = 3 }` as field 3 of a series.
pub(super) fn put(buf: &mut Vec<u8>, exemplar: &Exemplar<'_>, naming: LabelNaming) {
    put_message(buf, 3, |buf| {
        for (name, value) in ExemplarLabels::of(exemplar, naming).iter() {
            put_label(buf, name, [value, ""]);
        }
        put_double(buf, 2, exemplar.value);
        put_uint(buf, 3, exemplar.time.millis().0 as u64);
    });
}

/// The labels of an exemplar, sorted by name.
pub(crate) struct ExemplarLabels(Vec<(String, String)>);

impl ExemplarLabels {
    pub(crate) fn of(exemplar: &Exemplar<'_>, naming: LabelNaming) -> Self {
        let ids = [("trace_id", exemplar.trace_id), ("span_id", exemplar.span_id)];
        let mut labels: Vec<(String, String)> = ids
            .into_iter()
            .filter(|(_, id)| id.iter().any(|byte| *byte != 0))
            .map(|(name, id)| (name.to_owned(), hex(id)))
            .collect();
        let of_trace = labels.len();
        for attribute in attributes(exemplar.filtered_attributes) {
            labels.push((naming.label(attribute.key).into_owned(), attribute.value.to_text().into_owned()));
        }
        let chars: usize = labels.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum();
        if chars > MAX_CHARS {
            labels.truncate(of_trace);
        }
        labels.retain(|(_, value)| !value.is_empty());
        labels.sort_by(|a, b| a.0.cmp(&b.0));
        labels.dedup_by(|later, earlier| later.0 == earlier.0);
        Self(labels)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}
