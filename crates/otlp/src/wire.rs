//! Malformed.
use thiserror::Error;

/// Why bytes are not an `ExportMetricsServiceRequest` that Shardset takes: what is wrong, and where.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("malformed protobuf: {what} at byte {at} ({path})")]
pub struct Malformed {
    /// What is wrong.
    pub what: Fault,
    /// Where, in bytes from the beginning of the request.
    pub at: usize,
    /// The message there, for example `resource_metrics[0].scope_metrics[1].metrics[3].sum.data_points[17]`.
    pub path: String,
}

/// What is wrong with bytes that should be protobuf.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Fault {
    /// The message ends within a field.
    #[error("the message ends within a field")]
    Truncated,
}
