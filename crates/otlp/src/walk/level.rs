//! One message on the way: the messages that the walk goes on with, and everything that stands beside them.

use crate::check::Fields;
use crate::schema::Message;
use crate::wire::{Field, Flaw, Reader};

/// How many spans a level keeps room for. Encoders write a message's own fields before or after its children, which
/// makes one or two.
const RETAINED: usize = 1024;

/// What stands in one message beside the children that the walk goes on with.
#[derive(Default, Debug)]
pub(crate) struct Level {
    /// Where those fields begin and end, key and all; neighbours are one span.
    beside: Vec<(u32, u32)>,
    /// How many messages of this level were scanned in this request.
    serial: u32,
}

/// A message that the walk goes on with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Child<'a> {
    pub(super) number: u32,
    /// Where its key begins in the request.
    pub(super) start: usize,
    pub(super) body: Reader<'a>,
}

impl<'a> Child<'a> {
    /// All of it, from its key on.
    #[inline]
    pub(super) fn frame(&self, request: &'a [u8]) -> &'a [u8] {
        &request[self.start..self.body.end()]
    }

    /// This field, if its number is in `set`, in which bit n stands for field n.
    #[inline]
    fn of(field: &Field<'a>, set: u32) -> Option<Self> {
        let body = field.message()?;
        let is_child = field.number < 32 && set >> field.number & 1 == 1;
        is_child.then_some(Self { number: field.number, start: field.start, body })
    }
}

/// The children of a message that was scanned: its fields whose numbers are in `set`, in which bit n stands for field n.
#[inline]
pub(super) fn children(message: Reader<'_>, set: u32) -> impl Iterator<Item = Child<'_>> {
    message.checked().filter_map(move |field| Child::of(&field, set))
}

impl Level {
    /// Begins a request.
    pub(super) fn reset(&mut self) {
        self.serial = 0;
        self.beside.clear();
        self.beside.shrink_to(RETAINED);
    }

    /// Goes through `message`, checks all fields but its children, whose numbers are in the set `child`, and counts those.
    pub(super) fn scan(&mut self, schema: &'static Message, child: u32, mut message: Reader<'_>) -> Result<u32, Flaw> {
        self.beside.clear();
        self.serial += 1;
        let mut fields = Fields::of(schema);
        let mut children = 0;
        while let Some(field) = message.field()? {
            if Child::of(&field, child).is_some() {
                children += 1;
            } else {
                fields.check(&field)?;
                self.keep(field.start as u32, message.at() as u32);
            }
        }
        Ok(children)
    }

    fn keep(&mut self, start: u32, end: u32) {
        match self.beside.last_mut() {
            Some(last) if last.1 == start => last.1 = end,
            _ => self.beside.push((start, end)),
        }
    }

    /// Tells two messages of this level in one request apart.
    #[inline]
    pub(crate) const fn serial(&self) -> u32 {
        self.serial
    }

    /// The bytes beside the children, in spans.
    pub(crate) fn spans<'a>(&self, request: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.beside.iter().map(|&(start, end)| &request[start as usize..end as usize])
    }

    /// The fields beside the children.
    pub(super) fn fields<'a>(&self, request: &'a [u8]) -> impl Iterator<Item = Field<'a>> {
        self.spans(request).flat_map(|span| Reader::new(span).checked())
    }
}
