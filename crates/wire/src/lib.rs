//! What Shardset's own parts say to each other, and the pieces of gRPC that both ends of it share.
//!
//! The hop from gateway to worker is plain OTLP/gRPC `Export`, so that any OTLP client can be put in the gateway's place.
//! Two things are added to it, both invisible to others: the sender's membership and set as request metadata ([`membership`],
//! [`set`]), and an extension field in the answer that says *which part* of a merged request was refused ([`answer`]).
//!
//! Messages stay bytes ([`RawCodec`]): a gateway never decodes a point and a worker walks the bytes itself.
//!
//! The coordinator and the workers speak `shardset.v1`: [`control`] and [`handoff`], in messages of our own. All messages are
//! `prost` structs written by hand, their format in prose beside them, so that building needs no protoc.
//!
//! Boundary: no sockets and no tasks; servers and clients are composed by the roles.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod answer;
pub mod codec;
pub mod control;
pub mod handoff;
pub mod membership;
mod message;
pub mod metrics_service;
pub mod service;
pub mod set;
pub mod status;
mod unary;

pub use answer::{ExportAnswer, RefusedPart};
pub use codec::RawCodec;
pub use control::{Control, ControlClient, ControlServer};
pub use handoff::{Handoff, HandoffClient, HandoffServer};
pub use message::AdoptRequest;
pub use metrics_service::{Export, MetricsClient, MetricsServer};
pub use set::{ToSet, to_set};
pub use unary::Connection;
