//! What OTLP has that remote write has not: 64-bit fields of fixed length, packed numbers, and fields that may be absent.
//!
//! Pure.

use shardset_otlp::attributes::key_values;

use crate::prompb::{put_message, put_varint};

const FIXED64: u64 = 1;
const LENGTH_DELIMITED: u64 = 2;

/// A member of a oneof or an optional field is written even where it is 0.
pub(super) fn put_present_fixed64(buf: &mut Vec<u8>, field: u64, bits: u64) {
    put_varint(buf, field << 3 | FIXED64);
    buf.extend_from_slice(&bits.to_le_bytes());
}

pub(super) fn put_fixed64(buf: &mut Vec<u8>, field: u64, bits: u64) {
    if bits != 0 {
        put_present_fixed64(buf, field, bits);
    }
}

pub(super) fn put_optional_double(buf: &mut Vec<u8>, field: u64, value: Option<f64>) {
    if let Some(value) = value {
        put_present_fixed64(buf, field, value.to_bits());
    }
}

/// A packed run of `fixed64` or `double`.
pub(super) fn put_packed_fixed64(buf: &mut Vec<u8>, field: u64, all: impl ExactSizeIterator<Item = u64>) {
    if all.len() == 0 {
        return;
    }
    put_varint(buf, field << 3 | LENGTH_DELIMITED);
    put_varint(buf, 8 * all.len() as u64);
    all.for_each(|bits| buf.extend_from_slice(&bits.to_le_bytes()));
}

/// A packed run of `uint64`.
pub(super) fn put_packed_varint(buf: &mut Vec<u8>, field: u64, all: &[u64]) {
    if !all.is_empty() {
        put_message(buf, field, |buf| all.iter().for_each(|&value| put_varint(buf, value)));
    }
}

pub(super) fn put_bytes(buf: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    if !bytes.is_empty() {
        put_present_bytes(buf, field, bytes);
    }
}

/// Attributes, as the frames that streams keep them in (see [`Identity`](shardset_model::Identity)).
pub(super) fn put_attributes(buf: &mut Vec<u8>, field: u64, frames: &[u8]) {
    key_values(frames).for_each(|key_value| put_present_bytes(buf, field, key_value));
}

fn put_present_bytes(buf: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_varint(buf, field << 3 | LENGTH_DELIMITED);
    put_varint(buf, bytes.len() as u64);
    buf.extend_from_slice(bytes);
}
