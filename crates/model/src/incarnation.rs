//! Which life of a disk a worker speaks from.

use std::fmt;
use std::num::NonZeroU128;
use std::str::FromStr;

/// The id of a worker's disk, made when the disk was empty: a worker that comes back with another one has lost what it had
/// made durable. Prints as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(NonZeroU128);

impl Incarnation {
    /// The incarnation with this number; `None` for 0, which means "none" where one may be missing.
    pub const fn new(number: u128) -> Option<Self> {
        match NonZeroU128::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// Its number.
    pub const fn get(self) -> u128 {
        self.0.get()
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Incarnation {
    type Err = ();

    /// Reads 32 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).ok().filter(|_| digits);
        number.and_then(Self::new).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::Incarnation;

    #[test]
    fn an_incarnation_prints_as_it_is_read() {
        let text = "000000000000000000000000000000ff";
        let incarnation: Incarnation = text.parse().expect("it is one");
        assert_eq!((incarnation.get(), incarnation.to_string().as_str()), (255, text));
        for wrong in ["", "ff", "+00000000000000000000000000000ff", "00000000000000000000000000000000"] {
            assert_eq!(wrong.parse::<Incarnation>(), Err(()), "{wrong}");
        }
    }
}
