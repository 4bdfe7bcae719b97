//! What the pure crates never touch: clocks, chance, the machine around them, and iteration in hash order.
//!
//! Determinism by construction costs nothing; retrofitted, it costs interposed clocks and patched entropy. What may be proved or
//! simulated is therefore a synchronous function of its arguments. Test code may use what it likes.

use syn::visit::Visit;

use crate::Finding;
use crate::source::{Source, is_for_tests, item_attrs};

/// Folders of the pure crates.
pub const PURE: &[&str] =
    &["crates/model/", "crates/otlp/", "crates/placement/", "crates/accumulate/", "crates/handoff/"];

const FORBIDDEN: &[(&str, &str)] = &[
    ("std::time::Instant", "time is an argument"),
    ("std::time::SystemTime", "time is an argument"),
    ("std::env", "settings are arguments"),
    ("std::fs", "a pure crate reads no files"),
    ("std::io::stdin", "a pure crate reads no files"),
    ("std::net", "a pure crate has no network"),
    ("std::process", "a pure crate knows no process"),
    ("std::thread", "a pure crate starts no thread"),
    ("std::collections::HashMap", "its order changes between runs; use a BTreeMap, or hashbrown without iterating"),
    ("std::collections::HashSet", "its order changes between runs; use a BTreeSet, or hashbrown without iterating"),
    ("std::hash::RandomState", "chance is an argument"),
    ("tokio", "a pure crate waits for nothing"),
    ("rand", "chance is an argument"),
];

/// What one file of a pure crate does that it must not; nothing for a file of any other crate.
pub fn findings(source: &Source) -> Vec<Finding> {
    if !PURE.iter().any(|folder| source.path.starts_with(folder)) || source.is_test() {
        return Vec::new();
    }
    let mut found: Vec<Finding> = Vec::new();
    for (path, line) in source.product_paths() {
        let named = path.join("::");
        let hit = FORBIDDEN.iter().find(|(forbidden, _)| is_within(&named, forbidden));
        found.extend(hit.map(|(_, why)| Finding::new(&source.path, line, format!("`{named}` in a pure crate: {why}"))));
    }
    let mut waits = Waits { path: &source.path, found: &mut found };
    waits.visit_file(&source.file);
    found
}

fn is_within(named: &str, forbidden: &str) -> bool {
    named.strip_prefix(forbidden).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

struct Waits<'a> {
    path: &'a str,
    found: &'a mut Vec<Finding>,
}

impl<'ast> Visit<'ast> for Waits<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_for_tests(item_attrs(item)) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_signature(&mut self, sig: &'ast syn::Signature) {
        if sig.asyncness.is_some() {
            let line = sig.ident.span().start().line;
            self.found.push(Finding::new(self.path, line, format!("`async fn {}` in a pure crate", sig.ident)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        findings(&Source::parse(path, text).unwrap()).len()
    }

    #[test]
    fn each_impurity_is_found_in_a_pure_crate_and_not_elsewhere() {
        for text in [
            "use std::time::Instant;",
            "use std::{env, fmt};",
            "fn a() { let _ = std::fs::read(\"a\"); }",
            "use std::collections::{BTreeMap, HashMap};",
            "struct A { b: std::collections::HashSet<u8> }",
            "async fn a() {}",
            "use tokio::sync::mpsc;",
        ] {
            assert_eq!(found("crates/accumulate/src/a.rs", text), 1, "{text}");
            assert_eq!(found("worker/src/a.rs", text), 0, "{text}");
        }
    }

    #[test]
    fn harmless_neighbours_and_test_code_pass() {
        assert_eq!(found("crates/model/src/a.rs", "use std::time::Duration;\nuse environment::rand_core;"), 0);
        let tests = "#[cfg(test)]\nmod tests {\n    use std::collections::HashMap;\n    async fn a() {}\n}";
        assert_eq!(found("crates/model/src/a.rs", tests), 0);
        assert_eq!(found("crates/model/tests/a.rs", "use std::fs;"), 0);
    }
}
