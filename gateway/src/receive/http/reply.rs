//! Answers of OTLP/HTTP: OTLP's success, and `google.rpc.Status` for everything else, in the request's encoding.
//!
//! Clients retry 429, 502, 503 and 504 and nothing else, so what is temporary is a 503 with `Retry-After`, a slow body
//! included (408 would be final), and nothing is ever a 500.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::json;
use shardset_wire::{ExportAnswer, status};
use tonic::Code;

use super::head::Format;
use crate::receive::{Encoding, Outcome};

/// Every point is durable, or is one of the rejected.
#[derive(Debug)]
pub(super) struct Success {
    pub(super) rejected_points: u64,
    pub(super) message: String,
}

impl Success {
    pub(super) const fn is_full(&self) -> bool {
        self.rejected_points == 0 && self.message.is_empty()
    }

    pub(super) fn write(self, format: Format) -> Response<Full<Bytes>> {
        let body = match format {
            Format::Protobuf => {
                let Self { rejected_points, message } = self;
                ExportAnswer { rejected_points, message, refused: Vec::new() }.encode()
            }
            Format::Json if self.is_full() => Bytes::from_static(b"{}"),
            Format::Json => {
                // 64-bit integers are strings in proto3 JSON.
                let rejected = self.rejected_points.to_string();
                let partial = json!({ "rejectedDataPoints": rejected, "errorMessage": self.message });
                json!({ "partialSuccess": partial }).to_string().into()
            }
        };
        respond(StatusCode::OK, format, body)
    }
}

/// Why a request was not taken.
#[derive(Debug)]
pub(super) enum Refusal {
    Path(String),
    Method(String),
    ContentType(String),
    ContentEncoding(String),
    Malformed(String),
    TooLarge(String),
    Unavailable {
        message: String,
        retry_after: Duration,
    },
    /// The client broke off. Whoever still reads (a proxy) may send again.
    Gone,
}

impl Refusal {
    pub(super) const fn outcome(&self) -> Outcome {
        match self {
            Self::Path(_) | Self::Method(_) | Self::ContentType(_) | Self::ContentEncoding(_) => Outcome::NotServed,
            Self::Malformed(_) => Outcome::Malformed,
            Self::TooLarge(_) => Outcome::TooLarge,
            Self::Unavailable { .. } => Outcome::Unavailable,
            Self::Gone => Outcome::Gone,
        }
    }

    pub(super) fn write(self, format: Format) -> Response<Full<Bytes>> {
        let (http, code) = self.codes();
        let header = self.header();
        let message = self.message();
        let body = match format {
            Format::Protobuf => status::encode(code, &message).into(),
            Format::Json => json!({ "code": code as i32, "message": message }).to_string().into(),
        };
        let mut response = respond(http, format, body);
        response.headers_mut().extend(header);
        response
    }

    const fn codes(&self) -> (StatusCode, Code) {
        match self {
            Self::Path(_) => (StatusCode::NOT_FOUND, Code::Unimplemented),
            Self::Method(_) => (StatusCode::METHOD_NOT_ALLOWED, Code::Unimplemented),
            Self::ContentType(_) | Self::ContentEncoding(_) => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument)
            }
            Self::Malformed(_) => (StatusCode::BAD_REQUEST, Code::InvalidArgument),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, Code::ResourceExhausted),
            Self::Unavailable { .. } | Self::Gone => (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable),
        }
    }

    /// What the client needs to do better.
    fn header(&self) -> Option<(header::HeaderName, HeaderValue)> {
        match self {
            Self::Method(_) => Some((header::ALLOW, HeaderValue::from_static("POST"))),
            Self::ContentEncoding(_) => Some((header::ACCEPT_ENCODING, HeaderValue::from_static(Encoding::SERVED))),
            Self::Unavailable { retry_after, .. } => Some((header::RETRY_AFTER, whole_seconds(*retry_after))),
            _ => None,
        }
    }

    fn message(self) -> String {
        match self {
            Self::Path(message)
            | Self::Method(message)
            | Self::ContentType(message)
            | Self::ContentEncoding(message)
            | Self::Malformed(message)
            | Self::TooLarge(message)
            | Self::Unavailable { message, .. } => message,
            Self::Gone => "the request broke off".to_owned(),
        }
    }
}

/// Up, and at least one: 0 means at once, which is never meant.
fn whole_seconds(duration: Duration) -> HeaderValue {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    HeaderValue::from(seconds.max(1))
}

fn respond(status: StatusCode, format: Format, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, format.content_type());
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::whole_seconds;

    #[test]
    fn a_client_never_comes_back_sooner_than_it_was_asked() {
        for (milliseconds, seconds) in [(0, "1"), (400, "1"), (1000, "1"), (1001, "2"), (3000, "3")] {
            assert_eq!(whole_seconds(Duration::from_millis(milliseconds)), seconds);
        }
    }
}
