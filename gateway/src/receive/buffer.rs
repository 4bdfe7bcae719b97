//! A growing run of bytes that is charged before it grows and never passes its limit.
//!
//! Charged is the capacity, not the length, because that is what is taken from the system. It doubles, so a byte is
//! copied about once; while it moves, old and new exist together, for as long as one copy takes on one thread.

use bytes::Bytes;
use thiserror::Error;

use super::{OverBudget, Reservation};

/// Fits most requests of one process at once.
const FIRST_CAPACITY: usize = 8 * 1024;

/// Why a buffer takes no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Full {
    /// It would pass the limit. Final.
    #[error("the request is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The budget has no room. Temporary.
    #[error(transparent)]
    OverBudget(#[from] OverBudget),
}

/// Bytes that a [`Reservation`] pays for.
#[derive(Debug)]
pub struct Buffer {
    bytes: Vec<u8>,
    reservation: Reservation,
    limit: usize,
    expected: usize,
}

impl Buffer {
    /// An empty one that takes at most `limit` bytes.
    pub fn new(reservation: Reservation, limit: usize) -> Self {
        Self { bytes: Vec::new(), reservation, limit, expected: limit }
    }

    /// The same, of which somebody says how long it will be. That saves room; it is not believed.
    #[must_use]
    pub fn expecting(mut self, length: usize) -> Self {
        self.expected = length;
        self
    }

    /// Appends `more`.
    ///
    /// # Errors
    ///
    /// Where the limit or the budget is passed; nothing is appended then.
    pub fn extend(&mut self, more: &[u8]) -> Result<(), Full> {
        let length = self.bytes.len() + more.len();
        if length > self.limit {
            return Err(Full::TooLarge { limit: self.limit });
        }
        self.make_room(length)?;
        self.bytes.extend_from_slice(more);
        Ok(())
    }

    /// What it holds.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// What it holds, for as long as somebody wants it; the reservation keeps paying until it is dropped.
    pub fn freeze(mut self) -> Bytes {
        Bytes::from(std::mem::take(&mut self.bytes))
    }

    fn make_room(&mut self, length: usize) -> Result<(), Full> {
        let capacity = self.bytes.capacity();
        if length <= capacity {
            return Ok(());
        }
        let doubled = (capacity * 2).max(FIRST_CAPACITY);
        let wanted = if length <= self.expected { doubled.min(self.expected) } else { doubled };
        let wanted = wanted.min(self.limit).max(length);
        self.reservation.grow(wanted - capacity)?;
        self.bytes.reserve_exact(wanted - self.bytes.len());
        Ok(())
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.reservation.shrink(self.bytes.capacity());
    }
}

#[cfg(test)]
mod tests {
    use super::{Buffer, Full};
    use crate::receive::Budget;

    #[test]
    fn capacity_is_charged_and_given_back() {
        let budget = Budget::new(1 << 20);
        let mut buffer = Buffer::new(budget.open(), 1 << 20);
        buffer.extend(&[1; 10]).unwrap();
        assert_eq!(budget.used(), 8 << 10);
        buffer.extend(&[2; 8 << 10]).unwrap();
        assert_eq!(budget.used(), 16 << 10);
        drop(buffer);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_frozen_buffer_stays_charged_as_long_as_its_reservation() {
        let budget = Budget::new(1 << 20);
        let reservation = budget.open();
        let mut buffer = Buffer::new(reservation.clone(), 1 << 20).expecting(3);
        buffer.extend(&[7; 3]).unwrap();
        assert_eq!(buffer.freeze().as_ref(), [7; 3]);
        assert_eq!(budget.used(), 3);
        drop(reservation);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn the_limit_is_final_and_the_budget_is_not() {
        let budget = Budget::new(100);
        let mut small = Buffer::new(budget.open(), 4);
        assert_eq!(small.extend(&[0; 5]), Err(Full::TooLarge { limit: 4 }));
        assert_eq!(small.extend(&[0; 4]), Ok(()));
        let mut large = Buffer::new(budget.open(), 1 << 20);
        assert!(matches!(large.extend(&[0; 97]), Err(Full::OverBudget(_))));
    }

    #[test]
    fn a_length_that_was_promised_wrongly_changes_nothing_but_the_capacity() {
        let budget = Budget::new(1 << 20);
        let mut buffer = Buffer::new(budget.open(), 1 << 20).expecting(2);
        buffer.extend(&[1; 2]).unwrap();
        buffer.extend(&[2; 3]).unwrap();
        assert_eq!(buffer.as_slice(), [1, 1, 2, 2, 2]);
        assert_eq!(budget.used(), 8 << 10);
    }
}
