//! What an attribute's key is called as a label.
//!
//! Under the escaping strategies every character outside `[a-zA-Z0-9_]` becomes an underscore. A digit in front gets
//! `key_`, one underscore in front gets `key` (a setting). Where runs of underscores are not preserved they collapse, but a
//! reserved name, `__x__`, keeps its frame. otlptranslator refuses a key of which only underscores are left; here it gets
//! `key` in front too, because refusing it would cost the whole stream.
//!
//! Pure.

use std::borrow::Cow;

use crate::Translation;

/// The rules for label names, in three bits, so that whoever needs them can have a copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LabelNaming {
    escapes: bool,
    preserves_runs: bool,
    sanitizes_leading_underscore: bool,
}

impl LabelNaming {
    pub(crate) const fn of(translation: &Translation) -> Self {
        Self {
            escapes: translation.strategy.escapes(),
            preserves_runs: translation.preserve_multiple_underscores,
            sanitizes_leading_underscore: translation.sanitize_leading_underscore,
        }
    }

    /// The label that an attribute with this key becomes.
    pub(crate) fn label(self, key: &str) -> Cow<'_, str> {
        if !self.escapes && !key.is_empty() || is_plain(key) {
            return Cow::Borrowed(key);
        }
        let escaped = if self.preserves_runs { escape(key) } else { collapse(key) };
        Cow::Owned(self.with_valid_start(escaped))
    }

    fn with_valid_start(self, name: String) -> String {
        let one_underscore = name.starts_with('_') && !name.starts_with("__");
        if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
            format!("key_{name}")
        } else if self.sanitizes_leading_underscore && one_underscore || name.chars().all(|c| c == '_') {
            format!("key{name}")
        } else {
            name
        }
    }
}

/// Whether nothing is to be done under any setting: the usual key that has been a label name all along.
fn is_plain(key: &str) -> bool {
    key.starts_with(|first: char| first.is_ascii_alphabetic())
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !key.contains("__")
}

fn escape(key: &str) -> String {
    key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn collapse(key: &str) -> String {
    let reserved = key.strip_prefix("__").and_then(|rest| rest.strip_suffix("__")).filter(|name| !name.is_empty());
    let mut name = String::with_capacity(key.len());
    for c in reserved.unwrap_or(key).chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c);
        } else if !name.ends_with('_') {
            name.push('_');
        }
    }
    if reserved.is_some() { format!("__{name}__") } else { name }
}

#[cfg(test)]
mod tests {
    use super::LabelNaming;
    use crate::{Strategy, Translation};

    fn naming(strategy: Strategy, preserve: bool, sanitize: bool) -> LabelNaming {
        LabelNaming::of(&Translation {
            strategy,
            preserve_multiple_underscores: preserve,
            sanitize_leading_underscore: sanitize,
            ..Translation::default()
        })
    }

    #[test]
    fn keys_become_labels_by_the_two_settings() {
        let escaping = Strategy::UnderscoreEscapingWithSuffixes;
        let default = naming(escaping, true, true);
        let permissive = naming(escaping, true, false);
        let collapsing = naming(escaping, false, false);
        // key, as Prometheus 3.14 does by default, without leading-underscore rule, with runs collapsed
        let table = [
            ("session.id", "session_id", "session_id", "session_id"),
            ("label:with:colons", "label_with_colons", "label_with_colons", "label_with_colons"),
            (
                "LabelWithCapitalLetters",
                "LabelWithCapitalLetters",
                "LabelWithCapitalLetters",
                "LabelWithCapitalLetters",
            ),
            (
                "label!with&special$chars)",
                "label_with_special_chars_",
                "label_with_special_chars_",
                "label_with_special_chars_",
            ),
            ("foreign_字符", "foreign___", "foreign___", "foreign_"),
            ("a..b__c", "a__b__c", "a__b__c", "a_b_c"),
            ("123label", "key_123label", "key_123label", "key_123label"),
            ("_private", "key_private", "_private", "_private"),
            (".private", "key_private", "_private", "_private"),
            ("__double", "__double", "__double", "_double"),
            ("__reserved__", "__reserved__", "__reserved__", "__reserved__"),
            ("__re..served__", "__re__served__", "__re__served__", "__re_served__"),
            ("ようこそ", "key____", "key____", "key_"),
            ("__", "key__", "key__", "key_"),
            ("", "key_", "key_", "key_"),
        ];
        for (key, by_default, permitted, collapsed) in table {
            assert_eq!(default.label(key), by_default, "{key:?} by default");
            assert_eq!(permissive.label(key), permitted, "{key:?} with leading underscores kept");
            assert_eq!(collapsing.label(key), collapsed, "{key:?} with runs collapsed");
        }
    }

    #[test]
    fn without_escaping_keys_stay_as_they_are() {
        for strategy in [Strategy::NoUtf8EscapingWithSuffixes, Strategy::NoTranslation] {
            for key in ["session.id", "ようこそ", "123", "_a", "__"] {
                assert_eq!(naming(strategy, true, true).label(key), key);
            }
            assert_eq!(naming(strategy, true, true).label(""), "key_");
        }
    }
}
