//! What a [`crate::StreamId`] stands for, kept once per stream so that its labels can be made.
//!
//! Attributes stay in the bytes they came in: a run of *frames*, each the length of a protobuf `KeyValue` as a varint and
//! then the `KeyValue` itself. `shardset_otlp` reads them. A run is in the order of the first sender; identity does not
//! depend on that order.

use std::sync::Arc;

use crate::MetricKind;

/// What all streams of one metric of one scope of one resource share.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Context {
    /// The resource's attributes, as frames.
    pub resource_attributes: Box<[u8]>,
    /// The scope's name.
    pub scope_name: Box<str>,
    /// The scope's version.
    pub scope_version: Box<str>,
    /// The scope's attributes, as frames.
    pub scope_attributes: Box<[u8]>,
    /// The metric's name.
    pub name: Box<str>,
    /// The metric's unit.
    pub unit: Box<str>,
    /// The metric's description, of the first point that came; not part of the identity.
    pub description: Box<str>,
    /// The metric's type.
    pub kind: MetricKind,
}

/// A stream's whole identity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// What it shares with the other streams of its metric.
    pub context: Arc<Context>,
    /// The point's attributes, as frames.
    pub attributes: Box<[u8]>,
}
