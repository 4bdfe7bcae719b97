//! The event log: one line for each thing that happens, the same bytes for the same seed.
//!
//! Made only where it is asked for: a seed that fails is run again with its log, which costs less than every seed writing one.

use std::fmt;

use crate::node::{Node, SECOND, Time};

/// Lines, oldest first.
#[derive(Clone, Debug)]
pub(crate) struct Log(Option<Vec<String>>);

impl Log {
    pub(crate) fn new(is_kept: bool) -> Self {
        Self(is_kept.then(Vec::new))
    }

    /// Adds a line; `what` is asked only where lines are kept.
    pub(crate) fn line<T: fmt::Display>(&mut self, now: Time, node: Node, what: impl FnOnce() -> T) {
        if let Some(lines) = &mut self.0 {
            lines.push(format!("{:>4}.{:06} {node:<4} {}", now / SECOND, now % SECOND, what()));
        }
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.0.unwrap_or_default()
    }
}
