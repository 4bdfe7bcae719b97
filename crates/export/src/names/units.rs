//! The words that a unit adds to a metric's name.
//!
//! The tables are those of otlptranslator 1.0, which Prometheus 3.14 uses; two cells differ from the table in the OTel
//! specification (`kBy` there is `KBy` here, and `TiBy` is spelt `tibibytes`). The code wins: it is what backends hold.
//!
//! Pure.

use std::borrow::Cow;

/// UCUM units and what stands for them, in the plural. `1` stands for nothing.
const UNITS: [(&str, &str); 25] = [
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tibibytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("%", "percent"),
];

/// What stands for a unit behind the slash, in the singular.
const PER_UNITS: [(&str, &str); 7] =
    [("s", "second"), ("m", "minute"), ("h", "hour"), ("d", "day"), ("w", "week"), ("mo", "month"), ("y", "year")];

/// A unit as words of a name: what is counted, and `per_…`. Either may be empty.
pub(super) struct UnitWords<'a> {
    pub(super) main: Cow<'a, str>,
    pub(super) per: Cow<'a, str>,
}

impl<'a> UnitWords<'a> {
    /// The words of a UCUM unit as they are, whatever characters they have.
    pub(super) fn of(unit: &'a str) -> Self {
        let (main, per) = unit.split_once('/').unwrap_or((unit, ""));
        let main = match plain(main) {
            "1" => "",
            main => word(&UNITS, main),
        };
        let per = match word(&PER_UNITS, plain(per)) {
            "" => Cow::Borrowed(""),
            per => Cow::Owned(format!("per_{per}")),
        };
        Self { main: Cow::Borrowed(main), per }
    }

    /// The words of a UCUM unit in the old character set.
    pub(super) fn escaped(unit: &'a str) -> Self {
        let words = Self::of(unit);
        let per = escape(&words.per);
        let per = match per.as_str() {
            "per_" => "",
            per => per.strip_suffix('_').unwrap_or(per),
        };
        Self { main: Cow::Owned(escape(&words.main)), per: Cow::Owned(per.to_owned()) }
    }

    /// Both parts in one, as metadata has them: `bytes_per_second`.
    pub(super) fn joined(&self) -> String {
        let both = match (self.main.is_empty(), self.per.is_empty()) {
            (false, false) => format!("{}_{}", self.main.strip_suffix('_').unwrap_or(&self.main), self.per),
            (_, true) => self.main.to_string(),
            (true, false) => self.per.to_string(),
        };
        let both = both.strip_prefix('_').unwrap_or(&both);
        both.strip_suffix('_').unwrap_or(both).to_owned()
    }
}

/// A side of a unit, or nothing where it is an annotation in braces.
fn plain(side: &str) -> &str {
    let side = side.trim();
    if side.contains(['{', '}']) { "" } else { side }
}

fn word<'a>(table: &[(&'static str, &'static str)], unit: &'a str) -> &'a str {
    table.iter().find(|(symbol, _)| *symbol == unit).map_or(unit, |(_, word)| word)
}

/// Every run of characters that a name can not have becomes one underscore, and none is left in front.
fn escape(word: &str) -> String {
    let mut escaped = String::with_capacity(word.len());
    for c in word.chars() {
        if super::is_token_char(c) {
            escaped.push(c);
        } else if !escaped.is_empty() && !escaped.ends_with('_') {
            escaped.push('_');
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::UnitWords;

    #[test]
    fn units_are_told_in_words() {
        let table = [
            ("", ""),
            ("   ", ""),
            ("s", "seconds"),
            ("KiBy", "kibibytes"),
            ("TiBy", "tibibytes"),
            ("KBy", "kilobytes"),
            ("kBy", "kBy"),
            ("Cel", "celsius"),
            ("%", "percent"),
            ("1", ""),
            ("1/s", "per_second"),
            ("1/min", "per_min"),
            ("1/mo", "per_month"),
            ("m/s", "meters_per_second"),
            ("By/s", "bytes_per_second"),
            ("requests/m", "requests_per_minute"),
            ("{packet}", ""),
            ("{packet}/s", "per_second"),
            ("By/{packet}", "bytes"),
            ("{a}/{b}", ""),
            ("/", ""),
            ("/s", "per_second"),
            ("By/", "bytes"),
            (" By / s ", "bytes_per_second"),
            ("_custom_unit", "custom_unit"),
            ("custom_unit_", "custom_unit"),
            ("unit@@##$$name", "unit_name"),
            ("unit@with#special/chars", "unit_with_special_per_chars"),
            ("By/_custom__unit_", "bytes_per_custom_unit"),
            ("@#$%", ""),
            ("1/@", ""),
        ];
        for (unit, words) in table {
            assert_eq!(UnitWords::escaped(unit).joined(), words, "{unit:?}");
        }
    }

    #[test]
    fn without_escaping_a_unit_keeps_its_characters() {
        for (unit, words) in
            [("custom@unit", "custom@unit"), ("By/per#unit", "bytes_per_per#unit"), ("a__b", "a__b"), ("@", "@")]
        {
            assert_eq!(UnitWords::of(unit).joined(), words, "{unit:?}");
        }
    }
}
