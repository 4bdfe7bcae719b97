//! The elements of the formats, read.

use shardset_model::StreamId;
use thiserror::Error;

/// Why bytes are not what they should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Corrupt {
    /// They end too early.
    #[error("the bytes end at {at}, in the middle of something")]
    Truncated {
        /// Offset of what is cut off.
        at: usize,
    },
    /// Something in them has no meaning.
    #[error("no {what} stands at byte {at}")]
    Invalid {
        /// What should stand there.
        what: &'static str,
        /// Its offset.
        at: usize,
    },
    /// A change speaks of a slot that is vacant.
    #[error("a change speaks of slot {slot}, which no stream has")]
    Vacant {
        /// The slot.
        slot: u32,
    },
    /// A change speaks of points that wait for a stream, and none do.
    #[error("a change speaks of waiting points of stream {stream}, which has none")]
    NotParked {
        /// The stream.
        stream: StreamId,
    },
    /// A change speaks of a stream that is kept elsewhere, and it is not.
    #[error("a change speaks of stream {stream} as of one that is kept elsewhere, and it is not")]
    NotIdle {
        /// The stream.
        stream: StreamId,
    },
    /// A change puts a stream where another one is, or one that is here already.
    #[error("a change puts a stream into slot {slot}, but the slot or the stream is taken")]
    Taken {
        /// The slot.
        slot: u32,
    },
}

/// Reads from the front of bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    pub(crate) const fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// That what was just read, at `at`, is no `what`.
    pub(super) const fn invalid(&self, what: &'static str, at: usize) -> Corrupt {
        Corrupt::Invalid { what, at }
    }

    #[inline]
    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], Corrupt> {
        let rest = &self.bytes[self.at..];
        let (taken, _) = rest.split_at_checked(len).ok_or(Corrupt::Truncated { at: self.at })?;
        self.at += len;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Corrupt> {
        let taken = self.take(N)?;
        Ok(taken.try_into().expect("as many bytes as asked for"))
    }

    /// What was read since the reader was `begin`.
    pub(super) fn passed_since(&self, begin: Self) -> &'a [u8] {
        &self.bytes[begin.at..self.at]
    }

    pub(super) fn flag(&mut self) -> Result<bool, Corrupt> {
        let at = self.at;
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.invalid("yes or no", at)),
        }
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, Corrupt> {
        self.array::<1>().map(|[byte]| byte)
    }

    #[inline]
    pub(super) fn fixed32(&mut self) -> Result<u32, Corrupt> {
        self.array().map(u32::from_le_bytes)
    }

    #[inline]
    pub(super) fn fixed64(&mut self) -> Result<u64, Corrupt> {
        self.array().map(u64::from_le_bytes)
    }

    #[inline]
    pub(super) fn fixed128(&mut self) -> Result<u128, Corrupt> {
        self.array().map(u128::from_le_bytes)
    }

    #[inline]
    pub(super) fn double(&mut self) -> Result<f64, Corrupt> {
        self.fixed64().map(f64::from_bits)
    }

    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, Corrupt> {
        let begin = self.at;
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.invalid("varint of 64 bits", begin))
    }

    #[inline]
    pub(super) fn signed(&mut self) -> Result<i64, Corrupt> {
        self.varint().map(|value| (value >> 1) as i64 ^ -((value & 1) as i64))
    }

    #[inline]
    pub(super) fn narrow<T: TryFrom<u64>>(&mut self, what: &'static str) -> Result<T, Corrupt> {
        let at = self.at;
        T::try_from(self.varint()?).map_err(|_| self.invalid(what, at))
    }

    pub(super) fn narrow_signed<T: TryFrom<i64>>(&mut self, what: &'static str) -> Result<T, Corrupt> {
        let at = self.at;
        T::try_from(self.signed()?).map_err(|_| self.invalid(what, at))
    }

    /// The length of a list whose elements take at least `element` bytes each, so that it can be allocated for.
    #[inline]
    pub(super) fn len(&mut self, element: usize) -> Result<usize, Corrupt> {
        let at = self.at;
        let len: usize = self.narrow("length")?;
        let fits = len.checked_mul(element).is_some_and(|bytes| bytes <= self.bytes.len() - self.at);
        if fits { Ok(len) } else { Err(Corrupt::Truncated { at }) }
    }

    #[inline]
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Corrupt> {
        let len = self.len(1)?;
        self.take(len)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Corrupt> {
        let at = self.at;
        std::str::from_utf8(self.bytes()?).map_err(|_| self.invalid("UTF-8 text", at))
    }
}
