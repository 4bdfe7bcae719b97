//! Chance, from a seed. PCG (XSL-RR 128/64) has one documented sequence per seed on every machine, and the few
//! draws below are written out, so a seed means the same requests for as long as this file stays as it is.

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng as _;

/// Which of PCG's sequences: any number will do, as long as it stays.
const SEQUENCE: u128 = 0x5348_4152_4453_4554;

/// A stream of draws.
#[derive(Clone, Debug)]
pub(crate) struct Random(Pcg64);

impl Random {
    /// The draws of the `part`-th part of what `seed` decides. Parts do not depend on each other.
    pub(crate) fn new(seed: u64, part: u64) -> Self {
        let mut random = Self(Pcg64::new(u128::from(seed) << 64 | u128::from(part), SEQUENCE));
        // Outputs are made of the upper bits; a few multiplications carry the difference between two parts up there.
        for _ in 0..4 {
            random.bits();
        }
        random
    }

    /// 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`, by multiplication: the bias is below 2^-32 for the small bounds used here.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// A number from `first` to `last`, both included.
    pub(crate) fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    /// A number from 0 to below 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Whether something of this probability happens.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of these.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// A positive multiple of 1/1024, at most `whole`: sums of such values are exact.
    pub(crate) fn exact(&mut self, whole: u64) -> f64 {
        self.between(1, whole * 1024) as f64 / 1024.0
    }

    /// A random UUID, version 4.
    pub(crate) fn uuid(&mut self) -> String {
        let (high, low) = (self.bits(), self.bits());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:x}{:03x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            8 + (low >> 62),
            low >> 48 & 0xfff,
            low & 0xffff_ffff_ffff
        )
    }

    /// `length` hexadecimal digits.
    pub(crate) fn hex(&mut self, length: usize) -> String {
        (0..length).map(|_| char::from(self.pick(b"0123456789abcdef"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn a_seed_means_the_same_draws_for_ever() {
        let mut random = Random::new(1, 2);
        let draws = [random.bits(), random.below(1000), random.between(5, 9)];
        assert_eq!(draws, GOLDEN);
        assert_eq!(random.uuid(), GOLDEN_UUID);
    }

    const GOLDEN: [u64; 3] = [1195099293406821266, 800, 9];
    const GOLDEN_UUID: &str = "7c42de3b-3515-41a3-bc85-57f4507cd9a1";

    #[test]
    fn parts_of_a_seed_differ() {
        let firsts: std::collections::BTreeSet<u64> = (0..1000).map(|part| Random::new(7, part).bits()).collect();
        assert_eq!(firsts.len(), 1000);
    }

    #[test]
    fn draws_stay_in_their_range() {
        let mut random = Random::new(3, 0);
        for _ in 0..10_000 {
            assert!(random.below(7) < 7);
            assert!((5..=9).contains(&random.between(5, 9)));
            assert!((0.0..1.0).contains(&random.unit()));
            let exact = random.exact(4);
            assert!(exact > 0.0 && exact <= 4.0 && (exact * 1024.0).fract() == 0.0);
        }
    }
}
