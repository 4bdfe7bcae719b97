//! What must not stand in a log: a panic, and any error but those that say what a fault did.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::Context;

/// How errors begin that say what a fault did: a full disk, a backend that is away, a coordinator without one of its parts.
const OF_FAULTS: [&str; 3] =
    ["the journal can not be written", "the destination does not take our requests", "can not coordinate now"];

/// What a log has that must not be there, and how often; a line's time and its fields are left out.
pub(crate) fn broken(path: &Path) -> anyhow::Result<BTreeMap<String, u32>> {
    let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    let mut broken = BTreeMap::new();
    for line in BufReader::new(file).lines() {
        if let Some(what) = what(&line.with_context(|| format!("read {}", path.display()))?) {
            *broken.entry(what).or_default() += 1;
        }
    }
    Ok(broken)
}

fn what(line: &str) -> Option<String> {
    if line.contains("panicked at") {
        return Some(line.to_owned());
    }
    let (_, error) = line.split_once(" ERROR ")?;
    let (_, message) = error.split_once(": ")?;
    (!OF_FAULTS.iter().any(|begin| message.starts_with(begin))).then(|| {
        // The fields are `name=value` behind the words.
        let words = message.split_whitespace().take_while(|word| !word.contains('='));
        words.collect::<Vec<_>>().join(" ")
    })
}

#[cfg(test)]
mod tests {
    use super::what;

    #[test]
    fn panics_and_errors_are_found_and_what_faults_do_is_not() {
        let line = |text: &str| what(&format!("2026-01-01T00:00:00Z ERROR shardset_worker::shard: {text}"));
        assert_eq!(line("two sets are mixed up shard=1 from=2"), Some("two sets are mixed up".to_owned()));
        assert_eq!(line("the journal can not be written: points are refused error=\"full\""), None);
        assert!(what("thread 'shard-0' panicked at worker/src/shard.rs:1:1:").is_some());
        assert_eq!(what("2026-01-01T00:00:02Z  INFO shardset: stopping"), None);
    }
}
