//! The protocols: what a request of each looks like on the wire, and who reads its answers.
//!
//! | protocol | body | headers |
//! | --- | --- | --- |
//! | remote write 1.0 | snappy (block format) of a `WriteRequest` | its version, and `Retry-Attempt` |
//! | OTLP by HTTP | an `ExportMetricsServiceRequest`, gzip or plain | |
//! | OTLP by gRPC | the same in a frame of gRPC, by HTTP/2 | `te: trailers`, `grpc-encoding` |
//!
//! gRPC is HTTP/2 with a frame around the message and the status behind it (gRPC over HTTP2, "Requests"). So one client makes
//! requests of all three, and credentials, headers, TLS and timeouts mean the same in each.
//!
//! Pure, but for reading an answer.

use std::io::Write;

use bytes::Bytes;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Response, Url};
use shardset_wire::metrics_service::EXPORT_PATH;

use super::answer::Answer;
use super::settings::InvalidDestination;
use super::{grpc, otlp, remote_write};
use crate::{Batch, PointsBatch, SeriesBatch};

/// What the specification of remote write calls 1.0 says 0.1.0 here.
pub(super) const REMOTE_WRITE_VERSION: (&str, &str) = ("x-prometheus-remote-write-version", "0.1.0");

/// Which protocol a destination speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// Prometheus remote write 1.0.
    RemoteWrite,
    /// OTLP by HTTP, in protobuf. The URL is where to post, path and all.
    OtlpHttp(Compression),
    /// OTLP by gRPC. The URL has no path.
    OtlpGrpc(Compression),
}

/// How OTLP requests are compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Compression {
    /// By gzip.
    #[default]
    Gzip,
    /// Not at all.
    None,
}

impl Protocol {
    /// An empty batch of its requests.
    pub fn batch(self) -> Batch {
        match self {
            Self::RemoteWrite => Batch::Series(SeriesBatch::new()),
            Self::OtlpHttp(_) | Self::OtlpGrpc(_) => Batch::Points(PointsBatch::new()),
        }
    }

    /// Whether it is gRPC, which needs HTTP/2.
    pub(super) const fn is_grpc(self) -> bool {
        matches!(self, Self::OtlpGrpc(_))
    }

    /// Where requests go.
    ///
    /// # Errors
    ///
    /// The URL has a path where there is to be none, or the reverse.
    pub(super) fn endpoint(self, url: &Url) -> Result<Url, InvalidDestination> {
        let has_path = url.path() != "/";
        match self {
            Self::OtlpGrpc(_) if has_path || url.query().is_some() => Err(InvalidDestination::Path),
            Self::OtlpHttp(_) if !has_path => Err(InvalidDestination::NoPath),
            Self::OtlpGrpc(_) => {
                let mut url = url.clone();
                url.set_path(EXPORT_PATH);
                Ok(url)
            }
            Self::OtlpHttp(_) | Self::RemoteWrite => Ok(url.clone()),
        }
    }

    /// What it asks of every request.
    pub(super) fn headers(self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut set =
            |name: HeaderName, value: &'static str| drop(headers.insert(name, HeaderValue::from_static(value)));
        match self {
            Self::RemoteWrite => {
                set(HeaderName::from_static(REMOTE_WRITE_VERSION.0), REMOTE_WRITE_VERSION.1);
                set(CONTENT_TYPE, otlp::PROTOBUF);
                set(CONTENT_ENCODING, "snappy");
            }
            Self::OtlpHttp(compression) => {
                set(CONTENT_TYPE, otlp::PROTOBUF);
                if compression == Compression::Gzip {
                    set(CONTENT_ENCODING, "gzip");
                }
            }
            Self::OtlpGrpc(compression) => {
                set(CONTENT_TYPE, "application/grpc");
                set(TE, "trailers");
                if compression == Compression::Gzip {
                    set(HeaderName::from_static("grpc-encoding"), "gzip");
                }
            }
        }
        headers
    }

    /// A message as the body of a request.
    pub(super) fn body(self, message: &[u8]) -> Bytes {
        match self {
            Self::RemoteWrite => {
                let compressed = snap::raw::Encoder::new().compress_vec(message);
                compressed.expect("a message is far below the 4 GiB that snappy takes").into()
            }
            Self::OtlpHttp(Compression::None) => Bytes::copy_from_slice(message),
            Self::OtlpHttp(Compression::Gzip) => gzip(message).into(),
            Self::OtlpGrpc(Compression::None) => grpc::frame(message, false),
            Self::OtlpGrpc(Compression::Gzip) => grpc::frame(&gzip(message), true),
        }
    }

    /// What an answer means.
    pub(super) async fn read(self, response: Response) -> Answer {
        match self {
            Self::RemoteWrite => remote_write::read(response).await,
            Self::OtlpHttp(_) => otlp::read(response).await,
            Self::OtlpGrpc(_) => grpc::read(response).await,
        }
    }
}

fn gzip(message: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(message.len() / 4), flate2::Compression::fast());
    encoder.write_all(message).and_then(|()| encoder.finish()).expect("a Vec takes everything")
}
