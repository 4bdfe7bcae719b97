//! The encoder: proto3 JSON in, protobuf out, driven by the table.
//!
//! Serde calls back for each value; what it is told is only whether to go on. What went wrong and where stays here, since
//! serde's own errors know no path.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::JsonError;
use super::fields::Fields;
use super::number::{Fault, Scalar};
use super::output::{Failure, Output};
use super::path::Path;
use super::table::{Field, Kind, Label, Message, REQUEST};

/// How many messages deep a request may be, itself included. The walk behind takes as many below each point alone, other
/// decoders take 100, and serde_json's own 128 JSON levels are never met first: a map takes 3 messages and 4 levels.
const DEPTH_MAX: u32 = 64;

/// The output, and where it stands.
#[derive(Debug)]
pub(super) struct Encoder {
    pub(super) output: Output,
    /// Room for putting fields in order.
    pub(super) spare: Vec<u8>,
    pub(super) path: Path,
    depth: u32,
    failure: Option<Failure>,
}

impl Encoder {
    pub(super) fn new(limit: usize) -> Self {
        Self { output: Output::new(limit), spare: Vec::new(), path: Path::default(), depth: 0, failure: None }
    }

    pub(super) fn into_output(self) -> Vec<u8> {
        self.output.into_bytes()
    }

    /// The error behind serde's: our own, with the path that was left standing, or one of the JSON itself.
    pub(super) fn explain(self, error: &serde_json::Error) -> JsonError {
        match self.failure {
            Some(Failure::Fault(fault)) => {
                JsonError::Field { path: self.path.to_string(), fault, line: error.line(), column: error.column() }
            }
            Some(Failure::TooLarge) => JsonError::TooLarge { limit: self.output.limit() },
            None => JsonError::Broken { what: error.to_string() },
        }
    }

    /// Serde's error carries nothing; what happened stays here.
    pub(super) fn fail<E: Error>(&mut self, failure: impl Into<Failure>) -> E {
        self.failure = Some(failure.into());
        E::custom("")
    }
}

/// The whole request.
pub(super) struct Root<'e>(pub(super) &'e mut Encoder);

impl<'de> DeserializeSeed<'de> for Root<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        static ROOT: Field = Field { json: "", number: 0, kind: Kind::Message(&REQUEST), label: Label::Optional };
        let encoder = self.0;
        let body = Value { encoder: &mut *encoder, field: &ROOT, place: Place::Root };
        match body.deserialize(deserializer)? {
            true => Ok(()),
            false => Err(encoder.fail(Fault::Type { found: "null", expected: "an object" })),
        }
    }
}

/// A value of a field. Comes back with whether it is there, which `null` is not.
pub(super) struct Value<'e> {
    pub(super) encoder: &'e mut Encoder,
    pub(super) field: &'static Field,
    pub(super) place: Place,
}

/// Where a value stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    Root,
    Field,
    Element,
}

impl Value<'_> {
    fn scalar<E: Error>(self, value: Scalar<'_>) -> Result<bool, E> {
        let element = self.place == Place::Element;
        let put = if self.field.label == Label::Repeated && !element {
            Err(Fault::Type { found: value.name(), expected: "an array" }.into())
        } else {
            self.encoder.output.scalar(self.field, element, value)
        };
        put.map(|()| true).map_err(|failure| self.encoder.fail(failure))
    }

    fn message<'de, A: MapAccess<'de>>(self, message: &'static Message, map: A) -> Result<(), A::Error> {
        let Self { encoder, field, place } = self;
        if encoder.depth == DEPTH_MAX {
            return Err(encoder.fail(Fault::TooDeep(DEPTH_MAX)));
        }
        if place != Place::Root {
            encoder.output.tag(field.number, field.kind.wire_type());
        }
        encoder.depth += 1;
        let start = encoder.output.len();
        Fields::new(message, start).read(encoder, map)?;
        encoder.depth -= 1;
        if place == Place::Root {
            return Ok(());
        }
        encoder.output.close(start).map_err(|failure| encoder.fail(failure))
    }

    fn array<'de, A: SeqAccess<'de>>(self, elements: A) -> Result<(), A::Error> {
        let Self { encoder, field, .. } = self;
        if !field.kind.is_packable() {
            return each(encoder, field, elements);
        }
        let before = encoder.output.len();
        encoder.output.tag(field.number, 2);
        let start = encoder.output.len();
        each(encoder, field, elements)?;
        if encoder.output.len() == start {
            encoder.output.truncate(before);
            return Ok(());
        }
        encoder.output.close(start).map_err(|failure| encoder.fail(failure))
    }
}

fn each<'de, A: SeqAccess<'de>>(encoder: &mut Encoder, field: &'static Field, mut elements: A) -> Result<(), A::Error> {
    for index in 0.. {
        encoder.path.enter_element(index);
        let element = Value { encoder: &mut *encoder, field, place: Place::Element };
        let is_over = elements.next_element_seed(element)?.is_none();
        encoder.path.leave();
        if is_over {
            break;
        }
    }
    Ok(())
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        if self.place == Place::Element { Err(self.encoder.fail(Fault::NullElement)) } else { Ok(false) }
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<bool, E> {
        self.scalar(Scalar::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<bool, E> {
        self.scalar(Scalar::Unsigned(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<bool, E> {
        self.scalar(Scalar::Signed(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<bool, E> {
        self.scalar(Scalar::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<bool, E> {
        self.scalar(Scalar::Text(value))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<bool, A::Error> {
        let expected = match (self.field.label, self.field.kind) {
            (Label::Repeated, _) if self.place != Place::Element => "an array",
            (_, Kind::Message(message)) => return self.message(message, map).map(|()| true),
            _ => "a single value",
        };
        Err(self.encoder.fail(Fault::Type { found: "an object", expected }))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<bool, A::Error> {
        let expected = match (self.field.label, self.field.kind) {
            (Label::Repeated, _) if self.place != Place::Element => return self.array(elements).map(|()| true),
            (_, Kind::Message(_)) => "an object",
            _ => "a single value",
        };
        Err(self.encoder.fail(Fault::Type { found: "an array", expected }))
    }
}
