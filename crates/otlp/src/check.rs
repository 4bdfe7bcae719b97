//! Whether bytes are a legal message of [`crate::schema`], all the way down.
//!
//! The general way is driven by the table. Most of what there is are attributes with a string or a number, and those have
//! a shortcut ([`Pair`]), which `scan` uses for the attributes of points as well.

use crate::schema::{KEY_VALUE, Kind, Known, Message};
use crate::wire::{Fault, Field, Flaw, Payload, Reader};

mod pair;

pub(crate) use pair::Pair;

/// How many messages deep a point, a resource, a scope or a metadata entry may be nested. Each array value in an
/// `AnyValue` takes two, each map three. Prost and other decoders stop at 100 from the request on.
pub const MAX_NESTING: u32 = 64;

/// How often the fields of one message may be repeated together, a number in a packed run counting as one; attributes
/// and the messages that the walk goes through do not count. Buckets, quantiles and exemplars take more memory than they
/// take bytes, and nobody sends as many.
pub const MAX_REPEATED: usize = 1 << 16;

/// The fields of one message that are checked one by one.
#[derive(Debug)]
pub(crate) struct Fields {
    message: &'static Message,
    nesting: u32,
    repeated: usize,
    /// The singular messages that were seen; bit n: field n.
    seen: u32,
}

impl Fields {
    /// Fields of `message`, which may nest [`MAX_NESTING`] messages.
    pub(crate) const fn of(message: &'static Message) -> Self {
        Self { message, nesting: MAX_NESTING, repeated: 0, seen: 0 }
    }

    /// Checks one field and all that is in it. Unknown fields are fine.
    pub(crate) fn check(&mut self, field: &Field<'_>) -> Result<(), Flaw> {
        let Some(known) = self.message.field(field.number) else { return Ok(()) };
        let count = self.count(known, field)?;
        if known.repeated {
            self.repeated += count;
        }
        if self.repeated > MAX_REPEATED { Err(field.flaw(Fault::TooMany)) } else { Ok(()) }
    }

    /// Checks a known field. Returns how much it adds to what is repeated.
    fn count(&mut self, known: &'static Known, field: &Field<'_>) -> Result<usize, Flaw> {
        match (&known.kind, field.payload) {
            (Kind::Varint, Payload::Varint(_)) | (Kind::Fixed64, Payload::Fixed64(_)) => Ok(1),
            (Kind::Bytes, Payload::Bytes(_)) => Ok(1),
            (Kind::Varint, Payload::Bytes(packed)) if known.repeated => packed_varints(packed, field),
            (Kind::Fixed64, Payload::Bytes(packed)) if known.repeated => packed_fixed64(packed, field),
            (Kind::Text, Payload::Bytes(text)) => utf8(text, field),
            (Kind::KeyValue, Payload::Bytes(key_value)) if is_legal_pair(key_value.bytes()) => Ok(0),
            (Kind::KeyValue, Payload::Bytes(key_value)) => self.descend(&KEY_VALUE, key_value, field).map(|()| 0),
            (Kind::Message(message), Payload::Bytes(nested)) => {
                if !known.repeated {
                    self.once(field)?;
                }
                self.descend(message, nested, field).map(|()| 1)
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
        Fields { message, nesting, repeated: 0, seen: 0 }.check_all(nested)
    }

    /// Checks all fields of a message.
    pub(crate) fn check_all(mut self, mut message: Reader<'_>) -> Result<(), Flaw> {
        while let Some(field) = message.field()? {
            self.check(&field)?;
        }
        Ok(())
    }
}

fn utf8(text: Reader<'_>, field: &Field<'_>) -> Result<usize, Flaw> {
    if is_utf8(text.bytes()) { Ok(1) } else { Err(field.flaw(Fault::Utf8)) }
}

/// Whether these bytes are UTF-8, which nearly all are by being ASCII.
#[inline]
pub(crate) fn is_utf8(bytes: &[u8]) -> bool {
    bytes.is_ascii() || str::from_utf8(bytes).is_ok()
}

/// Whether this is one of the usual pairs, and legal. If not, it must be looked at more closely.
fn is_legal_pair(key_value: &[u8]) -> bool {
    match Pair::of(key_value) {
        Pair::Text => is_utf8(key_value),
        Pair::Number(start) => is_utf8(&key_value[..start]),
        Pair::Other => false,
    }
}

fn packed_varints(mut packed: Reader<'_>, field: &Field<'_>) -> Result<usize, Flaw> {
    let mut count = 0;
    while !packed.bytes().is_empty() {
        packed.varint().map_err(|what| field.flaw(what))?;
        count += 1;
    }
    Ok(count)
}

fn packed_fixed64(packed: Reader<'_>, field: &Field<'_>) -> Result<usize, Flaw> {
    let length = packed.bytes().len();
    if length.is_multiple_of(8) { Ok(length / 8) } else { Err(field.flaw(Fault::Truncated)) }
}

#[cfg(test)]
mod tests {
    use super::{Fields, MAX_NESTING, MAX_REPEATED};
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
    fn repetition_is_bounded_for_all_but_attributes() {
        let buckets = |count: usize| delimited(0x42, &delimited(0x12, &vec![1; count]));
        assert_eq!(check(&EXPONENTIAL_POINT, &buckets(MAX_REPEATED)), Ok(()));
        assert_eq!(check(&EXPONENTIAL_POINT, &buckets(MAX_REPEATED + 1)), Err(Fault::TooMany));
        assert_eq!(check(&HISTOGRAM_POINT, &[0x42, 0].repeat(MAX_REPEATED)), Ok(()), "exemplars");
        assert_eq!(check(&HISTOGRAM_POINT, &[0x42, 0].repeat(MAX_REPEATED + 1)), Err(Fault::TooMany), "exemplars");
        assert_eq!(check(&HISTOGRAM_POINT, &[0x4a, 0].repeat(MAX_REPEATED + 1)), Ok(()), "attributes");
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
