//! The first gate of OTLP/HTTP: what a request is, from its head alone.

use http::{HeaderMap, HeaderValue, Method, Request, header};

use super::reply::Refusal;
use crate::receive::{Encoding, Protocol};

const METRICS_PATH: &str = "/v1/metrics";
const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// How a request is written, and so its response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Format {
    Protobuf,
    Json,
}

impl Format {
    pub(super) const fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Protobuf => PROTOBUF,
            Self::Json => JSON,
        })
    }
}

/// A request that is served.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) protocol: Protocol,
    pub(super) encoding: Encoding,
}

impl Head {
    pub(super) fn read<B>(request: &Request<B>) -> Result<Self, Refusal> {
        if request.uri().path() != METRICS_PATH {
            return Err(Refusal::Path(elsewhere(request.uri().path())));
        }
        if request.method() != Method::POST {
            return Err(Refusal::Method(format!("{METRICS_PATH} takes POST, not {}", request.method())));
        }
        let protocol = match named_format(request.headers()) {
            Some(Format::Protobuf) => Protocol::HttpProtobuf,
            Some(Format::Json) => Protocol::HttpJson,
            None => return Err(Refusal::ContentType(format!("the content type must be {PROTOBUF} or {JSON}"))),
        };
        Ok(Self { protocol, encoding: encoding(request.headers())? })
    }
}

/// The format to answer in: the request's, and JSON where it has none that is known, since people can read it.
pub(super) fn format(headers: &HeaderMap) -> Format {
    named_format(headers).unwrap_or(Format::Json)
}

fn named_format(headers: &HeaderMap) -> Option<Format> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    // Parameters such as a charset change nothing: JSON is UTF-8 anyway.
    let essence = value.split(';').next().unwrap_or_default().trim();
    match essence {
        _ if essence.eq_ignore_ascii_case(PROTOBUF) => Some(Format::Protobuf),
        _ if essence.eq_ignore_ascii_case(JSON) => Some(Format::Json),
        _ => None,
    }
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let mut named = headers.get_all(header::CONTENT_ENCODING).iter();
    let encoding = match (named.next(), named.next()) {
        (None, _) => Some(Encoding::Identity),
        (Some(value), None) => value.to_str().ok().and_then(Encoding::of_header),
        (Some(_), Some(_)) => None,
    };
    let served = Encoding::SERVED;
    encoding.ok_or_else(|| Refusal::ContentEncoding(format!("the content encoding must be one of {served}, or none")))
}

fn elsewhere(path: &str) -> String {
    match path {
        "/v1/logs" => "logs are not served here; this is a metrics gateway".to_owned(),
        "/v1/traces" => "traces are not served here; this is a metrics gateway".to_owned(),
        "/v1development/profiles" => "profiles are not served here; this is a metrics gateway".to_owned(),
        _ => format!("there is nothing here; metrics are taken at {METRICS_PATH}"),
    }
}
