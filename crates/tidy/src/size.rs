//! Limits on the length of files and functions.
//!
//! Ugliness lives in the tail: the one file, the one function that nobody dared to split. So the limits stand far above the
//! typical (100-150 lines a file, 6-10 a function), and what exceeds them needs an entry below. The list only shrinks: an
//! entry names the exact length, so neither growing on nor staying listed after a split passes. Test code is not measured.

use syn::spanned::Spanned;
use syn::visit::Visit;

use crate::Finding;
use crate::source::{Source, is_for_tests, item_attrs};

/// Lines of a file, without its tests.
pub const FILE_LINES_MAX: usize = 500;
/// Lines of a function, from `fn` to its closing brace.
pub const FUNCTION_LINES_MAX: usize = 70;
/// Lines of a `main.rs`: it starts what a library does.
pub const MAIN_LINES_MAX: usize = 40;

/// What exceeds a limit all the same: path (of a file) or `path::function`, and its exact length. No entry is ever added.
pub const EXEMPT: &[(&str, usize)] = &[];

/// Files and functions of one source that are too long, given the exemptions.
pub fn findings(source: &Source, exempt: &[(&str, usize)]) -> Vec<Finding> {
    let limit = if source.path.ends_with("/main.rs") { MAIN_LINES_MAX } else { FILE_LINES_MAX };
    let mut found: Vec<Finding> =
        too_long(source, &source.path, 0, source.product_lines(), limit, exempt).into_iter().collect();
    for function in functions(source) {
        let name = format!("{}::{}", source.path, function.name);
        found.extend(too_long(source, &name, function.line, function.lines, FUNCTION_LINES_MAX, exempt));
    }
    found
}

/// Entries of the list that name nothing in the tree.
pub fn stale<'a>(sources: &[Source], exempt: &[(&'a str, usize)]) -> Vec<&'a str> {
    let is_known = |entry: &str| {
        sources.iter().any(|source| {
            entry == source.path || functions(source).iter().any(|f| entry == format!("{}::{}", source.path, f.name))
        })
    };
    exempt.iter().map(|(entry, _)| *entry).filter(|entry| !is_known(entry)).collect()
}

fn too_long(
    source: &Source,
    name: &str,
    line: usize,
    lines: usize,
    limit: usize,
    exempt: &[(&str, usize)],
) -> Option<Finding> {
    let what = match exempt.iter().find(|(entry, _)| *entry == name) {
        Some((_, listed)) if lines == *listed && lines > limit => return None,
        Some((_, listed)) => format!("{name} has {lines} lines, the list says {listed}: lower or remove the entry"),
        None if lines <= limit => return None,
        None => format!("{name} has {lines} lines, at most {limit}: split it"),
    };
    Some(Finding::new(&source.path, line, what))
}

struct Function {
    name: String,
    line: usize,
    lines: usize,
}

fn functions(source: &Source) -> Vec<Function> {
    let mut found = Functions(Vec::new());
    if !source.is_test() {
        found.visit_file(&source.file);
    }
    found.0
}

struct Functions(Vec<Function>);

impl Functions {
    fn add(&mut self, sig: &syn::Signature, block: &syn::Block) {
        let (line, end) = (sig.span().start().line, block.span().end().line);
        self.0.push(Function { name: sig.ident.to_string(), line, lines: end - line + 1 });
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_for_tests(item_attrs(item)) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add(&item.sig, &item.block);
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add(&item.sig, &item.block);
        syn::visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.add(&item.sig, block);
        }
        syn::visit::visit_trait_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function_of(lines: usize) -> Source {
        let text = format!("//! A.\nfn long() {{\n{}}}\n", "    step();\n".repeat(lines - 2));
        Source::parse("crates/model/src/a.rs", &text).unwrap()
    }

    #[test]
    fn a_function_over_the_limit_is_found_and_one_at_the_limit_is_not() {
        assert!(findings(&function_of(FUNCTION_LINES_MAX), &[]).is_empty());
        let found = findings(&function_of(FUNCTION_LINES_MAX + 1), &[]);
        assert_eq!(found.len(), 1);
        assert!(found[0].what.contains("::long has 71 lines"), "{}", found[0]);
    }

    #[test]
    fn a_file_over_the_limit_is_found_but_its_tests_do_not_count() {
        let constants = "const A: u8 = 0;\n".repeat(FILE_LINES_MAX - 1);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{constants}}}\n");
        let fits = Source::parse("crates/model/src/a.rs", &format!("//! A.\n{constants}{tests}")).unwrap();
        assert!(findings(&fits, &[]).is_empty());
        let exceeds = Source::parse("crates/model/src/a.rs", &format!("//! A.\n\n{constants}{tests}")).unwrap();
        assert_eq!(findings(&exceeds, &[]).len(), 1);
    }

    #[test]
    fn a_main_file_starts_what_a_library_does() {
        let text = format!("//! A.\n{}", "const A: u8 = 0;\n".repeat(MAIN_LINES_MAX));
        assert_eq!(findings(&Source::parse("crates/a/src/main.rs", &text).unwrap(), &[]).len(), 1);
    }

    #[test]
    fn an_exemption_holds_for_its_exact_length_only() {
        let name = "crates/model/src/a.rs::long";
        assert!(findings(&function_of(90), &[(name, 90)]).is_empty());
        assert_eq!(findings(&function_of(91), &[(name, 90)]).len(), 1, "it grew");
        assert_eq!(findings(&function_of(89), &[(name, 90)]).len(), 1, "the entry is to be lowered");
        assert_eq!(findings(&function_of(20), &[(name, 20)]).len(), 1, "the entry is to go");
        assert_eq!(stale(&[function_of(90)], &[("crates/model/src/b.rs", 600), (name, 90)]), ["crates/model/src/b.rs"]);
    }
}
