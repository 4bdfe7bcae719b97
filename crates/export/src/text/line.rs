//! One line of text: name, labels, value, exemplar, each escaped as its format wants.
//!
//! Pure.

use std::borrow::Cow;
use std::fmt::Write;

use shardset_model::Exemplar;

use super::TextFormat;
use crate::labels::LabelNaming;
use crate::number::{push_bound, push_value};
use crate::series::ExemplarLabels;

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
    pub(super) fn bound(&mut self, name: &str, bound: f64) {
        let mut number = String::new();
        push_bound(&mut number, bound);
        if self.format == TextFormat::OpenMetrics && number.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
            number.push_str(".0");
        }
        self.label(name, &number);
    }

    pub(super) fn value(&mut self, value: f64) {
        // A name in quotes stands inside the braces, so they are open even where no label came.
        let braces_are_open = self.before_label == ",";
        self.text.push_str(if braces_are_open { "} " } else { " " });
        push_value(self.text, value);
    }

    /// An exemplar, which Prometheus text has no place for.
    pub(super) fn exemplar(&mut self, exemplar: &Exemplar<'_>, naming: LabelNaming) {
        if self.format == TextFormat::Prometheus {
            return;
        }
        self.text.push_str(" # {");
        for (at, (name, value)) in ExemplarLabels::of(exemplar, naming).iter().enumerate() {
            self.text.push_str(if at == 0 { "" } else { "," });
            push_label(self.text, name, value);
        }
        self.text.push_str("} ");
        push_value(self.text, exemplar.value);
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
    let mut rest = value;
    // By bytes, not characters: all three are ASCII, and this is where most of a scrape's time goes.
    while let Some(at) = rest.bytes().position(|b| matches!(b, b'\\' | b'\n' | b'"')) {
        text.push_str(&rest[..at]);
        text.push_str(match rest.as_bytes()[at] {
            b'\\' => "\\\\",
            b'\n' => "\\n",
            _ => "\\\"",
        });
        rest = &rest[at + 1..];
    }
    text.push_str(rest);
}
