//! Scalars of proto3 JSON as numbers, and what can be wrong with a value.

use thiserror::Error;

/// A JSON value that is neither `null`, an array nor an object.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scalar<'a> {
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(&'a str),
}

/// What is wrong with a value. Reads after "such a field is".
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Fault {
    /// It is of another type.
    #[error("{found}, not {expected}")]
    Type {
        /// What there is.
        found: &'static str,
        /// What there should be.
        expected: &'static str,
    },
    /// It is a number that the field can not hold.
    #[error("out of the range of {0}")]
    Range(&'static str),
    /// It should be an integer.
    #[error("a number with a fraction, not {0}")]
    Fraction(&'static str),
    /// It is a string that should be a number.
    #[error("a string that is no number")]
    NoNumber,
    /// It is the name of an enum, which OTLP does not allow.
    #[error("a string; OTLP wants enums as integers")]
    EnumName,
    /// It is a string that should be base64.
    #[error("a string that is no base64")]
    NoBase64,
    /// It is a string that should be hex.
    #[error("a string that is no hex")]
    NoHex,
    /// `null` stands in an array.
    #[error("null, which an element of an array can not be")]
    NullElement,
    /// Its key stands twice in one object.
    #[error("there twice")]
    Twice,
    /// Another member of the same choice is there already.
    #[error("there beside another value of the same choice")]
    Choice,
    /// It is nested too deeply.
    #[error("nested more than {0} messages deep")]
    TooDeep(u32),
}

impl Scalar<'_> {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Bool(_) => "a boolean",
            Self::Unsigned(_) | Self::Signed(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a string",
        }
    }

    /// An integer that fits `T`, which is called `name`.
    pub(super) fn integer<T: TryFrom<i128>>(self, name: &'static str) -> Result<T, Fault> {
        let wide = match self {
            Self::Unsigned(value) => i128::from(value),
            Self::Signed(value) => i128::from(value),
            Self::Float(value) => whole(value, name)?,
            Self::Text(text) => whole_text(text, name)?,
            Self::Bool(_) => return Err(Fault::Type { found: self.name(), expected: name }),
        };
        T::try_from(wide).map_err(|_| Fault::Range(name))
    }

    pub(super) fn double(self) -> Result<f64, Fault> {
        match self {
            Self::Unsigned(value) => Ok(value as f64),
            Self::Signed(value) => Ok(value as f64),
            Self::Float(value) => Ok(value),
            Self::Text("NaN") => Ok(f64::NAN),
            Self::Text("Infinity") => Ok(f64::INFINITY),
            Self::Text("-Infinity") => Ok(f64::NEG_INFINITY),
            Self::Text(text) => float_text(text),
            Self::Bool(_) => Err(Fault::Type { found: self.name(), expected: "a double" }),
        }
    }
}

/// A double without a fraction as an integer. Beyond `i128` the conversion saturates, which is out of every range.
fn whole(value: f64, name: &'static str) -> Result<i128, Fault> {
    if !value.is_finite() {
        return Err(Fault::Range(name));
    }
    if value.fract() != 0.0 {
        return Err(Fault::Fraction(name));
    }
    Ok(value as i128)
}

fn whole_text(text: &str, name: &'static str) -> Result<i128, Fault> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_err(|_| Fault::Range(name));
    }
    whole(float_text(text)?, name)
}

/// Rust's own reader takes more than JSON has ("inf", "+1", ".5", "1."), so the shape is checked first.
fn float_text(text: &str) -> Result<f64, Fault> {
    let bytes = text.as_bytes();
    let first = bytes.strip_prefix(b"-").unwrap_or(bytes).first();
    let of_numbers = bytes.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    let shaped = first.is_some_and(u8::is_ascii_digit) && of_numbers && bytes.last() != Some(&b'.');
    let value: f64 = if shaped { text.parse().map_err(|_| Fault::NoNumber)? } else { return Err(Fault::NoNumber) };
    if value.is_finite() { Ok(value) } else { Err(Fault::Range("a double")) }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Scalar};

    #[test]
    fn strings_are_numbers_only_in_json_s_own_shape() {
        let table = [
            ("5.5", Ok(5.5)),
            ("-0.25e2", Ok(-25.0)),
            ("1e400", Err(Fault::Range("a double"))),
            ("", Err(Fault::NoNumber)),
            (" 1", Err(Fault::NoNumber)),
            ("+1", Err(Fault::NoNumber)),
            (".5", Err(Fault::NoNumber)),
            ("1.", Err(Fault::NoNumber)),
            ("inf", Err(Fault::NoNumber)),
            ("nan", Err(Fault::NoNumber)),
            ("1-1", Err(Fault::NoNumber)),
            ("0x10", Err(Fault::NoNumber)),
        ];
        for (text, value) in table {
            assert_eq!(Scalar::Text(text).double(), value, "{text:?}");
        }
    }

    #[test]
    fn integers_are_whole_and_in_range_however_they_are_written() {
        let table = [
            (Scalar::Text("9223372036854775807"), Ok(i64::MAX)),
            (Scalar::Text("-9223372036854775808"), Ok(i64::MIN)),
            (Scalar::Text("9223372036854775808"), Err(Fault::Range("int64"))),
            (Scalar::Text("99999999999999999999999999999999999999999999"), Err(Fault::Range("int64"))),
            (Scalar::Text("1e3"), Ok(1000)),
            (Scalar::Text("1.5"), Err(Fault::Fraction("int64"))),
            (Scalar::Text("-"), Err(Fault::NoNumber)),
            (Scalar::Unsigned(u64::MAX), Err(Fault::Range("int64"))),
            (Scalar::Float(1.5e18), Ok(1_500_000_000_000_000_000)),
            (Scalar::Float(-0.0), Ok(0)),
            (Scalar::Float(1e300), Err(Fault::Range("int64"))),
            (Scalar::Float(0.5), Err(Fault::Fraction("int64"))),
            (Scalar::Bool(true), Err(Fault::Type { found: "a boolean", expected: "int64" })),
        ];
        for (scalar, value) in table {
            assert_eq!(scalar.integer::<i64>("int64"), value, "{scalar:?}");
        }
    }
}
