//! Whether bytes are a legal message of [`crate::schema`], all the way down.
//!
//! The general way is driven by the table. Most of what there is are attributes with a string or a number, and those have
//! a shortcut ([`Pair`]), which `scan` uses for the attributes of points as well.

use crate::schema::{KEY_VALUE, Kind, Message};
use crate::wire::{Fault, Field, Flaw, Payload, Reader};

/// How many messages deep a point, a resource, a scope or a metadata entry may be nested. Each array value in an
/// `AnyValue` takes two, each map three. Prost and other decoders stop at 100 from the request on.
pub const MAX_NESTING: u32 = 64;

/// The fields of one message that are checked one by one.
#[derive(Debug)]
pub(crate) struct Fields {
    message: &'static Message,
    nesting: u32,
    /// The singular messages that were seen; bit n: field n.
    seen: u32,
}

impl Fields {
    /// Fields of `message`, which may nest [`MAX_NESTING`] messages.
    pub(crate) const fn of(message: &'static Message) -> Self {
        Self { message, nesting: MAX_NESTING, seen: 0 }
    }

    /// Checks one field and all that is in it. Unknown fields are fine.
    pub(crate) fn check(&mut self, field: &Field<'_>) -> Result<(), Flaw> {
        let Some(known) = self.message.field(field.number) else { return Ok(()) };
        match (&known.kind, field.payload) {
            (Kind::Varint, Payload::Varint(_)) | (Kind::Fixed64, Payload::Fixed64(_)) => Ok(()),
            (Kind::Bytes, Payload::Bytes(_)) => Ok(()),
            (Kind::Varint, Payload::Bytes(packed)) if known.repeated => packed_varints(packed, field),
            (Kind::Fixed64, Payload::Bytes(packed)) if known.repeated => packed_fixed64(packed, field),
            (Kind::Text, Payload::Bytes(text)) => utf8(text, field),
            (Kind::KeyValue, Payload::Bytes(key_value)) if is_legal_pair(key_value.bytes()) => Ok(()),
            (Kind::KeyValue, Payload::Bytes(key_value)) => self.descend(&KEY_VALUE, key_value, field),
            (Kind::Message(message), Payload::Bytes(nested)) => {
                if !known.repeated {
                    self.once(field)?;
                }
                self.descend(message, nested, field)
            }
            _ => Err(field.flaw(Fault::WrongType)),
        }
    }

    fn once(&mut self, field: &Field<'_>) -> Result<(), Flaw> {
        let bit = 1 << field.number;
        if self.seen & bit != 0 {
            return Err(field.flaw(Fault::Twice));
        }
        self.seen |= bit;
        Ok(())
    }

    fn descend(&self, message: &'static Message, nested: Reader<'_>, field: &Field<'_>) -> Result<(), Flaw> {
        let nesting = self.nesting.checked_sub(1).ok_or_else(|| field.flaw(Fault::TooDeep))?;
        Fields { message, nesting, seen: 0 }.check_all(nested)
    }

    /// Checks all fields of a message.
    pub(crate) fn check_all(mut self, mut message: Reader<'_>) -> Result<(), Flaw> {
        while let Some(field) = message.field()? {
            self.check(&field)?;
        }
        Ok(())
    }
}

fn utf8(text: Reader<'_>, field: &Field<'_>) -> Result<(), Flaw> {
    if is_utf8(text.bytes()) { Ok(()) } else { Err(field.flaw(Fault::Utf8)) }
}

/// Whether these bytes are UTF-8, which nearly all are by being ASCII.
#[inline]
pub(crate) fn is_utf8(bytes: &[u8]) -> bool {
    bytes.is_ascii() || str::from_utf8(bytes).is_ok()
}

/// What a `KeyValue` looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pair {
    /// A key, then a string or nothing or a small number, and nothing else: legal if all of it is UTF-8, because whatever
    /// stands beside its strings is ASCII, so that no character can reach over their ends.
    Text,
    /// A key, then a number: legal if so many bytes from the beginning are UTF-8.
    Number(usize),
    /// Anything else.
    Other,
}

impl Pair {
    /// Looks at a `KeyValue`. Lengths of more than one byte are [`Pair::Other`].
    #[inline]
    pub(crate) fn of(key_value: &[u8]) -> Self {
        // 0a k <k bytes> 12 v 0a s <s bytes>
        let [0x0a, key_length, ref after @ ..] = *key_value else { return Self::Other };
        let Some((_, [0x12, value_length, value @ ..])) = after.split_at_checked(key_length.into()) else {
            return Self::Other;
        };
        match value {
            _ if usize::from(*value_length) != value.len() || value.len() >= 0x80 || key_length >= 0x80 => Self::Other,
            [0x0a, text_length, text @ ..] if usize::from(*text_length) == text.len() => Self::Text,
            _ => Self::of_number(value, key_value.len() - value.len()),
        }
    }

    /// A pair whose value, which begins at `start`, is no string.
    fn of_number(value: &[u8], start: usize) -> Self {
        match value {
            [] => Self::Text,
            [0x10 | 0x18, varint @ ..] => {
                let mut reader = Reader::new(varint);
                let is_whole = reader.varint().is_ok() && reader.bytes().is_empty();
                if is_whole { Self::Number(start) } else { Self::Other }
            }
            [0x21, double @ ..] if double.len() == 8 => Self::Number(start),
            _ => Self::Other,
        }
    }
}

/// Whether this is one of the usual pairs, and legal. If not, it must be looked at more closely.
fn is_legal_pair(key_value: &[u8]) -> bool {
    match Pair::of(key_value) {
        Pair::Text => is_utf8(key_value),
        Pair::Number(start) => is_utf8(&key_value[..start]),
        Pair::Other => false,
    }
}

fn packed_varints(mut packed: Reader<'_>, field: &Field<'_>) -> Result<(), Flaw> {
    while !packed.bytes().is_empty() {
        packed.varint().map_err(|what| field.flaw(what))?;
    }
    Ok(())
}

fn packed_fixed64(packed: Reader<'_>, field: &Field<'_>) -> Result<(), Flaw> {
    if packed.bytes().len().is_multiple_of(8) { Ok(()) } else { Err(field.flaw(Fault::Truncated)) }
}

#[cfg(test)]
mod tests {
    use super::{Fields, MAX_NESTING};
    use crate::schema::{EXPONENTIAL_POINT, HISTOGRAM_POINT, KEY_VALUE, Message};
    use crate::wire::{Fault, Flaw, Reader, put_varint};

    fn check(message: &'static Message, bytes: &[u8]) -> Result<(), Fault> {
        Fields::of(message).check_all(Reader::new(bytes)).map_err(|flaw| flaw.what)
    }

    /// A key-value whose value is `depth` arrays in each other.
    fn nested(depth: usize) -> Vec<u8> {
        let mut value = Vec::new();
        for _ in 0..depth {
            value = [delimited(0x0a, &value)].concat();
            value = delimited(0x2a, &value);
        }
        delimited(0x12, &value)
    }

    fn delimited(key: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![key];
        put_varint(body.len() as u64, &mut bytes);
        bytes.extend_from_slice(body);
        bytes
    }

    #[test]
    fn values_are_checked_all_the_way_down() {
        let cases: [(&[u8], Result<(), Fault>); 9] = [
            (&[], Ok(())),
            (&[0x0a, 1, b'k', 0x12, 3, 0x0a, 1, b'v'], Ok(())),
            (&[0x12, 0, 0x0a, 0], Ok(())),
            (&[0x7a, 1, 0xff], Ok(())),
            (&[0x0a, 1, 0xff], Err(Fault::Utf8)),
            (&[0x12, 3, 0x0a, 1, 0xff], Err(Fault::Utf8)),
            (&[0x12, 3, 0x3a, 1, 0xff], Ok(())),
            (&[0x12, 2, 0x0d, 0], Err(Fault::Truncated)),
            (&[0x12, 0, 0x12, 0], Err(Fault::Twice)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(check(&KEY_VALUE, bytes), expected, "{bytes:x?}");
        }
    }

    #[test]
    fn a_known_field_must_have_its_wire_type() {
        assert_eq!(check(&KEY_VALUE, &[0x08, 1]), Err(Fault::WrongType));
        assert_eq!(check(&KEY_VALUE, &[0x12, 2, 0x08, 1]), Err(Fault::WrongType));
        assert_eq!(check(&HISTOGRAM_POINT, &[0x12, 8, 0, 0, 0, 0, 0, 0, 0, 0]), Err(Fault::WrongType), "not repeated");
    }

    #[test]
    fn repeated_numbers_may_be_packed_or_not() {
        assert_eq!(check(&HISTOGRAM_POINT, &[0x31, 0, 0, 0, 0, 0, 0, 0, 0]), Ok(()));
        assert_eq!(check(&HISTOGRAM_POINT, &[0x32, 8, 0, 0, 0, 0, 0, 0, 0, 0]), Ok(()));
        assert_eq!(check(&HISTOGRAM_POINT, &[0x32, 7, 0, 0, 0, 0, 0, 0, 0]), Err(Fault::Truncated));
        assert_eq!(check(&EXPONENTIAL_POINT, &[0x42, 4, 0x12, 2, 1, 2]), Ok(()));
        assert_eq!(check(&EXPONENTIAL_POINT, &[0x42, 4, 0x10, 1, 0x10, 2]), Ok(()));
        assert_eq!(check(&EXPONENTIAL_POINT, &[0x42, 3, 0x12, 1, 0x80]), Err(Fault::Truncated));
    }

    #[test]
    fn nesting_is_bounded_and_does_not_exhaust_the_stack() {
        let deepest = MAX_NESTING as usize / 2 - 1;
        assert_eq!(check(&KEY_VALUE, &nested(deepest)), Ok(()));
        assert_eq!(check(&KEY_VALUE, &nested(deepest + 1)), Err(Fault::TooDeep));
        assert_eq!(check(&KEY_VALUE, &nested(3_000)), Err(Fault::TooDeep));
    }

    #[test]
    fn a_flaw_is_where_its_field_begins() {
        let bytes = [0x0a, 1, b'k', 0x12, 3, 0x0a, 1, 0xff];
        let flaw = Fields::of(&KEY_VALUE).check_all(Reader::new(&bytes));
        assert_eq!(flaw, Err(Flaw { what: Fault::Utf8, at: 5 }));
    }
}
