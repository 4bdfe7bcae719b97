//! Values of attributes as text.
//!
//! Numbers are written as ECMAScript writes them, which is what JSON encoders of OTLP agree on: 1 and not 1.0, plain
//! digits from 1e-6 to below 1e21, an exponent with its sign beyond. Inside arrays and maps, what JSON has no literal for
//! is a string ("NaN", bytes in base64) and no value is null.

use std::fmt::Write as _;

use super::AnyValue;

/// `value` as text.
pub(super) fn print(value: AnyValue<'_>) -> String {
    let mut text = String::new();
    match value {
        AnyValue::String(string) => text.push_str(string),
        AnyValue::Double(double) => push_double(double, &mut text),
        AnyValue::Bytes(bytes) => push_base64(bytes, &mut text),
        AnyValue::Empty => {}
        AnyValue::Bool(_) | AnyValue::Int(_) | AnyValue::Array(_) | AnyValue::Map(_) => push_json(value, &mut text),
    }
    text
}

fn push_json(value: AnyValue<'_>, out: &mut String) {
    match value {
        AnyValue::Empty => out.push_str("null"),
        AnyValue::String(string) => push_string(string, out),
        AnyValue::Bool(bool) => push_display(bool, out),
        AnyValue::Int(int) => push_display(int, out),
        AnyValue::Double(double) if double.is_finite() => push_double(double, out),
        AnyValue::Double(_) | AnyValue::Bytes(_) => {
            out.push('"');
            out.push_str(&print(value));
            out.push('"');
        }
        AnyValue::Array(array) => push_list(['[', ']'], array.values(), out, push_json),
        AnyValue::Map(map) => push_list(['{', '}'], map.entries(), out, |entry, out| {
            push_string(entry.key, out);
            out.push(':');
            push_json(entry.value, out);
        }),
    }
}

fn push_list<T>(brackets: [char; 2], items: impl Iterator<Item = T>, out: &mut String, push: impl Fn(T, &mut String)) {
    out.push(brackets[0]);
    for (position, item) in items.enumerate() {
        if position > 0 {
            out.push(',');
        }
        push(item, out);
    }
    out.push(brackets[1]);
}

fn push_string(string: &str, out: &mut String) {
    out.push_str(&serde_json::to_string(string).expect("a string is always JSON"));
}

fn push_display(value: impl std::fmt::Display, out: &mut String) {
    write!(out, "{value}").expect("writing to a string does not fail");
}

fn push_double(double: f64, out: &mut String) {
    if double.is_nan() {
        out.push_str("NaN");
    } else if double.is_infinite() {
        out.push_str(if double > 0.0 { "Infinity" } else { "-Infinity" });
    } else if double == 0.0 || (1e-6..1e21).contains(&double.abs()) {
        push_display(double, out);
    } else {
        let scientific = format!("{double:e}");
        out.push_str(&if double.abs() >= 1.0 { scientific.replace('e', "e+") } else { scientific });
    }
}

fn push_base64(bytes: &[u8], out: &mut String) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for position in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * position) & 63) as usize];
            out.push(if position <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
}
