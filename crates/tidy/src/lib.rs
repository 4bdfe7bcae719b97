//! The rules of architecture and style that a machine can check.
//!
//! A rule that is not a test is decoration, and a test that cannot fail is worse: so each rule is a pure function from source
//! text (or from the dependency graph) to findings, with the cases it must find beside it, and `tests/repository.rs` runs
//! them all over the tracked files. Rust is read with a parser, so that a comment or a string never trips a rule and a
//! macro call is not missed for its line breaks.
//!
//! It does not judge what a lint already judges: those stand in `Cargo.toml` and `clippy.toml`.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod graph;
pub mod habits;
pub mod naming;
pub mod opening;
pub mod purity;
pub mod size;
pub mod source;
pub mod street;
pub mod words;

use std::fmt;

/// One place where a rule is broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The file, relative to the root of the repository.
    pub path: String,
    /// The line, counted from 1; 0 where the whole file is meant.
    pub line: usize,
    /// What is wrong and what to do instead.
    pub what: String,
}

impl Finding {
    pub(crate) fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}
