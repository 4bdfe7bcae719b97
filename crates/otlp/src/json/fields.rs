//! The fields of one object, as they come, and put into the table's order at its end.

use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::encode::{Encoder, Place, Value};
use super::number::Fault;
use super::table::{Label, Message};

/// More fields than any message of the table has.
const FIELDS_MAX: usize = 16;

/// The fields of one message, as far as they have come.
pub(super) struct Fields {
    message: &'static Message,
    start: usize,
    /// Where each field's bytes are in the output, by its place in the table.
    written: [Range<usize>; FIELDS_MAX],
    seen: u32,
    chosen: bool,
    in_order: bool,
}

impl Fields {
    pub(super) fn new(message: &'static Message, start: usize) -> Self {
        Self { message, start, written: std::array::from_fn(|_| 0..0), seen: 0, chosen: false, in_order: true }
    }

    pub(super) fn read<'de, A: MapAccess<'de>>(mut self, encoder: &mut Encoder, mut map: A) -> Result<(), A::Error> {
        while let Some(position) = map.next_key_seed(Key(self.message))? {
            let Some(position) = position else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let field = &self.message.fields[position];
            encoder.path.enter(field.json);
            if self.seen & 1 << position != 0 {
                return Err(encoder.fail(Fault::Twice));
            }
            let start = encoder.output.len();
            let is_there = map.next_value_seed(Value { encoder: &mut *encoder, field, place: Place::Field })?;
            if is_there && field.label == Label::Choice && std::mem::replace(&mut self.chosen, true) {
                return Err(encoder.fail(Fault::Choice));
            }
            self.note(position, start..encoder.output.len());
            encoder.path.leave();
        }
        self.arrange(encoder);
        Ok(())
    }

    fn note(&mut self, position: usize, bytes: Range<usize>) {
        // A field of higher rank came earlier.
        self.in_order &= self.seen >> position == 0;
        self.seen |= 1 << position;
        self.written[position] = bytes;
    }

    fn arrange(&self, encoder: &mut Encoder) {
        if self.in_order {
            return;
        }
        encoder.output.reorder(self.start, &self.written, &mut encoder.spare);
    }
}

/// The place of a key in a message's table; `None` where it is not known.
struct Key(&'static Message);

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Option<usize>, E> {
        Ok(self.0.fields.iter().position(|field| field.json == key))
    }
}

#[cfg(test)]
mod tests {
    use super::FIELDS_MAX;
    use crate::json::table::{Kind, Label, Message, REQUEST};

    fn check(message: &'static Message, seen: &mut Vec<*const Message>) {
        if seen.contains(&std::ptr::from_ref(message)) {
            return;
        }
        seen.push(message);
        assert!(message.fields.len() <= FIELDS_MAX);
        for field in message.fields {
            assert_eq!(message.fields.iter().filter(|other| other.json == field.json).count(), 1, "{}", field.json);
            assert_eq!(message.fields.iter().filter(|other| other.number == field.number).count(), 1, "{}", field.json);
            if let Kind::Message(inner) = field.kind {
                assert_ne!(field.label, Label::Plain, "{}: an empty message is not none", field.json);
                check(inner, seen);
            }
        }
    }

    #[test]
    fn every_message_of_the_table_is_sound() {
        let mut seen = Vec::new();
        check(&REQUEST, &mut seen);
        assert_eq!(seen.len(), 23);
    }
}
