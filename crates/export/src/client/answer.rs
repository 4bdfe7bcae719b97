//! What an answer to a request can mean, whatever the protocol.
//!
//! IO: reads the beginning of the answer's body.

use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;
use reqwest::Response;
use shardset_wire::ExportAnswer;

use super::rejection::Rejection;

/// As much of a body is read: it holds the reason, and servers may answer with whole pages.
const MAX_BODY: usize = 64 * 1024;

/// The meaning of an answer, or of its absence.
#[derive(Debug)]
pub(super) enum Answer {
    /// Stored, but for what the answer says.
    Taken(ExportAnswer),
    /// Something in it is refused for good.
    Refused(Rejection),
    /// Not now.
    Later(Later),
}

/// Why a request has to be sent again.
#[derive(PartialEq, Debug)]
pub(super) struct Later {
    pub(super) cause: Cause,
    /// How long the server wants us to wait.
    pub(super) retry_after: Option<RetryAfter>,
    /// What the server said, or what went wrong.
    pub(super) told: String,
}

/// How a server says how long to wait.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum RetryAfter {
    /// By the header `Retry-After`, as it came.
    Header(String),
    /// By `google.rpc.RetryInfo`.
    Delay(Duration),
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

impl RetryAfter {
    /// What the headers of an answer say.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(RETRY_AFTER)?.to_str().ok()?;
        Some(Self::Header(value.to_owned()))
    }
}

#[cfg(test)]
impl Answer {
    /// Its kind, for tables of tests.
    pub(super) fn meaning(&self) -> &'static str {
        match self {
            Self::Later(later) if later.cause.is_misconfiguration() => "misconfigured",
            Self::Later(_) => "later",
            Self::Refused(rejection) if rejection.is_doubtful => "doubtful",
            Self::Refused(_) => "refused",
            Self::Taken(_) => "taken",
        }
    }
}

/// The beginning of an answer's body; what came of one that breaks off.
pub(super) async fn beginning(response: &mut Response) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < MAX_BODY {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            // The status said enough.
            Ok(None) | Err(_) => break,
        }
    }
    body
}
