//! OTLP/HTTP, protobuf and JSON, over HTTP/1.1 as SDKs speak it.

use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, StatusCode};
use serde_json::Value;
use shardset_wire::ExportAnswer;

use super::grpc::of_success;
use super::{Answer, Certificates};
use crate::run::RunError;

/// A client with its own connections.
#[derive(Clone, Debug)]
pub(crate) struct HttpSender {
    client: Client,
    url: String,
}

impl HttpSender {
    pub(crate) fn new(endpoint: &str, tls: &Certificates, timeout: Duration) -> Result<Self, RunError> {
        let builder = tls.of_http(Client::builder().timeout(timeout).no_proxy());
        let client = builder.build().map_err(RunError::Http)?;
        Ok(Self { client, url: format!("{}/v1/metrics", endpoint.trim_end_matches('/')) })
    }

    pub(crate) async fn attempt(&self, content_type: &'static str, gzip: bool, body: &Bytes) -> Answer {
        let mut request = self.client.post(&self.url).header(CONTENT_TYPE, content_type);
        if gzip {
            request = request.header(CONTENT_ENCODING, "gzip").body(compressed(body));
        } else {
            request = request.body(body.clone());
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() => return Answer::NoConnection(said(&error)),
            Err(error) => return Answer::Again { after: None, why: said(&error) },
        };
        let (status, after) = (response.status(), retry_after(response.headers()));
        match response.bytes().await {
            Ok(body) if status.is_success() => of_body(content_type, body),
            Ok(body) => of_error(status, after, &body),
            // The answer broke off. Its first line may be trusted in the bad case only: success needs the whole of it.
            Err(error) => Answer::Again { after: None, why: said(&error) },
        }
    }
}

/// OTLP 1.11, "OTLP/HTTP Response": four codes may be retried, no other.
fn of_error(status: StatusCode, after: Option<Duration>, body: &[u8]) -> Answer {
    let why = format!("{status}: {}", readable(body));
    match status.as_u16() {
        429 | 502 | 503 | 504 => Answer::Again { after, why },
        _ => Answer::Refused(why),
    }
}

fn of_body(content_type: &str, body: Bytes) -> Answer {
    if content_type == "application/json" {
        return of_json(&body);
    }
    match ExportAnswer::decode(body) {
        Ok(answer) => of_success(answer.rejected_points, answer.message),
        Err(error) => Answer::Refused(format!("the answer can not be read: {error}")),
    }
}

fn of_json(body: &[u8]) -> Answer {
    let body: Value = match serde_json::from_slice(body) {
        Ok(body) => body,
        Err(error) => return Answer::Refused(format!("the answer can not be read: {error}")),
    };
    let partial = &body["partialSuccess"];
    let rejected = &partial["rejectedDataPoints"];
    // 64-bit numbers are strings in proto3 JSON, and numbers are taken too.
    let rejected = rejected.as_u64().or_else(|| rejected.as_str()?.parse().ok()).unwrap_or(0);
    of_success(rejected, partial["errorMessage"].as_str().unwrap_or_default().to_owned())
}

/// Seconds. A date is read as "no hint": the pause is then the client's own.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

fn compressed(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).expect("a vector takes everything");
    encoder.finish().expect("a vector takes everything")
}

/// An error with its sources: reqwest's own text says little.
fn said(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// The readable part of an error body, which may be a protobuf message around a text.
fn readable(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(300)]);
    text.chars().filter(|character| !character.is_control() && *character != '\u{fffd}').collect()
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::{Answer, of_error, of_json};

    #[test]
    fn four_codes_are_retried_and_no_other() {
        for code in [400, 401, 404, 408, 413, 415, 429, 500, 501, 502, 503, 504] {
            let answer = of_error(StatusCode::from_u16(code).unwrap(), None, b"");
            assert_eq!(matches!(answer, Answer::Again { .. }), [429, 502, 503, 504].contains(&code), "{code}");
        }
    }

    #[test]
    fn a_json_answer_is_a_full_or_a_partial_success() {
        assert_eq!(of_json(b"{}"), Answer::Accepted);
        assert_eq!(of_json(br#"{"partialSuccess":{"errorMessage":"a warning"}}"#), Answer::Accepted);
        let partial = Answer::Partial { rejected: 3, message: "no".to_owned() };
        assert_eq!(of_json(br#"{"partialSuccess":{"rejectedDataPoints":"3","errorMessage":"no"}}"#), partial);
        assert!(matches!(of_json(b"<html>"), Answer::Refused(_)));
    }
}
