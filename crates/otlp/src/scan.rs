//! One pass over a point: everything in it is checked, its attributes are summed up for its identity.
//!
//! This is where a gateway spends its time. Nearly all bytes of nearly all points are 64-bit numbers and attributes with
//! a one-byte length whose value is an ASCII string, so those are taken by pattern; anything else goes through
//! [`crate::check`]. Whether attributes are ASCII is asked once for all of a point: that is several times faster than
//! asking for each string whether it is UTF-8.

use crate::check::Fields;
use crate::identity::AttributeSum;
use crate::schema::{self, Message};
use crate::wire::{Flaw, Reader};

/// A kind of point, as far as scanning it goes.
#[derive(Debug)]
pub(crate) struct Shape {
    message: &'static Message,
    /// The field number of its attributes.
    pub(crate) attributes: u32,
    /// The fields that are 64 bits wide; bit n: field n.
    fixed64: u16,
}

impl Shape {
    const fn new(message: &'static Message, attributes: u32) -> Self {
        Self { message, attributes, fixed64: message.fixed64() }
    }

    /// The first byte of an attribute.
    #[inline]
    const fn attribute_key(&self) -> u8 {
        (self.attributes << 3) as u8 | 2
    }

    /// Whether a field that begins with this byte is known and has eight more.
    #[inline]
    const fn is_fixed64(&self, key: u8) -> bool {
        key & 0x87 == 1 && self.fixed64 >> (key >> 3) & 1 == 1
    }
}

pub(crate) static NUMBER: Shape = Shape::new(&schema::NUMBER_POINT, 7);
pub(crate) static HISTOGRAM: Shape = Shape::new(&schema::HISTOGRAM_POINT, 9);
pub(crate) static EXPONENTIAL: Shape = Shape::new(&schema::EXPONENTIAL_POINT, 1);
pub(crate) static SUMMARY: Shape = Shape::new(&schema::SUMMARY_POINT, 7);

/// A point that was checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scanned<'a> {
    /// The whole point.
    pub(crate) point: Reader<'a>,
    /// Its attributes; empty where the scan was not asked to identify.
    pub(crate) sum: AttributeSum,
    run: Run,
}

impl<'a> Scanned<'a> {
    /// The point in two parts that hold every field but the attributes, or every field where attributes stand between
    /// others.
    pub(crate) fn around_attributes(&self) -> [Reader<'a>; 2] {
        let bytes = self.point.bytes();
        if self.run.is_whole() {
            [Reader::new(&bytes[..self.run.first]), Reader::new(&bytes[self.run.last..])]
        } else {
            [self.point, Reader::new(&[])]
        }
    }
}

/// Where the attributes of a point are.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// Where the first begins.
    first: usize,
    /// Where the last ends.
    last: usize,
    /// How many bytes they have together.
    length: usize,
    /// Whether each [`is_plain`].
    plain: bool,
}

impl Run {
    const NONE: Self = Self { first: 0, last: 0, length: 0, plain: true };

    /// Adds the attribute from `start` to `end`.
    #[inline]
    fn add(&mut self, start: usize, end: usize, plain: bool) {
        if self.length == 0 {
            self.first = start;
        }
        self.last = end;
        self.length += end - start;
        self.plain &= plain;
    }

    /// Whether nothing stands between the attributes.
    #[inline]
    const fn is_whole(&self) -> bool {
        self.last - self.first == self.length
    }
}

/// Checks `point`; sums up its attributes if `IDENTIFY`.
#[inline]
pub(crate) fn scan<'a, const IDENTIFY: bool>(shape: &Shape, point: Reader<'a>) -> Result<Scanned<'a>, Flaw> {
    let bytes = point.bytes();
    let mut fields = Fields::of(shape.message);
    let mut sum = AttributeSum::default();
    let mut run = Run::NONE;
    let mut rest = bytes;
    while let [key, ref after @ ..] = *rest {
        let begin = bytes.len() - rest.len();
        let key_value;
        (key_value, rest) = if shape.is_fixed64(key) && after.len() >= 8 {
            (None, &after[8..])
        } else if let Some((short, after)) = short_attribute(shape, key, after) {
            (Some(short), after)
        } else {
            any_field(shape, &mut fields, point.from_tail(rest))?
        };
        if let Some(key_value) = key_value {
            if IDENTIFY {
                sum.add(key_value);
            }
            run.add(begin, bytes.len() - rest.len(), is_plain(key_value));
        }
    }
    if !(run.plain && bytes[run.first..run.last].is_ascii()) {
        check_attributes(shape, point)?;
    }
    Ok(Scanned { point, sum, run })
}

/// Splits off an attribute with a length of one byte, whose key byte has been read.
#[inline]
fn short_attribute<'a>(shape: &Shape, key: u8, after: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    match *after {
        [length, ref after @ ..] if key == shape.attribute_key() && length < 0x80 => {
            after.split_at_checked(length.into())
        }
        _ => None,
    }
}

/// Takes the next field, whatever it is, and checks it unless it is an attribute, which is returned.
#[inline(never)]
fn any_field<'a>(
    shape: &Shape,
    fields: &mut Fields,
    mut point: Reader<'a>,
) -> Result<(Option<&'a [u8]>, &'a [u8]), Flaw> {
    let Some(field) = point.field()? else { return Ok((None, &[])) };
    let key_value = field.message().filter(|_| field.number == shape.attributes).map(Reader::bytes);
    if key_value.is_none() {
        fields.check(&field)?;
    }
    Ok((key_value, point.bytes()))
}

/// Whether this `KeyValue` is a key and a string, in this order, and nothing else. Lengths are of one byte, because the
/// whole is. Then all that is left to check is that the strings are UTF-8, and if all of it is ASCII they are.
#[inline]
fn is_plain(key_value: &[u8]) -> bool {
    // 0a k <k bytes> 12 v 0a s <s bytes>
    let [0x0a, key_length, ref key_and_value @ ..] = *key_value else { return false };
    match key_and_value.split_at_checked(key_length.into()) {
        Some((_, [0x12, value_length, 0x0a, text_length, text @ ..])) => {
            text.len() < 0x80 && usize::from(*text_length) == text.len() && usize::from(*value_length) == text.len() + 2
        }
        _ => false,
    }
}

/// Checks the attributes of a point whose other fields were checked.
#[inline(never)]
fn check_attributes(shape: &Shape, mut point: Reader<'_>) -> Result<(), Flaw> {
    let mut fields = Fields::of(shape.message);
    while let Some(field) = point.field()? {
        if let (true, Some(key_value)) = (field.number == shape.attributes, field.message())
            && !(is_plain(key_value.bytes()) && key_value.bytes().is_ascii())
        {
            fields.check(&field)?;
        }
    }
    Ok(())
}
