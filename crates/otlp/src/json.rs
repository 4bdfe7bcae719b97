//! OTLP/JSON to the canonical protobuf of the same request.
//!
//! Decision: one table of OTLP's messages (`table`) and one encoder of proto3 JSON that is driven by it (`encode`), so
//! each rule stands in one place and holds for every field. Protobuf is written as the JSON is read; nothing is built in
//! between. It is canonical: fields in the table's order, defaults left out, members of a choice kept. So a stream has one
//! identity whichever way its points come in, and the stages behind see no JSON.
//!
//! The rules are those of proto3 JSON with OTLP's three exceptions (keys are lowerCamelCase only, enums are integers only,
//! trace and span ids are hex), read strictly where leniency would lose something:
//!
//! | input | what becomes of it |
//! | --- | --- |
//! | an unknown key, `snake_case` ones included | ignored, as OTLP demands |
//! | `null` | the field is absent; as an element of an array an error |
//! | integers | numbers or strings, `1.5e18` and `"1e3"` too; a fraction or what is out of range is an error |
//! | doubles | numbers or strings, `"NaN"`, `"Infinity"`, `"-Infinity"` |
//! | bytes | base64, standard or url-safe, padded or not; ids are hex of any case |
//! | `{}` | an empty message, which is not the same as none |
//! | one key twice, two members of one choice | an error: one of them would be lost |
//! | another type, `{"low": 1, "high": 2}` for an integer, the name of an enum | an error that names the path |
//!
//! A number with a fraction or an exponent is read as a double first, so an integer written that way is exact up to 2^53
//! and beyond it where the double is.
//!
//! Does not check what protobuf can not say, such as a point without a value.

mod encode;
mod fields;
mod number;
mod output;
mod path;
mod table;
mod text;

use serde::de::DeserializeSeed;
use thiserror::Error;

use encode::{Encoder, Root};

pub use number::Fault;

/// Why a body is not an `ExportMetricsServiceRequest` in JSON.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum JsonError {
    /// It is no JSON, or no UTF-8.
    #[error("broken JSON: {what}")]
    Broken {
        /// What is wrong, with line and column.
        what: String,
    },
    /// A field has a value that it can not have.
    #[error("{path} is {fault} (line {line} column {column})")]
    Field {
        /// Which, for example `resourceMetrics[0].scopeMetrics[1].metrics[3].sum.dataPoints[17].asInt`.
        path: String,
        /// What is wrong with it.
        fault: Fault,
        /// Where the value ends, counted from 1.
        line: usize,
        /// Where in that line, in bytes counted from 1.
        column: usize,
    },
    /// As protobuf it would be larger than allowed.
    #[error("the request is larger than {limit} bytes as protobuf")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
}

/// The most bytes that JSON of this length can make: `0,` in a list of doubles is 2 bytes of JSON and 8 of protobuf.
pub const fn output_bound(json_length: usize) -> usize {
    json_length.saturating_mul(4)
}

/// Turns JSON into protobuf of at most `limit` bytes.
///
/// While it works it holds the output and, for fields that have to be put in order, once more the message they are in.
///
/// # Errors
///
/// The first thing that can not be taken as it is.
pub fn to_protobuf(json: &[u8], limit: usize) -> Result<Vec<u8>, JsonError> {
    let mut encoder = Encoder::new(limit);
    let mut reader = serde_json::Deserializer::from_slice(json);
    match Root(&mut encoder).deserialize(&mut reader).and_then(|()| reader.end()) {
        Ok(()) => Ok(encoder.into_output()),
        Err(error) => Err(encoder.explain(&error)),
    }
}

#[cfg(test)]
mod tests;
