//! Stream identity, version 1: from the bytes of a point and of what it stands in to 128 bits.
//!
//! Ids are written to disk and sent between workers. This derivation therefore never changes; another would be a
//! version 2 and a migration. The golden vectors in the tests hold it fast. All integers are little-endian, `H` is XXH3
//! with 128 bits, the default secret and no seed, and `+` on its results wraps at 2^128.
//!
//! - **Attributes** (of a resource, a scope, a point): `sum`, 16 bytes: the sum of `H(body)` over the bodies of the
//!   `KeyValue` messages as they came; `count`, 8 bytes: how many there are. A sum, because attributes have no order; not
//!   an exclusive or, because a pair that stands twice must not vanish.
//! - **Context** (what the points of one metric share): `H` of these bytes, in this order: the resource's `sum` and
//!   `count`; the scope's `sum` and `count`; the scope's name and version and the metric's name and unit, each after its
//!   length in 8 bytes; 1 byte for the type of the metric, which is the field number of its data in OTLP (5 gauge, 7 sum,
//!   9 histogram, 10 exponential histogram, 11 summary); 1 byte for its temporality (0 unspecified, unknown, or none; 1
//!   delta; 2 cumulative); 1 byte, 1 where a sum is monotonic, else 0.
//! - **Stream**: `H` of 48 bytes: the version as 8 bytes; the context's 16; the point's `sum` and `count`.
//!
//! What is not in it: schema URLs, dropped counts, description, metadata, and of the point everything but its attributes.
//! A missing resource or scope is the same as an empty one.
//!
//! The bytes of a `KeyValue` are hashed as they came. Two encodings of one attribute that differ in bytes (fields in
//! another order, a padded varint) are two streams; encoders do not mix them, and JSON is turned into canonical protobuf
//! first. The hash has no key: whoever may send points may also make two streams collide on purpose, but so could they by
//! sending the same attributes.

use shardset_model::{MetricKind, StreamId, Temporality};
use xxhash_rust::xxh3::xxh3_128;

/// The version of the derivation.
const VERSION: u64 = 1;

/// A set of attributes, whatever their order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AttributeSum {
    sum: u128,
    count: u64,
}

impl AttributeSum {
    /// Adds the attribute with this `KeyValue` message.
    #[inline]
    pub fn add(&mut self, key_value: &[u8]) {
        self.sum = self.sum.wrapping_add(xxh3_128(key_value));
        self.count += 1;
    }

    /// Its 24 bytes.
    pub(crate) fn bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[..16].copy_from_slice(&self.sum.to_le_bytes());
        bytes[16..].copy_from_slice(&self.count.to_le_bytes());
        bytes
    }
}

/// What the streams of one metric share, as far as it is in their identity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ContextIdentity<'a> {
    /// The resource's attributes.
    pub resource: AttributeSum,
    /// The scope's attributes.
    pub scope: AttributeSum,
    /// The scope's name.
    pub scope_name: &'a str,
    /// The scope's version.
    pub scope_version: &'a str,
    /// The metric's name.
    pub name: &'a str,
    /// The metric's unit.
    pub unit: &'a str,
    /// The metric's type, temporality and monotonicity.
    pub kind: MetricKind,
}

/// 128 bits that stand for a resource, a scope and a metric.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ContextDigest(u128);

impl ContextDigest {
    /// The digest of `context`. `buffer` is overwritten; give the same one again to save its allocation.
    pub fn of(context: &ContextIdentity<'_>, buffer: &mut Vec<u8>) -> Self {
        buffer.clear();
        buffer.extend_from_slice(&context.resource.bytes());
        buffer.extend_from_slice(&context.scope.bytes());
        for text in [context.scope_name, context.scope_version, context.name, context.unit] {
            buffer.extend_from_slice(&(text.len() as u64).to_le_bytes());
            buffer.extend_from_slice(text.as_bytes());
        }
        buffer.extend_from_slice(&kind_bytes(context.kind));
        Self(xxh3_128(buffer))
    }

    /// All 128 bits.
    pub const fn get(self) -> u128 {
        self.0
    }

    /// The stream with these attributes in this context.
    #[inline]
    pub fn stream(self, attributes: AttributeSum) -> StreamId {
        let mut bytes = [0; 48];
        bytes[..8].copy_from_slice(&VERSION.to_le_bytes());
        bytes[8..24].copy_from_slice(&self.0.to_le_bytes());
        bytes[24..].copy_from_slice(&attributes.bytes());
        StreamId::from_digest(xxh3_128(&bytes))
    }
}

fn kind_bytes(kind: MetricKind) -> [u8; 3] {
    let number = match kind {
        MetricKind::Gauge => 5,
        MetricKind::Sum { .. } => 7,
        MetricKind::Histogram { .. } => 9,
        MetricKind::ExponentialHistogram { .. } => 10,
        MetricKind::Summary => 11,
    };
    let temporality = match kind.temporality() {
        None | Some(Temporality::Unspecified) => 0,
        Some(Temporality::Delta) => 1,
        Some(Temporality::Cumulative) => 2,
    };
    let monotonic = matches!(kind, MetricKind::Sum { monotonic: true, .. });
    [number, temporality, u8::from(monotonic)]
}

#[cfg(test)]
mod tests;
