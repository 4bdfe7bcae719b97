//! Attributes.

use std::borrow::Cow;

/// The attributes in `frames` (see [`shardset_model::Identity`]), in their order.
pub fn attributes(_frames: &[u8]) -> impl Iterator<Item = Attribute<'_>> {
    std::iter::empty()
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
    /// An array: its `ArrayValue` message.
    Array(&'a [u8]),
    /// A map: its `KeyValueList` message.
    Map(&'a [u8]),
}

impl<'a> AnyValue<'a> {
    /// The value as a string where OTLP's types do not exist (label values): strings as they are, numbers and booleans as
    /// in JSON, bytes in base64, arrays and maps as JSON, no value as "".
    pub fn to_text(&self) -> Cow<'a, str> {
        unimplemented!("comes with the walker")
    }
}
