//! Numbers as text: the shortest decimal that reads back as the same number.
//!
//! Bounds in labels never have an exponent, as Prometheus' own OTLP endpoint writes them, so that `le` is the same whichever
//! way a series came. Values have one where the decimal would be long.
//!
//! Pure.

use std::fmt::Write;

/// Values of smaller or larger magnitude are written with an exponent.
const PLAIN: std::ops::Range<f64> = 1e-6..1e21;

/// Appends a value.
pub(crate) fn push_value(text: &mut String, value: f64) {
    if value.is_finite() && value != 0.0 && !PLAIN.contains(&value.abs()) {
        write!(text, "{value:e}").expect("a String takes everything");
    } else {
        push_bound(text, value);
    }
}

/// Appends what `le` or `quantile` says.
pub(crate) fn push_bound(text: &mut String, bound: f64) {
    let written = match bound {
        f64::INFINITY => write!(text, "+Inf"),
        f64::NEG_INFINITY => write!(text, "-Inf"),
        _ => write!(text, "{bound}"),
    };
    written.expect("a String takes everything");
}

#[cfg(test)]
mod tests {
    use super::{push_bound, push_value};

    #[test]
    fn numbers_are_as_short_as_they_can_be() {
        let table = [
            (0.0, "0", "0"),
            (-1.5, "-1.5", "-1.5"),
            (120.0, "120", "120"),
            (0.1 + 0.2, "0.30000000000000004", "0.30000000000000004"),
            (1e20, "100000000000000000000", "100000000000000000000"),
            (1e21, "1e21", "1000000000000000000000"),
            (2.5e-7, "2.5e-7", "0.00000025"),
            (f64::INFINITY, "+Inf", "+Inf"),
            (f64::NEG_INFINITY, "-Inf", "-Inf"),
            (f64::NAN, "NaN", "NaN"),
        ];
        for (number, as_value, as_bound) in table {
            let (mut value, mut bound) = (String::new(), String::new());
            push_value(&mut value, number);
            push_bound(&mut bound, number);
            assert_eq!((value.as_str(), bound.as_str()), (as_value, as_bound));
            assert_eq!(value.parse::<f64>().map(f64::to_bits), Ok(number.to_bits()), "{value} reads back");
        }
    }
}
