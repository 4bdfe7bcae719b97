//! Sums of doubles, compensated, so that millions of small deltas end where exact arithmetic does.
//!
//! Neumaier's variant of Kahan's summation: what each addition rounds away is kept apart and added at the end (A. Neumaier,
//! "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen", 1974). A sum that leaves the range of a double
//! stays at the largest one of its sign: it would never be a number again.

/// A sum of doubles.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct DoubleSum {
    pub(crate) sum: f64,
    pub(crate) compensation: f64,
}

impl DoubleSum {
    pub(crate) const fn of(value: f64) -> Self {
        Self { sum: value, compensation: 0.0 }
    }

    /// An integer, exactly.
    pub(crate) fn of_int(value: i128) -> Self {
        let sum = value as f64;
        Self { sum, compensation: (value - sum as i128) as f64 }
    }

    /// The sum, rounded once.
    pub(crate) fn value(self) -> f64 {
        if self.compensation == 0.0 { self.sum } else { self.sum + self.compensation }
    }

    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        if !sum.is_finite() {
            *self = Self::of(f64::MAX.copysign(sum));
            return;
        }
        self.compensation +=
            if self.sum.abs() >= value.abs() { (self.sum - sum) + value } else { (value - sum) + self.sum };
        self.sum = sum;
    }

    /// Adds an integer without rounding it first: above 2^53 it takes two doubles.
    pub(crate) fn add_int(&mut self, value: i64) {
        let parts = Self::of_int(i128::from(value));
        self.add(parts.sum);
        if parts.compensation != 0.0 {
            self.add(parts.compensation);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::DoubleSum;

    #[test]
    fn ten_million_tenths_are_a_million_tenths_of_ten() {
        let mut sum = DoubleSum::of(0.0);
        (0..10_000_000).for_each(|_| sum.add(0.1));
        // 0.1 is 0x1.999999999999ap-4, a hair above a tenth: ten million of them are 1000000.0000000000555...
        assert_eq!(sum.value(), 1_000_000.0);
    }

    #[test]
    fn integers_beyond_2_to_the_53_lose_nothing() {
        let mut sum = DoubleSum::of_int(i128::from(i64::MAX));
        sum.add_int(i64::MAX);
        sum.add_int(-i64::MAX);
        sum.add_int(-i64::MAX);
        assert_eq!(sum.value(), 0.0);
    }

    #[test]
    fn a_sum_beyond_the_range_stays_at_its_end() {
        let mut sum = DoubleSum::of(f64::MAX);
        sum.add(f64::MAX);
        assert_eq!(sum.value(), f64::MAX);
        sum.add(-f64::MAX);
        assert_eq!(sum.value(), 0.0);
    }

    proptest! {
        /// Multiples of 2^-20 below 2^40 add up exactly in `i128`.
        #[test]
        fn a_sum_is_within_one_ulp_of_the_exact_one(values in prop::collection::vec(-(1_i64 << 60)..(1 << 60), 1..300)) {
            let unit = (2.0_f64).powi(-20);
            let doubles: Vec<f64> = values.iter().map(|value| *value as f64 * unit).collect();
            let exact: i128 = doubles.iter().map(|value| (value / unit) as i128).sum();
            let mut sum = DoubleSum::of(0.0);
            doubles.iter().for_each(|value| sum.add(*value));
            let expected = exact as f64 * unit;
            prop_assert!((sum.value() - expected).abs() <= expected.abs() * f64::EPSILON + unit * 1e-3);
        }
    }
}
