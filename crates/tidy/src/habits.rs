//! Habits that no lint covers as we want them: ignored tests, unfinished code, silent exemptions, doubled error sources.

use syn::spanned::Spanned;
use syn::visit::Visit;

use crate::Finding;
use crate::source::Source;

/// Every bad habit of one file, its tests included.
pub fn findings(source: &Source) -> Vec<Finding> {
    let mut habits = Habits { path: &source.path, found: Vec::new() };
    habits.visit_file(&source.file);
    habits.found
}

struct Habits<'a> {
    path: &'a str,
    found: Vec<Finding>,
}

impl Habits<'_> {
    fn add(&mut self, span: proc_macro2::Span, what: &str) {
        self.found.push(Finding::new(self.path, span.start().line, what));
    }
}

impl<'ast> Visit<'ast> for Habits<'_> {
    fn visit_attribute(&mut self, attr: &'ast syn::Attribute) {
        let tokens = match &attr.meta {
            syn::Meta::List(list) => list.tokens.to_string(),
            _ => String::new(),
        };
        let path = attr.path();
        if path.is_ident("ignore") {
            self.add(attr.span(), "an ignored test tests nothing: mend it or delete it");
        }
        if (path.is_ident("allow") || path.is_ident("expect")) && !tokens.contains("reason =") {
            self.add(attr.span(), "an exempted lint says why: reason = \"...\"");
        }
        if path.is_ident("error") && tokens.contains("{source") {
            self.add(attr.span(), "`Display` leaves its source to the chain, or it is printed twice");
        }
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        let name = mac.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        if matches!(name.as_str(), "todo" | "unimplemented") {
            self.add(mac.span(), "unfinished code is not committed");
        }
        syn::visit::visit_macro(self, mac);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> usize {
        findings(&Source::parse("a.rs", text).unwrap()).len()
    }

    #[test]
    fn ignored_tests_are_found_in_test_code_too() {
        assert_eq!(count("#[cfg(test)]\nmod tests {\n#[test]\n#[ignore]\nfn a() {}\n}"), 1);
        assert_eq!(count("#[test]\n#[ignore = \"slow\"]\nfn a() {}"), 1);
        assert_eq!(count("// #[ignore]\n#[test]\nfn a() {}"), 0);
    }

    #[test]
    fn unfinished_code_is_found() {
        assert_eq!(count("fn a() { todo!() }"), 1);
        assert_eq!(count("fn a() -> u8 { std::unimplemented!(\"later\") }"), 1);
        assert_eq!(count("fn a() -> &'static str { \"todo!()\" }"), 0);
    }

    #[test]
    fn an_exemption_without_a_reason_is_found() {
        assert_eq!(count("#[allow(dead_code)]\nfn a() {}"), 1);
        assert_eq!(count("#[expect(dead_code)]\nfn a() {}"), 1);
        assert_eq!(count("#[expect(dead_code, reason = \"the format has it\")]\nfn a() {}"), 0);
        assert_eq!(count("#![cfg_attr(test, allow(clippy::unwrap_used))]\nfn a() {}"), 0);
    }

    #[test]
    fn a_display_that_repeats_its_source_is_found() {
        assert_eq!(count("#[derive(Error)]\n#[error(\"write: {source}\")]\nstruct A { source: B }"), 1);
        assert_eq!(count("#[derive(Error)]\n#[error(\"write {path}\")]\nstruct A { source: B }"), 0);
    }
}
