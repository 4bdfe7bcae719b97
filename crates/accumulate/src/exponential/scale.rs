//! Which bucket holds a value, and where a bucket ends: exactly, by integers.
//!
//! Logarithms of the platform differ in their last bits, and these results are stored and compared between workers. So
//! fractions of powers of two are fixed point numbers with 62 bits behind the point, made by integer square roots. Powers of
//! two are exact at every scale. Other bounds are rounded down: were one rounded up, it would lie in the next bucket, and
//! each merge would widen the zero bucket a little more.

/// The coarsest scale: a double's whole range takes three buckets.
pub(crate) const MIN: i32 = -10;
/// The finest scale.
pub(crate) const MAX: i32 = 20;

/// The exponent of the smallest double.
const LOWEST_EXPONENT: i64 = -1074;
/// Bits behind the point.
const POINT: u32 = 62;
/// 1, and what a mantissa is below.
const ONE: u64 = 1 << POINT;

/// The indexes that a double can fall into at a scale.
pub(crate) fn indexes(scale: i32) -> (i64, i64) {
    if scale > 0 {
        ((LOWEST_EXPONENT << scale) - 1, (1024_i64 << scale) - 1)
    } else {
        ((LOWEST_EXPONENT - 1) >> -scale, 1023 >> -scale)
    }
}

/// The index of the bucket that holds `value`, which is positive and finite.
pub(crate) fn index_of(value: f64, scale: i32) -> i32 {
    let (exponent, mantissa) = split(value);
    let power_of_two = mantissa == ONE;
    let index = if scale <= 0 {
        (exponent - i64::from(power_of_two)) >> -scale
    } else if power_of_two {
        (exponent << scale) - 1
    } else {
        (exponent << scale) + i64::from(log2(mantissa, scale))
    };
    index as i32
}

/// The upper bound of a bucket, rounded down where it is not a double; the largest double where it is beyond all.
pub(crate) fn upper_bound(index: i32, scale: i32) -> f64 {
    let next = i64::from(index) + 1;
    if scale <= 0 {
        return compose(next << -scale, ONE);
    }
    let fraction = next & ((1 << scale) - 1);
    compose(next >> scale, exp2(fraction as u32, scale))
}

/// A positive value as `mantissa / ONE * 2^exponent`, the mantissa from 1 to below 2.
fn split(value: f64) -> (i64, u64) {
    let bits = value.to_bits() & !(1 << 63);
    let (biased, fraction) = ((bits >> 52) as i64, bits & ((1 << 52) - 1));
    if biased > 0 {
        return (biased - 1023, ONE | fraction << (POINT - 52));
    }
    let length = 64 - fraction.leading_zeros();
    (LOWEST_EXPONENT + i64::from(length) - 1, fraction << (POINT + 1 - length))
}

/// `mantissa / ONE * 2^exponent`, rounded down to a double.
fn compose(exponent: i64, mantissa: u64) -> f64 {
    if exponent > 1023 {
        return f64::MAX;
    }
    let digits = mantissa >> (POINT - 52);
    if exponent >= -1022 {
        return f64::from_bits(((exponent + 1023) as u64) << 52 | digits & ((1 << 52) - 1));
    }
    let lost = -1022 - exponent;
    f64::from_bits(if lost > 52 { 0 } else { digits >> lost })
}

/// The first `bits` binary digits of a mantissa's logarithm: squaring doubles a logarithm, so each square tells one more.
fn log2(mantissa: u64, bits: i32) -> u32 {
    let mut power = mantissa;
    (0..bits).fold(0, |digits, _| {
        let square = (u128::from(power) * u128::from(power)) >> POINT;
        let carry = square >= u128::from(ONE) * 2;
        power = (square >> u32::from(carry)) as u64;
        digits << 1 | u32::from(carry)
    })
}

/// `2^(fraction / 2^bits)`: the product of the roots of two that the binary digits of the fraction stand for.
fn exp2(fraction: u32, bits: i32) -> u64 {
    let mut root = ONE * 2;
    (0..bits).rev().fold(ONE, |product, digit| {
        root = (u128::from(root) << POINT).isqrt() as u64;
        if fraction >> digit & 1 == 0 { product } else { ((u128::from(product) * u128::from(root)) >> POINT) as u64 }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{index_of, indexes, upper_bound};

    #[test]
    fn powers_of_two_are_exact_at_every_scale() {
        for scale in super::MIN..=super::MAX {
            for exponent in -1074..=1023_i64 {
                let value = super::compose(exponent, super::ONE);
                let index = index_of(value, scale);
                if scale >= 0 {
                    assert_eq!(i64::from(index), (exponent << scale) - 1, "2^{exponent} at scale {scale}");
                    assert_eq!(upper_bound(index, scale), value);
                } else {
                    assert_eq!(i64::from(index), (exponent - 1) >> -scale, "2^{exponent} at scale {scale}");
                }
            }
        }
    }

    #[test]
    fn indexes_and_bounds_by_hand() {
        let table = [
            (0.3, 0, -2, 0.5),
            (3.0, 0, 1, 4.0),
            (2.0, 0, 0, 2.0),
            (1.0, 0, -1, 1.0),
            (0.5, -1, -1, 1.0),
            (3.0, -1, 0, 4.0),
            (4.0, -1, 0, 4.0),
            (f64::MIN_POSITIVE, -10, -1, 1.0),
            (5e-324, 0, -1075, 5e-324),
            (5e-324, -10, -2, f64::from_bits(1 << 50)),
            (f64::MAX, 0, 1023, f64::MAX),
            (f64::MAX, -10, 0, f64::MAX),
            (1.5, 1, 1, 2.0),
        ];
        for (value, scale, index, bound) in table {
            assert_eq!(index_of(value, scale), index, "{value} at scale {scale}");
            assert_eq!(upper_bound(index, scale), bound, "bucket {index} of scale {scale}");
        }
        let above_the_root = 2.0_f64.sqrt();
        assert_eq!(upper_bound(0, 1), above_the_root.next_down());
    }

    proptest! {
        #[test]
        fn a_value_lies_in_its_bucket_and_a_bound_in_the_bucket_it_ends(bits in 1_u64..0x7ff0_0000_0000_0000, scale in -10..=20) {
            let value = f64::from_bits(bits);
            let index = index_of(value, scale);
            let (low, high) = indexes(scale);
            prop_assert!((low..=high).contains(&i64::from(index)));
            let near = value.min(1e300) * (1.0 - 4.0 * f64::EPSILON);
            prop_assert!(upper_bound(index, scale) >= near, "{} is above its bucket", value);
            if i64::from(index) > low {
                prop_assert!(upper_bound(index - 1, scale) <= value, "{} is below its bucket", value);
            }
            if value > 1e-290 && index_of(f64::MAX, scale) != index {
                prop_assert_eq!(index_of(upper_bound(index, scale), scale), index);
            }
        }
    }
}
