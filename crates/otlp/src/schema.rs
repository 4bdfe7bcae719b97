//! The messages of OTLP metrics (opentelemetry-proto 1.10), as far as reading bytes needs them: which field numbers are
//! known, what is on the wire for each, and what it is called when something in it is wrong.
//!
//! A table and not generated structs: it checks and names what nobody wants to decode.

use Kind::{Bytes, Fixed64, KeyValue, Text, Varint};

/// A message.
#[derive(Debug)]
pub(crate) struct Message {
    fields: &'static [Known],
}

/// A known field of a message.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) number: u32,
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) repeated: bool,
}

/// What a field looks like on the wire. Numbers that are repeated may be packed.
#[derive(Debug)]
pub(crate) enum Kind {
    Varint,
    Fixed64,
    Text,
    Bytes,
    /// A [`KEY_VALUE`], which is most of what there is.
    KeyValue,
    Message(&'static Message),
}

impl Kind {
    /// The message that a field of this kind holds.
    pub(crate) const fn message(&self) -> Option<&'static Message> {
        match self {
            Self::KeyValue => Some(&KEY_VALUE),
            Self::Message(message) => Some(message),
            Self::Varint | Self::Fixed64 | Self::Text | Self::Bytes => None,
        }
    }
}

impl Message {
    /// The field with this number, where it is known.
    pub(crate) fn field(&self, number: u32) -> Option<&'static Known> {
        self.fields.iter().find(|known| known.number == number)
    }

    /// A set of numbers (bit n: field n) of the fields that are 64 bits wide on the wire.
    pub(crate) const fn fixed64(&self) -> u16 {
        let mut set = 0;
        let mut position = 0;
        while position < self.fields.len() {
            let known = &self.fields[position];
            if matches!(known.kind, Kind::Fixed64) {
                set |= 1 << known.number;
            }
            position += 1;
        }
        set
    }
}

const fn one(number: u32, name: &'static str, kind: Kind) -> Known {
    Known { number, name, kind, repeated: false }
}

const fn many(number: u32, name: &'static str, kind: Kind) -> Known {
    Known { number, name, kind, repeated: true }
}

pub(crate) static REQUEST: Message =
    Message { fields: &[many(1, "resource_metrics", Kind::Message(&RESOURCE_METRICS))] };

pub(crate) static RESOURCE_METRICS: Message = Message {
    fields: &[
        one(1, "resource", Kind::Message(&RESOURCE)),
        many(2, "scope_metrics", Kind::Message(&SCOPE_METRICS)),
        one(3, "schema_url", Text),
    ],
};

static RESOURCE: Message = Message {
    fields: &[
        many(1, "attributes", KeyValue),
        one(2, "dropped_attributes_count", Varint),
        many(3, "entity_refs", Kind::Message(&ENTITY_REF)),
    ],
};

static ENTITY_REF: Message = Message {
    fields: &[
        one(1, "schema_url", Text),
        one(2, "type", Text),
        many(3, "id_keys", Text),
        many(4, "description_keys", Text),
    ],
};

pub(crate) static SCOPE_METRICS: Message = Message {
    fields: &[
        one(1, "scope", Kind::Message(&SCOPE)),
        many(2, "metrics", Kind::Message(&METRIC)),
        one(3, "schema_url", Text),
    ],
};

static SCOPE: Message = Message {
    fields: &[
        one(1, "name", Text),
        one(2, "version", Text),
        many(3, "attributes", KeyValue),
        one(4, "dropped_attributes_count", Varint),
    ],
};

pub(crate) static METRIC: Message = Message {
    fields: &[
        one(1, "name", Text),
        one(2, "description", Text),
        one(3, "unit", Text),
        one(5, "gauge", Kind::Message(&GAUGE)),
        one(7, "sum", Kind::Message(&SUM)),
        one(9, "histogram", Kind::Message(&HISTOGRAM)),
        one(10, "exponential_histogram", Kind::Message(&EXPONENTIAL_HISTOGRAM)),
        one(11, "summary", Kind::Message(&SUMMARY)),
        many(12, "metadata", KeyValue),
    ],
};

pub(crate) static GAUGE: Message = Message { fields: &[many(1, "data_points", Kind::Message(&NUMBER_POINT))] };

pub(crate) static SUM: Message = Message {
    fields: &[
        many(1, "data_points", Kind::Message(&NUMBER_POINT)),
        one(2, "aggregation_temporality", Varint),
        one(3, "is_monotonic", Varint),
    ],
};

pub(crate) static HISTOGRAM: Message = Message {
    fields: &[many(1, "data_points", Kind::Message(&HISTOGRAM_POINT)), one(2, "aggregation_temporality", Varint)],
};

pub(crate) static EXPONENTIAL_HISTOGRAM: Message = Message {
    fields: &[many(1, "data_points", Kind::Message(&EXPONENTIAL_POINT)), one(2, "aggregation_temporality", Varint)],
};

pub(crate) static SUMMARY: Message = Message { fields: &[many(1, "data_points", Kind::Message(&SUMMARY_POINT))] };

pub(crate) static NUMBER_POINT: Message = Message {
    fields: &[
        one(2, "start_time_unix_nano", Fixed64),
        one(3, "time_unix_nano", Fixed64),
        one(4, "as_double", Fixed64),
        many(5, "exemplars", Kind::Message(&EXEMPLAR)),
        one(6, "as_int", Fixed64),
        many(7, "attributes", KeyValue),
        one(8, "flags", Varint),
    ],
};

pub(crate) static HISTOGRAM_POINT: Message = Message {
    fields: &[
        one(2, "start_time_unix_nano", Fixed64),
        one(3, "time_unix_nano", Fixed64),
        one(4, "count", Fixed64),
        one(5, "sum", Fixed64),
        many(6, "bucket_counts", Fixed64),
        many(7, "explicit_bounds", Fixed64),
        many(8, "exemplars", Kind::Message(&EXEMPLAR)),
        many(9, "attributes", KeyValue),
        one(10, "flags", Varint),
        one(11, "min", Fixed64),
        one(12, "max", Fixed64),
    ],
};

pub(crate) static EXPONENTIAL_POINT: Message = Message {
    fields: &[
        many(1, "attributes", KeyValue),
        one(2, "start_time_unix_nano", Fixed64),
        one(3, "time_unix_nano", Fixed64),
        one(4, "count", Fixed64),
        one(5, "sum", Fixed64),
        one(6, "scale", Varint),
        one(7, "zero_count", Fixed64),
        one(8, "positive", Kind::Message(&BUCKETS)),
        one(9, "negative", Kind::Message(&BUCKETS)),
        one(10, "flags", Varint),
        many(11, "exemplars", Kind::Message(&EXEMPLAR)),
        one(12, "min", Fixed64),
        one(13, "max", Fixed64),
        one(14, "zero_threshold", Fixed64),
    ],
};

static BUCKETS: Message = Message { fields: &[one(1, "offset", Varint), many(2, "bucket_counts", Varint)] };

pub(crate) static SUMMARY_POINT: Message = Message {
    fields: &[
        one(2, "start_time_unix_nano", Fixed64),
        one(3, "time_unix_nano", Fixed64),
        one(4, "count", Fixed64),
        one(5, "sum", Fixed64),
        many(6, "quantile_values", Kind::Message(&QUANTILE)),
        many(7, "attributes", KeyValue),
        one(8, "flags", Varint),
    ],
};

static QUANTILE: Message = Message { fields: &[one(1, "quantile", Fixed64), one(2, "value", Fixed64)] };

static EXEMPLAR: Message = Message {
    fields: &[
        one(2, "time_unix_nano", Fixed64),
        one(3, "as_double", Fixed64),
        one(4, "span_id", Bytes),
        one(5, "trace_id", Bytes),
        one(6, "as_int", Fixed64),
        many(7, "filtered_attributes", KeyValue),
    ],
};

pub(crate) static KEY_VALUE: Message = Message {
    fields: &[one(1, "key", Text), one(2, "value", Kind::Message(&ANY_VALUE)), one(3, "key_strindex", Varint)],
};

static ANY_VALUE: Message = Message {
    fields: &[
        one(1, "string_value", Text),
        one(2, "bool_value", Varint),
        one(3, "int_value", Varint),
        one(4, "double_value", Fixed64),
        one(5, "array_value", Kind::Message(&ARRAY_VALUE)),
        one(6, "kvlist_value", Kind::Message(&KEY_VALUE_LIST)),
        one(7, "bytes_value", Bytes),
        one(8, "string_value_strindex", Varint),
    ],
};

static ARRAY_VALUE: Message = Message { fields: &[many(1, "values", Kind::Message(&ANY_VALUE))] };

static KEY_VALUE_LIST: Message = Message { fields: &[many(1, "values", KeyValue)] };
