//! Names of files and packages.
//!
//! A module is named for what it holds. `mod.rs` hides which module an editor's tab shows, and a `utils` is where things
//! go that nobody has thought about; both are refused by name. A package is called after its folder, mechanically.

use crate::Finding;

const REFUSED: &[&str] = &["mod", "util", "utils", "common", "helper", "helpers", "types", "misc", "shared"];

/// The finding where a part of a source file's path is a name that says nothing.
pub fn findings(path: &str) -> Vec<Finding> {
    path.trim_end_matches(".rs")
        .split('/')
        .filter(|part| REFUSED.contains(part))
        .map(|part| Finding::new(path, 0, format!("`{part}` says nothing of what it holds; name it for its contents")))
        .collect()
}

/// The finding where a package is not called after its folder.
pub fn package_findings(folder: &str, package: &str) -> Vec<Finding> {
    let last = folder.rsplit('/').next().unwrap_or(folder);
    let expected = if matches!(last, "shardset" | "xtask") { last.to_owned() } else { format!("shardset-{last}") };
    if package == expected {
        return Vec::new();
    }
    vec![Finding::new(&format!("{folder}/Cargo.toml"), 0, format!("package `{package}` should be called `{expected}`"))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_say_nothing_are_found_wherever_they_stand() {
        assert_eq!(findings("crates/model/src/mod.rs").len(), 1);
        assert_eq!(findings("worker/src/utils/time.rs").len(), 1);
        assert_eq!(findings("worker/src/types.rs").len(), 1);
        assert!(findings("worker/src/admit.rs").is_empty());
        assert!(findings("crates/model/src/model.rs").is_empty());
    }

    #[test]
    fn a_package_is_called_after_its_folder() {
        assert_eq!(package_findings("crates/model", "shardset-core").len(), 1);
        assert!(package_findings("crates/export", "shardset-export").is_empty());
        assert!(package_findings("crates/shardset", "shardset").is_empty());
    }
}
