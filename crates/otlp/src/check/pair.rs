//! The shape that nearly every attribute has, told by a few comparisons.

use crate::wire::Reader;

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
