//! Exemplars: all that came since the last export, as they came.
//!
//! Pure.

use shardset_model::Exemplar;

use super::protobuf::{put_attributes, put_bytes, put_fixed64, put_present_fixed64};
use crate::prompb::put_message;

/// `Exemplar { time = 2, as_double = 3, span_id = 4, trace_id = 5, filtered_attributes = 7 }`, each as this field of a point.
pub(super) fn put(buf: &mut Vec<u8>, field: u64, exemplars: &[Exemplar<'_>]) {
    for exemplar in exemplars {
        put_message(buf, field, |buf| {
            put_fixed64(buf, 2, exemplar.time.0);
            put_present_fixed64(buf, 3, exemplar.value.to_bits());
            put_bytes(buf, 4, exemplar.span_id);
            put_bytes(buf, 5, exemplar.trace_id);
            put_attributes(buf, 7, exemplar.filtered_attributes);
        });
    }
}
