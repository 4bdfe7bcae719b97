//! OTLP's messages as a table: what each field is called in JSON, its number, and how it is written.
//!
//! Fields stand in the order they are written: by number, a choice (`oneof`) at the place of its lowest number, which is
//! prost's order, so that a test can compare bytes. From opentelemetry-proto 1.11: common, resource, metrics, collector.

/// A message.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) fields: &'static [Field],
}

/// A field of a message.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) json: &'static str,
    pub(super) number: u32,
    pub(super) kind: Kind,
    pub(super) label: Label,
}

/// How a value is written, in JSON and in protobuf.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Bool,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Fixed64,
    Sfixed64,
    Double,
    Enum,
    Text,
    /// Bytes that JSON has in base64.
    Base64,
    /// Bytes that JSON has in hex: trace and span ids.
    Hex,
    Message(&'static Message),
}

/// How often a field may stand, and when it is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Label {
    /// Written unless it has its default value.
    Plain,
    /// Written whenever it is there.
    Optional,
    /// Of the members with this label at most one may be there; written whenever it is there. No message has two choices.
    Choice,
    /// An array in JSON. Packed if its elements are numbers.
    Repeated,
}

impl Kind {
    pub(super) const fn is_packable(self) -> bool {
        !matches!(self, Self::Text | Self::Base64 | Self::Hex | Self::Message(_))
    }

    /// The protobuf wire type of one value.
    pub(super) const fn wire_type(self) -> u32 {
        match self {
            Self::Bool | Self::Int32 | Self::Int64 | Self::Uint32 | Self::Uint64 | Self::Sint32 | Self::Enum => 0,
            Self::Fixed64 | Self::Sfixed64 | Self::Double => 1,
            Self::Text | Self::Base64 | Self::Hex | Self::Message(_) => 2,
        }
    }
}

const fn plain(number: u32, json: &'static str, kind: Kind) -> Field {
    Field { json, number, kind, label: Label::Plain }
}

const fn optional(number: u32, json: &'static str, kind: Kind) -> Field {
    Field { json, number, kind, label: Label::Optional }
}

const fn choice(number: u32, json: &'static str, kind: Kind) -> Field {
    Field { json, number, kind, label: Label::Choice }
}

const fn repeated(number: u32, json: &'static str, kind: Kind) -> Field {
    Field { json, number, kind, label: Label::Repeated }
}

/// A message is written whenever it is there, however empty.
const fn message(number: u32, json: &'static str, message: &'static Message) -> Field {
    optional(number, json, Kind::Message(message))
}

const fn messages(number: u32, json: &'static str, message: &'static Message) -> Field {
    repeated(number, json, Kind::Message(message))
}

pub(super) static REQUEST: Message = Message { fields: &[messages(1, "resourceMetrics", &RESOURCE_METRICS)] };

static RESOURCE_METRICS: Message = Message {
    fields: &[
        message(1, "resource", &RESOURCE),
        messages(2, "scopeMetrics", &SCOPE_METRICS),
        plain(3, "schemaUrl", Kind::Text),
    ],
};

static RESOURCE: Message = Message {
    fields: &[
        messages(1, "attributes", &KEY_VALUE),
        plain(2, "droppedAttributesCount", Kind::Uint32),
        messages(3, "entityRefs", &ENTITY_REF),
    ],
};

static ENTITY_REF: Message = Message {
    fields: &[
        plain(1, "schemaUrl", Kind::Text),
        plain(2, "type", Kind::Text),
        repeated(3, "idKeys", Kind::Text),
        repeated(4, "descriptionKeys", Kind::Text),
    ],
};

static SCOPE_METRICS: Message = Message {
    fields: &[message(1, "scope", &SCOPE), messages(2, "metrics", &METRIC), plain(3, "schemaUrl", Kind::Text)],
};

static SCOPE: Message = Message {
    fields: &[
        plain(1, "name", Kind::Text),
        plain(2, "version", Kind::Text),
        messages(3, "attributes", &KEY_VALUE),
        plain(4, "droppedAttributesCount", Kind::Uint32),
    ],
};

static METRIC: Message = Message {
    fields: &[
        plain(1, "name", Kind::Text),
        plain(2, "description", Kind::Text),
        plain(3, "unit", Kind::Text),
        choice(5, "gauge", Kind::Message(&GAUGE)),
        choice(7, "sum", Kind::Message(&SUM)),
        choice(9, "histogram", Kind::Message(&HISTOGRAM)),
        choice(10, "exponentialHistogram", Kind::Message(&EXPONENTIAL_HISTOGRAM)),
        choice(11, "summary", Kind::Message(&SUMMARY)),
        messages(12, "metadata", &KEY_VALUE),
    ],
};

static GAUGE: Message = Message { fields: &[messages(1, "dataPoints", &NUMBER_POINT)] };

static SUM: Message = Message {
    fields: &[
        messages(1, "dataPoints", &NUMBER_POINT),
        plain(2, "aggregationTemporality", Kind::Enum),
        plain(3, "isMonotonic", Kind::Bool),
    ],
};

static HISTOGRAM: Message =
    Message { fields: &[messages(1, "dataPoints", &HISTOGRAM_POINT), plain(2, "aggregationTemporality", Kind::Enum)] };

static EXPONENTIAL_HISTOGRAM: Message = Message {
    fields: &[messages(1, "dataPoints", &EXPONENTIAL_POINT), plain(2, "aggregationTemporality", Kind::Enum)],
};

static SUMMARY: Message = Message { fields: &[messages(1, "dataPoints", &SUMMARY_POINT)] };

static NUMBER_POINT: Message = Message {
    fields: &[
        plain(2, "startTimeUnixNano", Kind::Fixed64),
        plain(3, "timeUnixNano", Kind::Fixed64),
        choice(4, "asDouble", Kind::Double),
        choice(6, "asInt", Kind::Sfixed64),
        messages(5, "exemplars", &EXEMPLAR),
        messages(7, "attributes", &KEY_VALUE),
        plain(8, "flags", Kind::Uint32),
    ],
};

static HISTOGRAM_POINT: Message = Message {
    fields: &[
        plain(2, "startTimeUnixNano", Kind::Fixed64),
        plain(3, "timeUnixNano", Kind::Fixed64),
        plain(4, "count", Kind::Fixed64),
        optional(5, "sum", Kind::Double),
        repeated(6, "bucketCounts", Kind::Fixed64),
        repeated(7, "explicitBounds", Kind::Double),
        messages(8, "exemplars", &EXEMPLAR),
        messages(9, "attributes", &KEY_VALUE),
        plain(10, "flags", Kind::Uint32),
        optional(11, "min", Kind::Double),
        optional(12, "max", Kind::Double),
    ],
};

static EXPONENTIAL_POINT: Message = Message {
    fields: &[
        messages(1, "attributes", &KEY_VALUE),
        plain(2, "startTimeUnixNano", Kind::Fixed64),
        plain(3, "timeUnixNano", Kind::Fixed64),
        plain(4, "count", Kind::Fixed64),
        optional(5, "sum", Kind::Double),
        plain(6, "scale", Kind::Sint32),
        plain(7, "zeroCount", Kind::Fixed64),
        message(8, "positive", &BUCKETS),
        message(9, "negative", &BUCKETS),
        plain(10, "flags", Kind::Uint32),
        messages(11, "exemplars", &EXEMPLAR),
        optional(12, "min", Kind::Double),
        optional(13, "max", Kind::Double),
        plain(14, "zeroThreshold", Kind::Double),
    ],
};

static BUCKETS: Message =
    Message { fields: &[plain(1, "offset", Kind::Sint32), repeated(2, "bucketCounts", Kind::Uint64)] };

static SUMMARY_POINT: Message = Message {
    fields: &[
        plain(2, "startTimeUnixNano", Kind::Fixed64),
        plain(3, "timeUnixNano", Kind::Fixed64),
        plain(4, "count", Kind::Fixed64),
        plain(5, "sum", Kind::Double),
        messages(6, "quantileValues", &QUANTILE),
        messages(7, "attributes", &KEY_VALUE),
        plain(8, "flags", Kind::Uint32),
    ],
};

static QUANTILE: Message = Message { fields: &[plain(1, "quantile", Kind::Double), plain(2, "value", Kind::Double)] };

static EXEMPLAR: Message = Message {
    fields: &[
        plain(2, "timeUnixNano", Kind::Fixed64),
        choice(3, "asDouble", Kind::Double),
        choice(6, "asInt", Kind::Sfixed64),
        plain(4, "spanId", Kind::Hex),
        plain(5, "traceId", Kind::Hex),
        messages(7, "filteredAttributes", &KEY_VALUE),
    ],
};

static KEY_VALUE: Message = Message {
    fields: &[plain(1, "key", Kind::Text), message(2, "value", &ANY_VALUE), plain(3, "keyStrindex", Kind::Int32)],
};

static ANY_VALUE: Message = Message {
    fields: &[
        choice(1, "stringValue", Kind::Text),
        choice(2, "boolValue", Kind::Bool),
        choice(3, "intValue", Kind::Int64),
        choice(4, "doubleValue", Kind::Double),
        choice(5, "arrayValue", Kind::Message(&ARRAY_VALUE)),
        choice(6, "kvlistValue", Kind::Message(&KEY_VALUE_LIST)),
        choice(7, "bytesValue", Kind::Base64),
        choice(8, "stringValueStrindex", Kind::Int32),
    ],
};

static ARRAY_VALUE: Message = Message { fields: &[messages(1, "values", &ANY_VALUE)] };

static KEY_VALUE_LIST: Message = Message { fields: &[messages(1, "values", &KEY_VALUE)] };
