//! What an answer to a request means.
//!
//! IO: reads the beginning of the answer's body; the rest is a table.

use http::{HeaderMap, StatusCode};
use reqwest::Response;

use super::rejection::Rejection;

/// As much of a body is read; it holds the reason, and servers may answer with whole pages.
const MAX_BODY: usize = 4096;

/// The meaning of an answer, or of its absence.
#[derive(Debug)]
pub(super) enum Answer {
    /// Stored.
    Taken,
    /// Something in it is refused for good.
    Refused(Rejection),
    /// Not now.
    Later(Later),
}

/// Why a request has to be sent again.
#[derive(PartialEq, Debug)]
pub(super) struct Later {
    pub(super) cause: Cause,
    /// `Retry-After`, as it came.
    pub(super) retry_after: Option<String>,
    /// What the server said, or what went wrong.
    pub(super) told: String,
}

/// The kind of reason why a request has to be sent again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Cause {
    ServerError,
    TooManyRequests,
    Transport,
    Timeout,
    /// An answer that no change of the data would change: 401, 403, 404, a redirect.
    Misconfigured,
    /// The file of a secret can not be read.
    Credentials,
}

impl Cause {
    /// The value of the label `cause` in metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::ServerError => "server_error",
            Self::TooManyRequests => "too_many_requests",
            Self::Transport => "transport",
            Self::Timeout => "timeout",
            Self::Misconfigured => "misconfigured",
            Self::Credentials => "credentials",
        }
    }

    /// Whether a person has to put it right.
    pub(super) const fn is_misconfiguration(self) -> bool {
        matches!(self, Self::Misconfigured | Self::Credentials)
    }
}

impl Later {
    pub(super) const fn because(cause: Cause, told: String) -> Self {
        Self { cause, retry_after: None, told }
    }

    /// No answer came.
    pub(super) fn failed(error: reqwest::Error) -> Self {
        let cause = if error.is_timeout() { Cause::Timeout } else { Cause::Transport };
        // The URL may carry a password, and stands in the log beside this anyway.
        let error = error.without_url();
        let mut told = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(error) = source {
            told.push_str(": ");
            told.push_str(&error.to_string());
            source = error.source();
        }
        Self::because(cause, told)
    }
}

impl Answer {
    /// Reads an answer, of its body only the beginning.
    pub(super) async fn read(mut response: Response) -> Self {
        let status = response.status();
        if status.is_success() {
            return Self::Taken;
        }
        let mut body = Vec::new();
        while body.len() < MAX_BODY {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                // The status said enough.
                Ok(None) | Err(_) => break,
            }
        }
        Self::of(status, response.headers(), &String::from_utf8_lossy(&body))
    }

    fn of(status: StatusCode, headers: &HeaderMap, body: &str) -> Self {
        let later = |cause| {
            let retry_after = headers.get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok());
            let told = format!("{status} {}", Rejection::beginning(body));
            Self::Later(Later { cause, retry_after: retry_after.map(str::to_owned), told })
        };
        match status {
            StatusCode::BAD_REQUEST
            | StatusCode::CONFLICT
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNPROCESSABLE_ENTITY => Self::Refused(Rejection::read(status, body)),
            StatusCode::TOO_MANY_REQUESTS => later(Cause::TooManyRequests),
            StatusCode::REQUEST_TIMEOUT => later(Cause::Timeout),
            status if status.is_server_error() => later(Cause::ServerError),
            _ => later(Cause::Misconfigured),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::{Answer, Cause};

    #[test]
    fn every_status_has_a_meaning() {
        let table = [
            (500, Some(Cause::ServerError)),
            (503, Some(Cause::ServerError)),
            (599, Some(Cause::ServerError)),
            (429, Some(Cause::TooManyRequests)),
            (408, Some(Cause::Timeout)),
            (301, Some(Cause::Misconfigured)),
            (401, Some(Cause::Misconfigured)),
            (403, Some(Cause::Misconfigured)),
            (404, Some(Cause::Misconfigured)),
            (415, Some(Cause::Misconfigured)),
            (400, None),
            (409, None),
            (413, None),
            (422, None),
        ];
        for (code, expected) in table {
            let cause = match Answer::of(StatusCode::from_u16(code).unwrap(), &HeaderMap::new(), "") {
                Answer::Later(later) => Some(later.cause),
                Answer::Refused(_) => None,
                Answer::Taken => panic!("{code} is no success"),
            };
            assert_eq!(cause, expected, "{code}");
        }
    }
}
