//! The version of a membership: grows by one at each change, is never reused and never goes back.

use std::fmt;
use std::num::NonZeroU64;

/// A membership's version. Prints as `e7`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(NonZeroU64);

impl Epoch {
    /// The epoch of a first membership.
    pub const FIRST: Self = Self(NonZeroU64::MIN);

    /// The epoch with this number, or `None` for 0, which means "no epoch" on the wire.
    pub const fn new(number: u64) -> Option<Self> {
        match NonZeroU64::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The epoch's number.
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    /// The epoch after this one; `None` at the end of `u64`, which 10^9 changes a second reach after 584 years.
    pub const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e{}", self.0)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::Epoch;

    #[test]
    fn an_epoch_grows_by_one_and_stops_at_the_end() {
        assert_eq!(Epoch::new(0), None);
        assert_eq!(Epoch::FIRST.next().map(Epoch::get), Some(2));
        assert_eq!(Epoch::new(u64::MAX).and_then(Epoch::next), None);
        assert_eq!(Epoch::FIRST.to_string(), "e1");
    }
}
