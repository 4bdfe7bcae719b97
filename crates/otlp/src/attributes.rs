//! Attributes, read from the frames that streams keep them in (see [`shardset_model::Identity`]).
//!
//! Frames come from a request that was checked, or from a disk, where a checksum was. Reading them therefore has no
//! errors: it ends at bytes that are no frame, and a string that is not UTF-8 reads as "".

use std::borrow::Cow;

use crate::wire::{Field, Payload, Reader};

mod text;

/// The attributes in `frames`, in their order.
pub fn attributes(frames: &[u8]) -> impl Iterator<Item = Attribute<'_>> {
    messages(frames).map(Attribute::of)
}

/// The same as the bytes of their `KeyValue` messages: for whoever sends them on.
pub fn key_values(frames: &[u8]) -> impl Iterator<Item = &[u8]> {
    messages(frames).map(Reader::bytes)
}

fn messages(frames: &[u8]) -> impl Iterator<Item = Reader<'_>> {
    let mut frames = Reader::new(frames);
    std::iter::from_fn(move || {
        if frames.bytes().is_empty() {
            return None;
        }
        let length = frames.varint().ok()?;
        frames.take(length).ok()
    })
}

/// A key and its value.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Attribute<'a> {
    /// The key.
    pub key: &'a str,
    /// The value.
    pub value: AnyValue<'a>,
}

/// A value of an attribute.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum AnyValue<'a> {
    /// No value.
    Empty,
    /// A string.
    String(&'a str),
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A double.
    Double(f64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// An array.
    Array(ArrayRef<'a>),
    /// A map; keys may repeat.
    Map(MapRef<'a>),
}

/// The values of an array.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ArrayRef<'a>(&'a [u8]);

/// The entries of a map.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MapRef<'a>(&'a [u8]);

impl<'a> ArrayRef<'a> {
    /// The values, in their order.
    pub fn values(&self) -> impl Iterator<Item = AnyValue<'a>> + use<'a> {
        Reader::new(self.0).messages(1).map(AnyValue::of)
    }
}

impl<'a> MapRef<'a> {
    /// The entries, in their order.
    pub fn entries(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        Reader::new(self.0).messages(1).map(Attribute::of)
    }
}

impl<'a> AnyValue<'a> {
    /// The value as a string, where OTLP's types do not exist: a string as it is, a boolean or number as JSON has it, bytes
    /// in base64, an array or map as JSON, no value as "" (OpenTelemetry specification, "AnyValue representation for
    /// non-OTLP protocols").
    pub fn to_text(&self) -> Cow<'a, str> {
        match *self {
            Self::Empty => Cow::Borrowed(""),
            Self::String(text) => Cow::Borrowed(text),
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
            Self::Int(_) | Self::Double(_) | Self::Bytes(_) | Self::Array(_) | Self::Map(_) => {
                Cow::Owned(text::print(*self))
            }
        }
    }

    /// The value in an `AnyValue` message: the last of its fields, as protobuf says for members of a oneof.
    fn of(message: Reader<'a>) -> Self {
        message.checked().filter_map(|field| Self::member(&field)).last().unwrap_or(Self::Empty)
    }

    fn member(field: &Field<'a>) -> Option<Self> {
        Some(match (field.number, field.payload) {
            (1, Payload::Bytes(_)) => Self::String(field.text()),
            (2, Payload::Varint(value)) => Self::Bool(value != 0),
            (3, Payload::Varint(value)) => Self::Int(value as i64),
            (4, Payload::Fixed64(bits)) => Self::Double(f64::from_bits(bits)),
            (5, Payload::Bytes(message)) => Self::Array(ArrayRef(message.bytes())),
            (6, Payload::Bytes(message)) => Self::Map(MapRef(message.bytes())),
            (7, Payload::Bytes(bytes)) => Self::Bytes(bytes.bytes()),
            _ => return None,
        })
    }
}

impl<'a> Attribute<'a> {
    fn of(message: Reader<'a>) -> Self {
        let mut attribute = Self { key: "", value: AnyValue::Empty };
        for field in message.checked() {
            match (field.number, field.message()) {
                (1, _) => attribute.key = field.text(),
                (2, Some(value)) => attribute.value = AnyValue::of(value),
                _ => {}
            }
        }
        attribute
    }
}

#[cfg(test)]
mod tests;
