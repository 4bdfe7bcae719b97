//! Frames of gRPC, and what a backend of OTLP answers by it (OTLP 1.11, "Failures").
//!
//! | code | meaning |
//! | --- | --- |
//! | OK | stored, but for what the answer calls rejected |
//! | CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS | not now; RESOURCE_EXHAUSTED too, where `RetryInfo` says so |
//! | INVALID_ARGUMENT, RESOURCE_EXHAUSTED otherwise | something in it is refused |
//! | UNAUTHENTICATED, PERMISSION_DENIED, UNIMPLEMENTED | the destination is set up wrongly; as by HTTP, that is waited for |
//! | any other | OTLP forbids to send it again; something in it may be the reason |
//!
//! One OUT_OF_RANGE is none: tonic's servers answer so to a message that is longer than they take, and would for ever.
//!
//! An answer without a status comes from something in between that knows no gRPC, and means what its HTTP status does (gRPC,
//! "HTTP to gRPC Status Code Mapping").

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use reqwest::{Body, Response};
use shardset_wire::{ExportAnswer, status};
use tonic::{Code, Status};

use super::answer::{Answer, Cause, Later, RetryAfter};
use super::otlp;
use super::rejection::{DropReason, Rejection};

/// Before each message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// As much of an answer's message is kept.
const MAX_MESSAGE: usize = 64 * 1024;

/// A message in its frame.
pub(super) fn frame(message: &[u8], is_compressed: bool) -> Bytes {
    let mut frame = BytesMut::with_capacity(PREFIX_BYTES + message.len());
    frame.put_u8(is_compressed.into());
    frame.put_u32(u32::try_from(message.len()).expect("a message is far below 4 GiB"));
    frame.put_slice(message);
    frame.freeze()
}

/// Reads an answer to its end, where the status is.
pub(super) async fn read(response: Response) -> Answer {
    let response = http::Response::<Body>::from(response);
    let (head, mut body) = response.into_parts();
    // A failure may have its status in the head, and no body.
    let mut status = Status::from_header_map(&head.headers);
    let mut message = Vec::new();
    while let Some(part) = body.frame().await {
        match part.map(|part| part.into_data().map_err(|part| part.into_trailers())) {
            Ok(Ok(data)) if message.len() < MAX_MESSAGE => message.extend_from_slice(&data),
            Ok(Ok(_) | Err(Err(_))) => {}
            Ok(Err(Ok(trailers))) => status = Status::from_header_map(&trailers).or(status),
            Err(error) => return Answer::Later(Later::failed(error)),
        }
    }
    match status {
        Some(status) if status.code() == Code::Ok => Answer::Taken(taken(&message)),
        Some(status) => of_status(&status),
        None => of_other(head.status, &head.headers, &message),
    }
}

/// The message of a success; one that can not be read says no more than its status.
fn taken(framed: &[u8]) -> ExportAnswer {
    let message =
        framed.split_at_checked(PREFIX_BYTES).filter(|(prefix, _)| prefix[0] == 0).map(|(_, message)| message);
    let answer = message.and_then(|message| ExportAnswer::decode(Bytes::copy_from_slice(message)).ok());
    answer.unwrap_or_default()
}

fn of_status(status: &Status) -> Answer {
    let told = format!("{:?} {}", status.code(), Rejection::beginning(status.message()));
    let retry_after = status::retry_after(status);
    let is_told_to_wait = retry_after.is_some();
    let later = |cause| Answer::Later(Later { cause, retry_after: retry_after.map(RetryAfter::Delay), told });
    let refused = || Rejection::of(format!("{:?}", status.code()), status.message());
    match status.code() {
        Code::OutOfRange if is_too_large(status) => Answer::Refused(refused().because(DropReason::TooLarge)),
        Code::ResourceExhausted if is_told_to_wait => later(Cause::TooManyRequests),
        Code::DeadlineExceeded => later(Cause::Timeout),
        Code::Cancelled | Code::Aborted | Code::OutOfRange | Code::Unavailable | Code::DataLoss => {
            later(Cause::ServerError)
        }
        Code::Unauthenticated | Code::PermissionDenied | Code::Unimplemented => later(Cause::Misconfigured),
        Code::ResourceExhausted => Answer::Refused(refused().because(DropReason::TooLarge)),
        Code::InvalidArgument => Answer::Refused(refused()),
        _ => Answer::Refused(refused().doubtful()),
    }
}

fn is_too_large(status: &Status) -> bool {
    status.message().contains("message length too large")
}

/// A success without a status is no gRPC at all.
fn of_other(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Answer {
    if status.is_success() {
        let told = format!("{status}, and no status of gRPC");
        return Answer::Later(Later::because(Cause::Misconfigured, told));
    }
    otlp::answer(status, headers, body)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, StatusCode};
    use shardset_wire::{ExportAnswer, status};
    use tonic::{Code, Status};

    use super::{Answer, DropReason, RetryAfter, frame, of_other, of_status, taken};

    #[test]
    fn every_code_has_the_meaning_that_otlp_gives_it() {
        let table = [
            (Code::Cancelled, "later"),
            (Code::Unknown, "doubtful"),
            (Code::InvalidArgument, "refused"),
            (Code::DeadlineExceeded, "later"),
            (Code::NotFound, "doubtful"),
            (Code::AlreadyExists, "doubtful"),
            (Code::PermissionDenied, "misconfigured"),
            (Code::ResourceExhausted, "refused"),
            (Code::FailedPrecondition, "doubtful"),
            (Code::Aborted, "later"),
            (Code::OutOfRange, "later"),
            (Code::Unimplemented, "misconfigured"),
            (Code::Internal, "doubtful"),
            (Code::Unavailable, "later"),
            (Code::DataLoss, "later"),
            (Code::Unauthenticated, "misconfigured"),
        ];
        for (code, expected) in table {
            assert_eq!(of_status(&Status::new(code, "no")).meaning(), expected, "{code:?}");
        }
    }

    #[test]
    fn a_retry_info_is_honoured_and_makes_exhausted_resources_pass() {
        let wait = Duration::from_millis(1500);
        for code in [Code::ResourceExhausted, Code::Unavailable] {
            let Answer::Later(later) = of_status(&status::with_retry_info(code, "busy".to_owned(), wait)) else {
                panic!("{code:?} is for later")
            };
            assert_eq!(later.retry_after, Some(RetryAfter::Delay(wait)), "{code:?}");
        }
    }

    #[test]
    fn a_message_that_a_server_never_takes_is_not_sent_for_ever() {
        let told = "Error, decoded message length too large: found 9 bytes, the limit is: 4 bytes";
        let Answer::Refused(rejection) = of_status(&Status::out_of_range(told)) else { panic!("it is refused") };
        assert_eq!((rejection.reason, rejection.is_doubtful), (DropReason::TooLarge, false));
    }

    #[test]
    fn what_stands_in_between_is_heard_by_its_http_status() {
        let table = [(503, "later"), (429, "later"), (500, "doubtful"), (401, "misconfigured"), (200, "misconfigured")];
        for (code, expected) in table {
            let answer = of_other(StatusCode::from_u16(code).unwrap(), &HeaderMap::new(), b"");
            assert_eq!(answer.meaning(), expected, "{code}");
        }
    }

    #[test]
    fn a_message_is_framed_and_an_answer_read_from_its_frame() {
        assert_eq!(frame(b"abc", false).as_ref(), b"\0\0\0\0\x03abc");
        assert_eq!(frame(b"abc", true)[0], 1);
        let partial = ExportAnswer { rejected_points: 3, message: "no".into(), refused: Vec::new() };
        assert_eq!(taken(&frame(&partial.encode(), false)), partial);
        for unreadable in [&b""[..], b"\0\0", &frame(&partial.encode(), true), &frame(b"\xff", false)] {
            assert_eq!(taken(unreadable), ExportAnswer::default());
        }
    }
}
