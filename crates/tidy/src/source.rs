//! One Rust file, parsed, with its test code told apart.
//!
//! Tests may be long, may iterate a `HashMap`, and may spell out what the product may not; so most rules ask only about what
//! is left when items under `#[cfg(test)]` and files that are tests as a whole are taken away.

use std::ops::RangeInclusive;

use syn::spanned::Spanned;
use syn::visit::Visit;

use crate::Finding;

/// A parsed file.
pub struct Source {
    /// Where it is, relative to the root of the repository, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Its syntax.
    pub file: syn::File,
}

/// A path that the code names (in a `use` or in place), split at `::`, with the line it is named on.
pub type NamedPath = (Vec<String>, usize);

impl Source {
    /// Parses `text`; a file that does not parse is a finding.
    pub fn parse(path: &str, text: &str) -> Result<Self, Finding> {
        let file = syn::parse_file(text)
            .map_err(|error| Finding::new(path, error.span().start().line, format!("does not parse: {error}")))?;
        Ok(Self { path: path.to_owned(), text: text.to_owned(), file })
    }

    /// Whether all of it is test code.
    pub fn is_test(&self) -> bool {
        let in_test_folder = self.path.split('/').any(|part| part == "tests");
        in_test_folder || self.path.ends_with("/tests.rs")
    }

    /// The lines of items that are compiled for tests only, in order of appearance.
    pub fn test_lines(&self) -> Vec<RangeInclusive<usize>> {
        let mut found = TestItems::default();
        found.visit_file(&self.file);
        found.lines
    }

    /// Lines that are not test code.
    pub fn product_lines(&self) -> usize {
        if self.is_test() {
            return 0;
        }
        let tests: usize = self.test_lines().iter().map(|lines| lines.end() - lines.start() + 1).sum();
        self.text.lines().count() - tests
    }

    /// Every path that product code names, `use` trees spelled out.
    pub fn product_paths(&self) -> Vec<NamedPath> {
        let mut found = Paths::default();
        if !self.is_test() {
            found.visit_file(&self.file);
        }
        found.named
    }
}

/// Whether an item carries `#[cfg(test)]`, alone or inside `all(...)`.
pub fn is_for_tests(attrs: &[syn::Attribute]) -> bool {
    attrs.iter().any(|attr| {
        let syn::Meta::List(list) = &attr.meta else { return false };
        let condition = list.tokens.to_string();
        list.path.is_ident("cfg") && (condition == "test" || condition.starts_with("all (test"))
    })
}

/// The attributes of an item, of whatever sort.
pub fn item_attrs(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

#[derive(Default)]
struct TestItems {
    lines: Vec<RangeInclusive<usize>>,
}

impl<'ast> Visit<'ast> for TestItems {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if is_for_tests(item_attrs(item)) {
            let span = item.span();
            self.lines.push(span.start().line..=span.end().line);
        } else {
            syn::visit::visit_item(self, item);
        }
    }
}

#[derive(Default)]
struct Paths {
    named: Vec<NamedPath>,
}

impl Paths {
    fn add_use(&mut self, mut prefix: Vec<String>, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.add_use(prefix, &path.tree);
            }
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_use(prefix.clone(), tree)),
            syn::UseTree::Name(name) => self.add(prefix, name.ident.to_string(), name.ident.span()),
            syn::UseTree::Rename(name) => self.add(prefix, name.ident.to_string(), name.ident.span()),
            syn::UseTree::Glob(glob) => self.add(prefix, "*".to_owned(), glob.span()),
        }
    }

    fn add(&mut self, mut prefix: Vec<String>, last: String, span: proc_macro2::Span) {
        prefix.push(last);
        self.named.push((prefix, span.start().line));
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_for_tests(item_attrs(item)) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_use(Vec::new(), &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.named.push((names, path.span().start().line));
        syn::visit::visit_path(self, path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::parse("crates/model/src/a.rs", text).unwrap()
    }

    #[test]
    fn lines_under_cfg_test_are_not_product_lines() {
        let text = "fn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n";
        assert_eq!(source(text).product_lines(), 2);
        assert_eq!(source("#[cfg(not(test))]\nfn a() {}\n").product_lines(), 2);
    }

    #[test]
    fn a_file_of_tests_has_no_product_lines() {
        let text = "fn a() {}\n";
        assert_eq!(Source::parse("crates/model/tests/a.rs", text).unwrap().product_lines(), 0);
        assert_eq!(Source::parse("crates/model/src/a/tests.rs", text).unwrap().product_lines(), 0);
    }

    #[test]
    fn use_trees_are_spelled_out_and_test_code_is_left_out() {
        let paths = source("use a::{b, c::d as e, f::*};\n#[cfg(test)]\nuse g::h;\n").product_paths();
        let paths: Vec<_> = paths.iter().map(|(path, _)| path.join("::")).collect();
        assert_eq!(paths, ["a::b", "a::c::d", "a::f::*"]);
    }

    #[test]
    fn a_broken_file_is_a_finding_with_its_line() {
        let Err(finding) = Source::parse("a.rs", "fn a() {}\nfn {\n") else { panic!("it parsed") };
        assert_eq!((finding.path.as_str(), finding.line), ("a.rs", 2));
    }
}
