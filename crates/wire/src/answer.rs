//! The answer to an `Export`: OTLP's own message, and on the hop from worker to gateway one field more.
//!
//! ```text
//! ExportMetricsServiceResponse                     as OTLP has it
//!   1: partial_success
//!        1: rejected_data_points (int64)
//!        2: error_message (string)
//!   1001: refused (repeated)                       ours; other readers skip it as unknown
//!        1: resource_index (uint32)                ordinal of the top-level ResourceMetrics in the request
//!        2: points (uint64)                        how many of its points were refused for good
//!        3: reason (string)                        why, naming the metric, in words for the sender's log
//! ```
//!
//! A gateway merges many clients' parts into one request by concatenation, so the ordinal says whose part it was.

use bytes::Bytes;
use prost::Message;

/// An answer of success: everything that is not named as refused is durable at its owner.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ExportAnswer {
    /// How many points were refused for good.
    pub rejected_points: u64,
    /// Why, for the sender's log. Empty where nothing was refused.
    pub message: String,
    /// Which parts of the request the refused points were in. Empty towards clients.
    pub refused: Vec<RefusedPart>,
}

/// Points of one `ResourceMetrics` that were refused for one reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefusedPart {
    /// Ordinal of the top-level `ResourceMetrics` in the request.
    pub resource_index: u32,
    /// How many points.
    pub points: u64,
    /// Why, naming the metric.
    pub reason: String,
}

impl ExportAnswer {
    /// The answer as a protobuf message. A full success is no bytes at all.
    pub fn encode(&self) -> Bytes {
        let partial = (self.rejected_points > 0 || !self.message.is_empty()).then(|| PartialSuccess {
            rejected_data_points: i64::try_from(self.rejected_points).unwrap_or(i64::MAX),
            error_message: self.message.clone(),
        });
        let refused = self.refused.iter().map(Refused::from).collect();
        Response { partial_success: partial, refused }.encode_to_vec().into()
    }

    /// The answer in these bytes.
    ///
    /// # Errors
    ///
    /// Where they are no such message.
    pub fn decode(bytes: Bytes) -> Result<Self, prost::DecodeError> {
        let response = Response::decode(bytes)?;
        let partial = response.partial_success.unwrap_or_default();
        Ok(Self {
            rejected_points: u64::try_from(partial.rejected_data_points).unwrap_or(0),
            message: partial.error_message,
            refused: response.refused.into_iter().map(RefusedPart::from).collect(),
        })
    }
}

#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
    #[prost(message, repeated, tag = "1001")]
    refused: Vec<Refused>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected_data_points: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

#[derive(Clone, PartialEq, Message)]
struct Refused {
    #[prost(uint32, tag = "1")]
    resource_index: u32,
    #[prost(uint64, tag = "2")]
    points: u64,
    #[prost(string, tag = "3")]
    reason: String,
}

impl From<&RefusedPart> for Refused {
    fn from(part: &RefusedPart) -> Self {
        Self { resource_index: part.resource_index, points: part.points, reason: part.reason.clone() }
    }
}

impl From<Refused> for RefusedPart {
    fn from(part: Refused) -> Self {
        Self { resource_index: part.resource_index, points: part.points, reason: part.reason }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{ExportAnswer, RefusedPart};

    #[test]
    fn full_success_is_an_empty_message() {
        assert_eq!(ExportAnswer::default().encode(), Bytes::new());
        assert_eq!(ExportAnswer::decode(Bytes::new()), Ok(ExportAnswer::default()));
    }

    #[test]
    fn a_partial_success_is_read_by_any_otlp_client() {
        let answer = ExportAnswer { rejected_points: 3, message: "no".into(), refused: Vec::new() };
        assert_eq!(answer.encode().as_ref(), [0x0a, 6, 0x08, 3, 0x12, 2, b'n', b'o']);
    }

    #[test]
    fn refused_parts_survive_the_hop() {
        let answer = ExportAnswer {
            rejected_points: 3,
            message: "x: the value is not a finite number".into(),
            refused: vec![RefusedPart { resource_index: 7, points: 3, reason: "x".into() }],
        };
        assert_eq!(ExportAnswer::decode(answer.encode()), Ok(answer));
    }
}
