//! Protobuf, written field by field under a limit.
//!
//! A length goes before a message when the message is complete, by turning its bytes once, so each byte moves about as
//! often as it is nested deep.

use std::ops::Range;

use super::number::{Fault, Scalar};
use super::table::{Field, Kind, Label};
use super::text;

/// What has been written.
#[derive(Debug)]
pub(super) struct Output {
    bytes: Vec<u8>,
    limit: usize,
}

/// Why no more is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Failure {
    Fault(Fault),
    TooLarge,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Output {
    pub(super) const fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit }
    }

    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Takes back everything since `start`.
    pub(super) fn truncate(&mut self, start: usize) {
        self.bytes.truncate(start);
    }

    /// Puts everything since `start` into the order of `parts`, which are all of it, by way of `spare`.
    pub(super) fn reorder(&mut self, start: usize, parts: &[Range<usize>], spare: &mut Vec<u8>) {
        spare.clear();
        for part in parts {
            spare.extend_from_slice(&self.bytes[part.clone()]);
        }
        self.bytes.truncate(start);
        self.bytes.extend_from_slice(spare);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    pub(super) fn tag(&mut self, number: u32, wire_type: u32) {
        self.varint(u64::from(number << 3 | wire_type));
    }

    /// Puts the length of everything since `start` before it.
    pub(super) fn close(&mut self, start: usize) -> Result<(), Failure> {
        let end = self.bytes.len();
        self.varint((end - start) as u64);
        let length_bytes = self.bytes.len() - end;
        self.bytes[start..].rotate_right(length_bytes);
        self.check()
    }

    fn check(&self) -> Result<(), Failure> {
        if self.bytes.len() > self.limit { Err(Failure::TooLarge) } else { Ok(()) }
    }

    /// A value of a field, with its tag unless it is packed.
    pub(super) fn scalar(&mut self, field: &Field, element: bool, value: Scalar<'_>) -> Result<(), Failure> {
        let before = self.bytes.len();
        if !(element && field.kind.is_packable()) {
            self.tag(field.number, field.kind.wire_type());
        }
        let is_default = self.payload(field.kind, value)?;
        if is_default && field.label == Label::Plain {
            self.bytes.truncate(before);
        }
        self.check()
    }

    /// The bytes of a value; whether it is its type's default.
    fn payload(&mut self, kind: Kind, value: Scalar<'_>) -> Result<bool, Failure> {
        match kind {
            Kind::Bool => self.boolean(value),
            Kind::Enum if matches!(value, Scalar::Text(_)) => Err(Fault::EnumName.into()),
            Kind::Enum | Kind::Int32 => Ok(self.put_varint(i64::from(value.integer::<i32>("int32")?) as u64)),
            Kind::Int64 => Ok(self.put_varint(value.integer::<i64>("int64")? as u64)),
            Kind::Uint32 => Ok(self.put_varint(u64::from(value.integer::<u32>("uint32")?))),
            Kind::Uint64 => Ok(self.put_varint(value.integer::<u64>("uint64")?)),
            Kind::Sint32 => {
                let value = value.integer::<i32>("int32")?;
                Ok(self.put_varint(u64::from((value << 1 ^ value >> 31) as u32)))
            }
            Kind::Fixed64 => Ok(self.put_fixed(value.integer::<u64>("uint64")?)),
            Kind::Sfixed64 => Ok(self.put_fixed(value.integer::<i64>("int64")? as u64)),
            Kind::Double => {
                let value = value.double()?;
                self.put_fixed(value.to_bits());
                // Minus zero counts as the default too, as it does for prost.
                Ok(value == 0.0)
            }
            Kind::Text | Kind::Base64 | Kind::Hex => self.text(kind, value),
            Kind::Message(_) => Err(Fault::Type { found: value.name(), expected: "an object" }.into()),
        }
    }

    fn boolean(&mut self, value: Scalar<'_>) -> Result<bool, Failure> {
        let Scalar::Bool(value) = value else {
            return Err(Fault::Type { found: value.name(), expected: "a boolean" }.into());
        };
        Ok(self.put_varint(u64::from(value)))
    }

    fn text(&mut self, kind: Kind, value: Scalar<'_>) -> Result<bool, Failure> {
        let Scalar::Text(value) = value else {
            return Err(Fault::Type { found: value.name(), expected: "a string" }.into());
        };
        let start = self.bytes.len();
        match kind {
            Kind::Base64 => text::base64(value, &mut self.bytes).ok_or(Fault::NoBase64)?,
            Kind::Hex => text::hex(value, &mut self.bytes).ok_or(Fault::NoHex)?,
            _ => self.bytes.extend_from_slice(value.as_bytes()),
        }
        let is_empty = self.bytes.len() == start;
        self.close(start)?;
        Ok(is_empty)
    }

    fn put_varint(&mut self, value: u64) -> bool {
        self.varint(value);
        value == 0
    }

    fn put_fixed(&mut self, bits: u64) -> bool {
        self.bytes.extend_from_slice(&bits.to_le_bytes());
        bits == 0
    }
}
