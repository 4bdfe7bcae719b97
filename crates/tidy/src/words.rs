//! Words that no tracked file carries: hosts of package registries and paths of one person's machine.
//!
//! A registry host ties a clone to one mirror (each client is configured where it runs); an absolute path works on one
//! machine. Both creep in with lock files and pasted output. The words are kept in two halves, so that this file is clean.

use crate::Finding;

const HOSTS: &[(&str, &str)] = &[
    ("index.", "crates.io"),
    ("static.", "crates.io"),
    ("registry.", "npmjs.org"),
    ("registry.", "yarnpkg.com"),
    ("proxy.", "golang.org"),
    ("sum.", "golang.org"),
    ("pypi", ".org"),
    ("files.", "pythonhosted.org"),
    ("repo1.", "maven.org"),
    ("repo.", "maven.apache.org"),
    ("deb.", "debian.org"),
];

const HOMES: &[(&str, &str)] = &[("/ro", "ot/"), ("/ho", "me/"), ("/wo", "rk/"), ("/Us", "ers/")];

/// Every banned word in one text file.
pub fn findings(path: &str, text: &str) -> Vec<Finding> {
    let hosts =
        HOSTS.iter().map(|(a, b)| (format!("{a}{b}"), "a registry's host: clients are configured where they run"));
    let homes = HOMES.iter().map(|(a, b)| (format!("{a}{b}"), "a path of one machine"));
    let words: Vec<(String, &str)> = hosts.chain(homes).collect();
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let hits = words.iter().filter(|(word, _)| stands_alone(line, word));
        found.extend(hits.map(|(word, why)| Finding::new(path, number + 1, format!("`{word}`: {why}"))));
    }
    found
}

/// Whether `word` is in `line` and is not the tail of a longer word or path.
fn stands_alone(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_-.}".contains(c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_machine_paths_are_found_with_their_line() {
        for (a, b) in HOSTS.iter().chain(HOMES) {
            let found = findings("a.md", &format!("fine\nsee {a}{b}x\n"));
            assert_eq!(found.len(), 1, "{a}{b}");
            assert_eq!(found[0].line, 2);
        }
    }

    #[test]
    fn longer_words_and_relative_paths_pass() {
        assert!(findings("a.md", "frame/work/flow, $HOME/x, ${dir}/home/x, target/root/a").is_empty());
    }
}
