//! Read.
use shardset_model::{Context, Point};

use crate::Malformed;

/// What reading uses again from point to point and from request to request.
#[derive(Default, Debug)]
pub struct Scratch {}

/// Visits every point of `request`, the bytes of an `ExportMetricsServiceRequest`, in order.
///
/// # Errors
///
/// What is malformed and where. The points before that place have been visited; [`check`] first where that matters.
pub fn read(_request: &[u8], _scratch: &mut Scratch, _visit: impl FnMut(&PointRef<'_>)) -> Result<(), Malformed> {
    unimplemented!("comes with the walker")
}

/// Checks `request` as [`read`] does, without reading points.
///
/// # Errors
///
/// What is malformed and where.
pub fn check(_request: &[u8], _scratch: &mut Scratch) -> Result<Contents, Malformed> {
    unimplemented!("comes with the walker")
}

/// How much a request holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Contents {
    /// Top-level `ResourceMetrics`.
    pub resources: u32,
    /// Points.
    pub points: u64,
}

/// One point, with what it needs when its stream is new.
#[derive(Debug)]
pub struct PointRef<'a> {
    /// Which of the request's top-level `ResourceMetrics` holds it, from 0.
    pub resource_index: u32,
    /// The point.
    pub point: Point<'a>,
    /// What it shares with the other streams of its metric.
    pub context: ContextRef<'a>,
    /// Its own attributes.
    pub attributes: AttributesRef<'a>,
}

/// The resource, scope and metric of a point, as bytes of the request.
#[derive(Clone, Copy, Debug)]
pub struct ContextRef<'a> {
    digest: u128,
    _request: &'a [u8],
}

impl ContextRef<'_> {
    /// 128 bits that name this context: equal for the same resource, scope and metric in any request.
    pub fn digest(&self) -> u128 {
        self.digest
    }

    /// The metric's name.
    pub fn metric_name(&self) -> &str {
        ""
    }

    /// The context, copied out of the request.
    pub fn to_context(&self) -> Context {
        unimplemented!("comes with the walker")
    }
}

/// The attributes of a point, as bytes of the request.
#[derive(Clone, Copy, Debug)]
pub struct AttributesRef<'a> {
    _point: &'a [u8],
}

impl AttributesRef<'_> {
    /// The attributes as frames (see [`shardset_model::Identity`]), copied out of the request.
    pub fn to_frames(&self) -> Box<[u8]> {
        unimplemented!("comes with the walker")
    }
}
