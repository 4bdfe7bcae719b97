//! Protobuf on the wire: fields of a message, read from borrowed bytes.
//!
//! A [`Reader`] knows where in the request it stands, so that every [`Flaw`] can say where it is without anything being
//! carried along for it; the path is found afterwards, from the bytes (see `malformed`).
//!
//! Varints may be longer than they need to be (splitting writes such lengths itself) but must fit 64 bits. Groups (wire
//! types 3 and 4) are refused: OTLP has none and no encoder of proto3 emits them.

use thiserror::Error;

/// What is wrong with bytes that should be an OTLP request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Error)]
pub enum Fault {
    /// A message, or a packed run of numbers, ends before its last field does.
    #[error("the message ends within a field")]
    Truncated,
    /// More than ten bytes, or more than 64 bits.
    #[error("a varint is longer than 64 bits")]
    Varint,
    /// Field numbers are from 1 to 2^29 - 1.
    #[error("the field number is out of range")]
    FieldNumber,
    /// Wire types 3 and 4 (legal protobuf, which OTLP does not use), 6 and 7 (undefined).
    #[error("the field has a wire type that OTLP does not use")]
    WireType,
    /// A known field with the wire type of another type.
    #[error("the field has the wrong wire type")]
    WrongType,
    /// A proto3 string must be UTF-8, and a label can be nothing else.
    #[error("the string is not valid UTF-8")]
    Utf8,
    /// A message that may stand once stands twice, or a metric has two kinds of data. Protobuf lets receivers merge or
    /// override; no encoder emits it, and a point must have one place.
    #[error("a field that may stand once stands twice")]
    Twice,
    /// See [`crate::MAX_NESTING`].
    #[error("values are nested too deeply")]
    TooDeep,
    /// See [`crate::MAX_REPEATED`].
    #[error("a field is repeated too often")]
    TooMany,
    /// See [`crate::MAX_REQUEST`].
    #[error("the request is too large")]
    TooLarge,
    /// See [`crate::split`]: what stands around the points is so large that repeating it for each shard takes too much.
    #[error("the resources, scopes and metrics are too large to be repeated for every shard")]
    TooSpread,
}

/// A fault and the offset, in the request, of the field that has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Flaw {
    pub(crate) what: Fault,
    pub(crate) at: usize,
}

/// The unread rest of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    /// Where the message ends, in bytes from the beginning of the request.
    end: usize,
}

/// A field of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) number: u32,
    /// Where its key begins, in bytes from the beginning of the request.
    pub(crate) start: usize,
    pub(crate) payload: Payload<'a>,
}

/// What a field carries, by its wire type.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Payload<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(Reader<'a>),
    Fixed32,
}

impl<'a> Reader<'a> {
    /// Reads a whole request, or bytes whose offsets do not matter.
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, end: bytes.len() }
    }

    /// The same message from a later place: `rest` is a tail of this reader's bytes.
    pub(crate) const fn at_tail(self, rest: &'a [u8]) -> Self {
        Self { rest, end: self.end }
    }

    /// Offset of the next byte in the request.
    #[inline]
    pub(crate) const fn at(self) -> usize {
        self.end - self.rest.len()
    }

    /// Where it ends in the request.
    #[inline]
    pub(crate) const fn end(self) -> usize {
        self.end
    }

    /// The unread bytes.
    #[inline]
    pub(crate) const fn bytes(self) -> &'a [u8] {
        self.rest
    }

    /// The next field, or `None` at the end of the message.
    #[inline]
    pub(crate) fn field(&mut self) -> Result<Option<Field<'a>>, Flaw> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let start = self.at();
        match self.number_and_payload() {
            Ok((number, payload)) => Ok(Some(Field { number, start, payload })),
            Err(what) => Err(Flaw { what, at: start }),
        }
    }

    /// The fields of bytes that were checked before. Ends at a flaw, which such bytes do not have.
    pub(crate) fn checked(mut self) -> impl Iterator<Item = Field<'a>> {
        std::iter::from_fn(move || self.field().ok().flatten())
    }

    /// The messages in field `number` of bytes that were checked before.
    pub(crate) fn messages(self, number: u32) -> impl Iterator<Item = Self> {
        self.checked().filter(move |field| field.number == number).filter_map(|field| field.message())
    }

    /// The next varint.
    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, Fault> {
        match *self.rest {
            [byte, ref rest @ ..] if byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(byte))
            }
            [low, high, ref rest @ ..] if high < 0x80 => {
                self.rest = rest;
                Ok(u64::from(low & 0x7f) | u64::from(high) << 7)
            }
            _ => self.long_varint(),
        }
    }

    /// The next `length` bytes.
    #[inline]
    pub(crate) fn take(&mut self, length: u64) -> Result<Self, Fault> {
        let length = usize::try_from(length).map_err(|_| Fault::Truncated)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(Self { rest: taken, end: self.at() })
    }

    // Left alone, the compiler calls it for each point: with `Texts::add`, 10 of 130 ns.
    #[inline(always)]
    fn number_and_payload(&mut self) -> Result<(u32, Payload<'a>), Fault> {
        let key = u32::try_from(self.varint()?).map_err(|_| Fault::FieldNumber)?;
        if key < 8 {
            return Err(Fault::FieldNumber);
        }
        let payload = match key & 7 {
            0 => Payload::Varint(self.varint()?),
            1 => Payload::Fixed64(self.fixed64()?),
            2 => {
                let length = self.varint()?;
                Payload::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Payload::Fixed32)?,
            _ => return Err(Fault::WireType),
        };
        Ok((key >> 3, payload))
    }

    #[inline]
    fn fixed64(&mut self) -> Result<u64, Fault> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*taken))
    }

    #[cold]
    fn long_varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0;
        for (place, &byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                self.rest = &self.rest[place + 1..];
                return if place == 9 && byte > 1 { Err(Fault::Varint) } else { Ok(value) };
            }
        }
        Err(if self.rest.len() < 10 { Fault::Truncated } else { Fault::Varint })
    }
}

impl<'a> Field<'a> {
    /// This field with a fault.
    pub(crate) const fn flaw(&self, what: Fault) -> Flaw {
        Flaw { what, at: self.start }
    }

    /// The message in a length-delimited field.
    pub(crate) const fn message(&self) -> Option<Reader<'a>> {
        match self.payload {
            Payload::Bytes(message) => Some(message),
            _ => None,
        }
    }

    /// The string in a checked field; "" in any other.
    pub(crate) fn text(&self) -> &'a str {
        self.message().and_then(|text| str::from_utf8(text.bytes()).ok()).unwrap_or_default()
    }
}

/// Appends `value` in as few bytes as it needs.
pub(crate) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Number of bytes that [`put_varint`] appends.
pub(crate) const fn varint_len(value: u64) -> usize {
    (63 - (value | 1).leading_zeros() as usize) / 7 + 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Fault, Flaw, Payload, Reader, put_varint, varint_len};

    fn first(bytes: &[u8]) -> Result<Option<(u32, Payload<'_>)>, Flaw> {
        Ok(Reader::new(bytes).field()?.map(|field| (field.number, field.payload)))
    }

    #[test]
    fn every_wire_type_is_read_or_refused() {
        assert!(matches!(first(&[]), Ok(None)));
        assert!(matches!(first(&[0x08, 0x96, 0x01]), Ok(Some((1, Payload::Varint(150))))));
        assert!(matches!(first(&[0x11, 1, 0, 0, 0, 0, 0, 0, 0]), Ok(Some((2, Payload::Fixed64(1))))));
        assert!(matches!(first(&[0x1a, 2, 7, 8]), Ok(Some((3, Payload::Bytes(bytes)))) if bytes.bytes() == [7, 8]));
        assert!(matches!(first(&[0x25, 1, 2, 3, 4]), Ok(Some((4, Payload::Fixed32)))));
        for key in [0x0b, 0x0c, 0x0e, 0x0f] {
            assert_eq!(first(&[key, 0, 0]).unwrap_err().what, Fault::WireType, "key {key:#x}");
        }
    }

    #[test]
    fn what_is_broken_is_named() {
        let cases: [(&[u8], Fault); 8] = [
            (&[0x80], Fault::Truncated),
            (&[0x08], Fault::Truncated),
            (&[0x11, 1, 0, 0, 0, 0, 0, 0], Fault::Truncated),
            (&[0x12, 3, 0, 0], Fault::Truncated),
            (&[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], Fault::Truncated),
            (&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], Fault::Varint),
            (&[0x02, 0], Fault::FieldNumber),
            (&[0x80, 0x80, 0x80, 0x80, 0x10, 0], Fault::FieldNumber),
        ];
        for (bytes, expected) in cases {
            assert_eq!(first(bytes).unwrap_err(), Flaw { what: expected, at: 0 }, "{bytes:x?}");
        }
    }

    #[test]
    fn a_reader_knows_where_it_stands_in_the_request() {
        let mut outer = Reader::new(&[0x0a, 4, 0x08, 1, 0x10, 0x80]);
        let mut inner = outer.field().unwrap().unwrap().message().unwrap();
        assert_eq!((outer.at(), inner.at()), (6, 2));
        assert_eq!(inner.field().unwrap().unwrap().start, 2);
        assert_eq!(inner.field().unwrap_err(), Flaw { what: Fault::Truncated, at: 4 });
    }

    proptest! {
        #[test]
        fn a_varint_is_read_as_it_was_written(value: u64) {
            let mut bytes = Vec::new();
            put_varint(value, &mut bytes);
            prop_assert_eq!(bytes.len(), varint_len(value));
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.varint(), Ok(value));
            prop_assert!(reader.bytes().is_empty());
        }

        #[test]
        fn a_varint_may_be_longer_than_it_needs_to_be(value in 0..1_u64 << 28) {
            let padded = [value as u8 | 0x80, (value >> 7) as u8 | 0x80, (value >> 14) as u8 | 0x80, (value >> 21) as u8];
            prop_assert_eq!(Reader::new(&padded).varint(), Ok(value));
        }
    }
}
