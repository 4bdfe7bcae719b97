//! What is said to the person who waits, line by line.

use std::fmt;

/// Says a line.
#[expect(clippy::print_stdout, reason = "what a run says is what it is for")]
pub(crate) fn tell(line: fmt::Arguments<'_>) {
    println!("{line}");
}
