//! `google.rpc.Status` and the one detail we send with it, `google.rpc.RetryInfo`.
//!
//! OTLP lets a client retry `RESOURCE_EXHAUSTED` only with a `RetryInfo`, and waits as long as it says on `UNAVAILABLE`.
//! Over HTTP the same `Status` is the body of every error. Field numbers are those of google/rpc/status.proto and
//! google/rpc/error_details.proto.

use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use tonic::{Code, Status};

const RETRY_INFO_TYPE: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// A retryable answer: `UNAVAILABLE`, to be sent again after `retry_after`.
pub fn unavailable(message: impl Into<String>, retry_after: Duration) -> Status {
    with_retry_info(Code::Unavailable, message.into(), retry_after)
}

/// A status of this code which tells the client to come back after `retry_after`.
pub fn with_retry_info(code: Code, message: String, retry_after: Duration) -> Status {
    let details = RpcStatus { code: code as i32, message: message.clone(), details: vec![retry_info(retry_after)] };
    Status::with_details(code, message, Bytes::from(details.encode_to_vec()))
}

/// How long the sender of this status wants us to wait, where it says so.
pub fn retry_after(status: &Status) -> Option<Duration> {
    let details = RpcStatus::decode(status.details()).ok()?;
    let detail = details.details.iter().find(|detail| detail.type_url == RETRY_INFO_TYPE)?;
    let delay = RetryInfo::decode(detail.value.as_slice()).ok()?.retry_delay?;
    Some(Duration::new(u64::try_from(delay.seconds).ok()?, u32::try_from(delay.nanos).ok()?))
}

/// The body of an HTTP error, as protobuf.
pub fn encode(code: Code, message: &str) -> Vec<u8> {
    RpcStatus { code: code as i32, message: message.to_owned(), details: Vec::new() }.encode_to_vec()
}

/// What an HTTP error's body says, where it is protobuf.
pub fn message(body: &[u8]) -> Option<String> {
    RpcStatus::decode(body).ok().map(|status| status.message)
}

fn retry_info(after: Duration) -> Any {
    let delay = ProtoDuration {
        seconds: i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(after.subsec_nanos()).expect("below 10^9, so it fits 31 bits"),
    };
    Any { type_url: RETRY_INFO_TYPE.to_owned(), value: RetryInfo { retry_delay: Some(delay) }.encode_to_vec() }
}

#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<ProtoDuration>,
}

#[derive(Clone, PartialEq, Message)]
struct ProtoDuration {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic::{Code, Status};

    use super::{encode, message, retry_after, unavailable};

    #[test]
    fn a_retryable_status_says_when_to_come_back() {
        let status = unavailable("the worker is busy", Duration::from_millis(1500));
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(retry_after(&status), Some(Duration::from_millis(1500)));
        assert_eq!(retry_after(&Status::unavailable("no detail")), None);
    }

    #[test]
    fn an_http_error_body_is_a_google_rpc_status() {
        let body = encode(Code::InvalidArgument, "no");
        assert_eq!(body, [0x08, 3, 0x12, 2, b'n', b'o']);
        assert_eq!((message(&body), message(b"no")), (Some("no".to_owned()), None));
    }
}
