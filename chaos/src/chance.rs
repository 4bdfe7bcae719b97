//! Chance, from a seed. PCG (XSL-RR 128/64) has one documented sequence per seed on every machine, so a seed means the same
//! faults for as long as the draws stay as they are.

use std::time::Duration;

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng as _;

/// Which of PCG's sequences: any number will do, as long as it stays.
const SEQUENCE: u128 = 0x0043_4841_4f53;

/// A stream of draws.
#[derive(Clone, Debug)]
pub(crate) struct Chance(Pcg64);

impl Chance {
    /// The draws of the `part`-th part of what `seed` decides. Parts do not depend on each other.
    pub(crate) fn new(seed: u64, part: u64) -> Self {
        let mut pcg = Pcg64::new(u128::from(seed) << 64 | u128::from(part), SEQUENCE);
        // Outputs are made of the upper bits; a few multiplications carry the difference between two parts up there.
        for _ in 0..4 {
            pcg.next_u64();
        }
        Self(pcg)
    }

    /// A number from `first` to `last`, both included.
    pub(crate) fn between(&mut self, first: u32, last: u32) -> u32 {
        let width = u64::from(last - first) + 1;
        first + ((u128::from(self.0.next_u64()) * u128::from(width)) >> 64) as u32
    }

    /// A time from `least` to `most` milliseconds.
    pub(crate) fn millis(&mut self, least: u32, most: u32) -> Duration {
        Duration::from_millis(u64::from(self.between(least, most)))
    }

    /// Whether something that happens in so many of a hundred cases happens.
    pub(crate) fn percent(&mut self, percent: u32) -> bool {
        self.between(1, 100) <= percent
    }

    /// One of these.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.between(0, choices.len() as u32 - 1) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::Chance;

    #[test]
    fn a_seed_means_the_same_draws_for_ever() {
        let mut chance = Chance::new(1, 2);
        let draws = [chance.between(0, 999), chance.between(0, 999), chance.between(5, 9)];
        assert_eq!(draws, [781, 169, 6]);
    }

    #[test]
    fn draws_stay_in_their_range() {
        let mut chance = Chance::new(3, 0);
        assert!((0..10_000).all(|_| (5..=9).contains(&chance.between(5, 9))));
        let hits = (0..10_000).filter(|_| chance.percent(25)).count();
        assert!((2_300..2_700).contains(&hits), "{hits} of 10000 at 25 %");
    }
}
