//! Every file opens with what it is.
//!
//! Presence is what a machine can check; that the paragraph says the decision and its reason is for the reader.

use crate::Finding;

/// The finding where `text` does not begin with a module comment.
pub fn findings(path: &str, text: &str) -> Vec<Finding> {
    let opening = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if opening.starts_with("//! ") && opening.len() > "//! ".len() {
        return Vec::new();
    }
    vec![Finding::new(path, 1, "does not open with `//!`: what it is, the decision and why, what it does not do")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_module_comment_is_found() {
        assert_eq!(findings("a.rs", "use std::fmt;\n//! Late.\n").len(), 1);
        assert_eq!(findings("a.rs", "//!\n").len(), 1);
        assert_eq!(findings("a.rs", "").len(), 1);
        assert!(findings("a.rs", "\n//! What it is.\n").is_empty());
    }
}
