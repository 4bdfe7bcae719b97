//! One line of text: name, labels, value, exemplar, each escaped as its format wants.
//!
//! Pure.

use std::borrow::Cow;
use std::fmt::Write;

use shardset_model::Exemplar;

use super::TextFormat;
use crate::labels::LabelNaming;
use crate::series::ExemplarLabels;

/// Values of smaller or larger magnitude are written with an exponent.
const PLAIN: std::ops::Range<f64> = 1e-6..1e21;

/// A line that has begun.
pub(super) struct Line<'a> {
    text: &'a mut String,
    format: TextFormat,
    /// What comes before the next label: the brace or the comma.
    before_label: &'static str,
}

impl<'a> Line<'a> {
    pub(super) fn begin(text: &'a mut String, format: TextFormat, name: &str, suffix: &str) -> Self {
        let before_label = if is_plain_metric_name(name) {
            text.push_str(name);
            text.push_str(suffix);
            "{"
        } else {
            text.push_str("{\"");
            push_escaped(text, name);
            text.push_str(suffix);
            text.push('"');
            ","
        };
        Self { text, format, before_label }
    }

    pub(super) fn label(&mut self, name: &str, value: &str) {
        self.text.push_str(self.before_label);
        self.before_label = ",";
        push_label(self.text, name, value);
    }

    /// A label whose value is a bound. OpenMetrics wants it to look like a float: `1.0`.
    pub(super) fn number_label(&mut self, name: &str, value: f64) {
        let mut number = String::new();
        push_number(&mut number, value);
        if self.format == TextFormat::OpenMetrics && number.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
            number.push_str(".0");
        }
        self.label(name, &number);
    }

    pub(super) fn value(&mut self, value: f64) {
        // A name in quotes stands inside the braces, so they are open even where no label came.
        let braces_are_open = self.before_label == ",";
        self.text.push_str(if braces_are_open { "} " } else { " " });
        push_number(self.text, value);
    }

    pub(super) fn exemplar(&mut self, exemplar: &Exemplar<'_>, naming: LabelNaming) {
        self.text.push_str(" # {");
        for (at, (name, value)) in ExemplarLabels::of(exemplar, naming).iter().enumerate() {
            self.text.push_str(if at == 0 { "" } else { "," });
            push_label(self.text, name, value);
        }
        self.text.push_str("} ");
        push_number(self.text, exemplar.value);
        let millis = exemplar.time.millis().0;
        if millis != 0 {
            write!(self.text, " {}.{:03}", millis / 1000, millis % 1000).expect("a String takes everything");
        }
    }

    pub(super) fn end(self) {
        self.text.push('\n');
    }
}

/// A family's name in its head.
pub(super) fn put_family_name(text: &mut String, name: &str) {
    if is_plain_metric_name(name) {
        text.push_str(name);
    } else {
        text.push('"');
        push_escaped(text, name);
        text.push('"');
    }
}

/// Help in one line. OpenMetrics escapes quotes too.
pub(super) fn escape_help(help: &str, format: TextFormat) -> Cow<'_, str> {
    if !help.contains(['\\', '\n', '"']) {
        return Cow::Borrowed(help);
    }
    let help = help.replace('\\', "\\\\").replace('\n', "\\n");
    Cow::Owned(if format == TextFormat::OpenMetrics { help.replace('"', "\\\"") } else { help })
}

fn is_plain_metric_name(name: &str) -> bool {
    name.starts_with(|first: char| !first.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':')
}

fn is_plain_label_name(name: &str) -> bool {
    is_plain_metric_name(name) && !name.contains(':')
}

fn push_label(text: &mut String, name: &str, value: &str) {
    if is_plain_label_name(name) {
        text.push_str(name);
    } else {
        text.push('"');
        push_escaped(text, name);
        text.push('"');
    }
    text.push_str("=\"");
    push_escaped(text, value);
    text.push('"');
}

fn push_escaped(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '"' => text.push_str("\\\""),
            c => text.push(c),
        }
    }
}

/// The shortest decimal that reads back as the same number.
fn push_number(text: &mut String, value: f64) {
    let written = if value.is_nan() {
        write!(text, "NaN")
    } else if value.is_infinite() {
        write!(text, "{}", if value > 0.0 { "+Inf" } else { "-Inf" })
    } else if value == 0.0 || PLAIN.contains(&value.abs()) {
        write!(text, "{value}")
    } else {
        write!(text, "{value:e}")
    };
    written.expect("a String takes everything");
}

#[cfg(test)]
mod tests {
    use super::push_number;

    #[test]
    fn numbers_are_as_short_as_they_can_be() {
        let table = [
            (0.0, "0"),
            (-1.5, "-1.5"),
            (120.0, "120"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e20, "100000000000000000000"),
            (1e21, "1e21"),
            (2.5e-7, "2.5e-7"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ];
        for (number, expected) in table {
            let mut text = String::new();
            push_number(&mut text, number);
            assert_eq!(text, expected);
            assert_eq!(text.parse::<f64>().map(f64::to_bits), Ok(number.to_bits()), "{text} reads back");
        }
    }
}
