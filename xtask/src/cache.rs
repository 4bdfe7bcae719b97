//! Where tools live between runs: outside the clone, in folders named for what is pinned.
//!
//! A folder counts once it carries the mark that is written last, so that a build broken off half-way is never taken for a
//! tool. Changing a pin makes a new folder; old ones are the user's to delete.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::arguments::Arguments;

/// The file that is written last into a filled folder.
const COMPLETE: &str = ".complete";

/// The cache folder, and the clone it serves.
pub(crate) struct Cache {
    root: PathBuf,
    clone: PathBuf,
}

impl Cache {
    /// Opens (and makes) the cache.
    pub(crate) fn open(arguments: &Arguments) -> anyhow::Result<Self> {
        let base = arguments.cache.clone().or_else(|| Some(std::env::home_dir()?.join(".cache")));
        let root = base.context("no home folder; name one with --cache")?.join("shardset");
        let clone = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask stands in the clone")?;
        fs::create_dir_all(&root).with_context(|| format!("make {}", root.display()))?;
        Ok(Self { root, clone: clone.to_owned() })
    }

    /// A cache in this folder, for this clone.
    #[cfg(test)]
    pub(crate) fn at(root: PathBuf, clone: PathBuf) -> Self {
        Self { root, clone }
    }

    /// A path in the clone.
    pub(crate) fn in_clone(&self, path: &str) -> PathBuf {
        self.clone.join(path)
    }

    /// A folder that grows over the runs (a corpus); made if it is missing.
    pub(crate) fn growing(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.root.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        Ok(folder)
    }

    /// Whether the folder called `name` is there and complete.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.root.join(name).join(COMPLETE).exists()
    }

    /// The folder called `name`, filled by `fill` if it is missing.
    pub(crate) fn filled(&self, name: &str, fill: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<PathBuf> {
        let folder = self.root.join(name);
        if self.has(name) {
            return Ok(folder);
        }
        // Marked, not renamed into place: a virtual environment knows its own path.
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        fill(&folder)?;
        fs::write(folder.join(COMPLETE), "").with_context(|| format!("mark {}", folder.display()))?;
        Ok(folder)
    }

    /// A short name for the contents of files of the clone: the key of what is installed from them.
    pub(crate) fn key(&self, files: &[&str]) -> anyhow::Result<String> {
        let mut all = Vec::new();
        for file in files {
            let path = self.in_clone(file);
            all.extend(fs::read(&path).with_context(|| format!("read {}", path.display()))?);
        }
        Ok(format!("{:016x}", xxhash_rust::xxh3::xxh3_64(&all)))
    }
}

/// Names (without the extension) of the files in a folder that have this extension, sorted.
pub(crate) fn names(folder: &Path, extension: &str) -> anyhow::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_broken_off_half_way_is_filled_again() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let cache = Cache { root: root.path().to_owned(), clone: PathBuf::new() };
        let broken = cache.filled("tool", |folder| {
            fs::write(folder.join("half"), "")?;
            anyhow::bail!("no space")
        });
        assert!(broken.is_err());
        let folder = cache.filled("tool", |folder| Ok(fs::write(folder.join("whole"), "")?)).expect("it is filled");
        assert!(folder.join("whole").exists() && !folder.join("half").exists());
        cache.filled("tool", |_| anyhow::bail!("filled twice")).expect("it is there already");
    }
}
