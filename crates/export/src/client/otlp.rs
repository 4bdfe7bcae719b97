//! What a backend of OTLP answers by HTTP (OTLP 1.11, "OTLP/HTTP Response").
//!
//! | status | meaning |
//! | --- | --- |
//! | 2xx | stored, but for what the answer calls rejected |
//! | 429, 502, 503, 504 | not now |
//! | 400, 409, 413, 422 | something in it is refused |
//! | 408, any other 5xx | OTLP forbids to send it again; something in it may be the reason (Prometheus answers so to what it can not translate) |
//! | any other | the destination is set up wrongly |
//!
//! The last line is where we go beyond OTLP, which drops what is answered so: totals are kept anyway, so waiting for whoever mends it
//! costs nothing.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use reqwest::Response;
use shardset_wire::{ExportAnswer, status};

use super::answer::{Answer, Cause, Later, RetryAfter, beginning};
use super::rejection::Rejection;

/// The content type of requests and answers.
pub(super) const PROTOBUF: &str = "application/x-protobuf";

/// Reads an answer, of its body only the beginning.
pub(super) async fn read(mut response: Response) -> Answer {
    let body = beginning(&mut response).await;
    answer(response.status(), response.headers(), &body)
}

/// What a status means, with the beginning of the body.
pub(super) fn answer(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Answer {
    let is_protobuf = headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(PROTOBUF.as_bytes()));
    if status.is_success() {
        // An answer that can not be read says no more than its status.
        let told = is_protobuf.then(|| ExportAnswer::decode(body.to_vec().into()).ok()).flatten();
        return Answer::Taken(told.unwrap_or_default());
    }
    let told = is_protobuf.then(|| status::message(body)).flatten();
    let told = told.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    let later = |cause| {
        let told = format!("{status} {}", Rejection::beginning(&told));
        Answer::Later(Later { cause, retry_after: RetryAfter::of(headers), told })
    };
    match status {
        StatusCode::TOO_MANY_REQUESTS => later(Cause::TooManyRequests),
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            later(Cause::ServerError)
        }
        StatusCode::BAD_REQUEST
        | StatusCode::CONFLICT
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNPROCESSABLE_ENTITY => Answer::Refused(Rejection::read(status, &told)),
        status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
            Answer::Refused(Rejection::read(status, &told).doubtful())
        }
        _ => later(Cause::Misconfigured),
    }
}

#[cfg(test)]
mod tests {
    use http::header::{CONTENT_TYPE, RETRY_AFTER};
    use http::{HeaderMap, HeaderValue, StatusCode};
    use shardset_wire::{ExportAnswer, status};

    use super::super::answer::RetryAfter;
    use super::super::rejection::DropReason;
    use super::{Answer, PROTOBUF, answer};

    fn of(code: u16, headers: &[(http::HeaderName, &'static str)], body: &[u8]) -> Answer {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        answer(StatusCode::from_u16(code).unwrap(), &HeaderMap::from_iter(headers), body)
    }

    #[test]
    fn only_four_statuses_are_sent_again_and_misconfigurations_wait() {
        let later = [429, 502, 503, 504].map(|code| (code, "later"));
        let refused = [400, 409, 413, 422].map(|code| (code, "refused"));
        let doubtful = [408, 500, 501, 505, 599].map(|code| (code, "doubtful"));
        let misconfigured = [301, 401, 403, 404, 405, 415].map(|code| (code, "misconfigured"));
        for (code, expected) in [&later[..], &refused, &doubtful, &misconfigured].concat() {
            assert_eq!(of(code, &[], b"").meaning(), expected, "{code}");
        }
    }

    #[test]
    fn a_partial_success_is_read_and_what_is_no_protobuf_is_a_success() {
        let partial = ExportAnswer { rejected_points: 3, message: "too many labels".into(), refused: Vec::new() };
        let taken = |headers: &[_], body: &[u8]| match of(200, headers, body) {
            Answer::Taken(answer) => answer,
            other => panic!("{other:?}"),
        };
        assert_eq!(taken(&[(CONTENT_TYPE, PROTOBUF)], &partial.encode()), partial);
        assert_eq!(taken(&[(CONTENT_TYPE, PROTOBUF)], b"\xff"), ExportAnswer::default());
        assert_eq!(taken(&[], b"<html>"), ExportAnswer::default());
    }

    #[test]
    fn what_an_error_says_is_read_from_either_kind_of_body() {
        let protobuf = status::encode(tonic::Code::InvalidArgument, "out of order sample");
        for (headers, body) in
            [(&[(CONTENT_TYPE, PROTOBUF)][..], protobuf.as_slice()), (&[], b"out of order sample".as_slice())]
        {
            let Answer::Refused(rejection) = of(400, headers, body) else { panic!("it is refused") };
            assert_eq!((rejection.reason, &*rejection.told), (DropReason::OutOfOrder, "out of order sample"));
        }
        let Answer::Refused(rejection) = of(500, &[], b"") else { panic!("it is refused") };
        assert_eq!(rejection.reason, DropReason::ServerError);
        let Answer::Later(later) = of(429, &[(RETRY_AFTER, "7")], b"") else { panic!("it is for later") };
        assert_eq!(later.retry_after, Some(RetryAfter::Header("7".to_owned())));
    }
}
