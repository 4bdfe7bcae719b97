//! Chance, from a seed: the one source of it in a simulation.
//!
//! PCG (XSL-RR 128/64) has one documented sequence per seed on every machine, and the few draws below are written out, so a
//! seed means the same run for as long as the code that draws stays as it is.

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng as _;

/// Which of PCG's sequences: any number will do, as long as it stays.
const SEQUENCE: u128 = 0x5348_4152_4453_494d;

/// A stream of draws.
#[derive(Clone, Debug)]
pub(crate) struct Random(Pcg64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Self(Pcg64::new(u128::from(seed) << 64 | u128::from(seed), SEQUENCE));
        // Outputs are made of the upper bits; a few multiplications carry the difference between two seeds up there.
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

    /// Whether something of this probability happens.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        ((self.bits() >> 11) as f64 / (1_u64 << 53) as f64) < probability
    }

    /// A probability up to `most`.
    pub(crate) fn probability(&mut self, most: f64) -> f64 {
        self.below(1 << 20) as f64 / (1_u64 << 20) as f64 * most
    }

    /// One of these.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}
