//! One pass over a point: everything in it is checked, its attributes are summed up for its identity.
//!
//! This is where a gateway spends its time. Nearly all bytes of nearly all points are 64-bit numbers and short attributes
//! with a string or a number, so those are taken by pattern; anything else goes through [`crate::check`]. Whether their
//! strings are UTF-8 is asked once for all attributes in a row: that is several times faster than asking string by string,
//! and the same, because what stands between the strings is ASCII (see [`Pair`]).

use crate::check::{Fields, Pair, is_utf8};
use crate::identity::AttributeSum;
use crate::schema::{self, Message};
use crate::wire::{Field, Flaw, Reader};

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
    /// Visits every field but the attributes; those as well where they stand between others.
    #[inline]
    pub(crate) fn for_each_field(&self, mut visit: impl FnMut(&Field<'a>)) {
        let bytes = self.point.bytes();
        let parts =
            if self.run.is_whole() { [&bytes[..self.run.first], &bytes[self.run.last..]] } else { [bytes, &[]] };
        for part in parts {
            Reader::new(part).checked().for_each(|field| visit(&field));
        }
    }
}

/// Where the attributes of a point are.
#[derive(Clone, Copy, Default, Debug)]
struct Run {
    /// Where the first begins.
    first: usize,
    /// Where the last ends.
    last: usize,
    /// How many bytes they have together.
    length: usize,
}

impl Run {
    /// Adds the attribute from `start` to `end`.
    #[inline]
    fn add(&mut self, start: usize, end: usize) {
        if self.length == 0 {
            self.first = start;
        }
        self.last = end;
        self.length += end - start;
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
    let mut run = Run::default();
    let mut texts = Texts::default();
    let mut rest = bytes;
    while let [key, ref after @ ..] = *rest {
        let start = bytes.len() - rest.len();
        let key_value;
        (key_value, rest) = if shape.is_fixed64(key) && after.len() >= 8 {
            (None, &after[8..])
        } else if let Some((short, after)) = short_attribute(shape, key, after) {
            texts.add(bytes, start, short);
            (Some(short), after)
        } else {
            any_field(shape, &mut fields, point.at_tail(rest))?
        };
        if let Some(key_value) = key_value {
            if IDENTIFY {
                sum.add(key_value);
            }
            run.add(start, bytes.len() - rest.len());
        }
    }
    if !texts.are_legal(bytes) {
        Fields::of(shape.message).check_all(point)?;
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

/// Takes the next field, whatever it is, and checks it. If it is an attribute, returns that.
#[inline(never)]
fn any_field<'a>(
    shape: &Shape,
    fields: &mut Fields,
    mut point: Reader<'a>,
) -> Result<(Option<&'a [u8]>, &'a [u8]), Flaw> {
    let Some(field) = point.field()? else { return Ok((None, &[])) };
    fields.check(&field)?;
    let key_value = field.message().filter(|_| field.number == shape.attributes);
    Ok((key_value.map(Reader::bytes), point.bytes()))
}

/// Attributes that are legal if they are UTF-8. Neighbours are asked together.
#[derive(Default)]
struct Texts {
    /// Those from here to `end` have not been asked.
    start: usize,
    end: usize,
    /// Whether something was found to be not legal, or not simple enough to be known legal.
    doubtful: bool,
}

impl Texts {
    /// Adds the attribute whose frame starts at `start` in `bytes` and has a length of one byte.
    // Left alone, the compiler calls it for each attribute.
    #[inline(always)]
    fn add(&mut self, bytes: &[u8], start: usize, key_value: &[u8]) {
        if start != self.end {
            self.ask(bytes);
            (self.start, self.end) = (start, start);
        }
        let body = start + 2;
        match Pair::of(key_value) {
            Pair::Text => self.end = body + key_value.len(),
            Pair::Number(text) => {
                self.end = body + text;
                self.ask(bytes);
                self.start = body + key_value.len();
                self.end = self.start;
            }
            Pair::Other => self.doubtful = true,
        }
    }

    #[inline]
    fn ask(&mut self, bytes: &[u8]) {
        self.doubtful |= !is_utf8(&bytes[self.start..self.end]);
    }

    /// Whether all attributes are known to be legal.
    #[inline]
    fn are_legal(mut self, bytes: &[u8]) -> bool {
        self.ask(bytes);
        !self.doubtful
    }
}
