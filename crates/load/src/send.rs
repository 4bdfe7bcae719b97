//! One request to one server: the attempt, and what its answer means to an OTLP client.
//!
//! The reading of answers is OTLP 1.11's: a partial success is final; of errors, only some codes may be retried; a
//! connection that breaks says nothing about what the server did.

mod grpc;
mod http;
mod tls;

use std::time::Duration;

use bytes::Bytes;

pub(crate) use grpc::GrpcSender;
pub(crate) use http::HttpSender;
pub(crate) use tls::Certificates;

use crate::run::RunError;
use crate::settings::{Endpoints, Protocol};

/// What an attempt came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// Full success.
    Accepted,
    /// Success without these many points, for good.
    Partial { rejected: u64, message: String },
    /// Refused for good.
    Refused(String),
    /// To be sent again, after this long where the server says so. It may or may not have been applied in part.
    Again { after: Option<Duration>, why: String },
    /// No connection came about, so it was not applied.
    NoConnection(String),
}

/// A client's connections, one per protocol family, each made when first needed.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    grpc: GrpcSender,
    http: HttpSender,
}

impl Connection {
    pub(crate) fn new(endpoints: &Endpoints, tls: &Certificates, timeout: Duration) -> Result<Self, RunError> {
        Ok(Self {
            grpc: GrpcSender::new(&endpoints.grpc, tls, timeout)?,
            http: HttpSender::new(&endpoints.http, tls, timeout)?,
        })
    }

    /// Sends the request once.
    pub(crate) async fn attempt(&self, protocol: Protocol, gzip: bool, body: &Bytes) -> Answer {
        match protocol {
            Protocol::Grpc => self.grpc.attempt(gzip, body).await,
            Protocol::HttpProtobuf => self.http.attempt("application/x-protobuf", gzip, body).await,
            Protocol::HttpJson => self.http.attempt("application/json", gzip, body).await,
        }
    }
}
