//! The charts that users upgrade from: those of an earlier revision of this clone.
//!
//! A clone may be shallow, or no clone at all. Then it is the charts of today, said to be older: what is tested is less, and that is said.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::cache::Cache;

/// The first revision that had charts. After a release, this is the tag of the last one.
const REVISION: &str = "547f5aaa3cc5978def5ede3c1438dadc0f8192e1";

/// What the version of today's charts is lowered to where those are taken.
const LOWERED: &str = "0.0.0";

/// The folder with both charts: of the revision, or today's in `instead`.
pub(crate) fn charts(cache: &Cache, instead: &Path) -> anyhow::Result<PathBuf> {
    let folder = format!("charts-{REVISION}");
    if cache.has(&folder) || is_there(cache) {
        return Ok(cache.filled(&folder, |folder| unpack(cache, folder))?.join("charts"));
    }
    say_so();
    copy(&cache.in_clone("charts"), instead)?;
    for chart in ["shardset", "shardset-crds"] {
        lower(&instead.join(chart).join("Chart.yaml"))?;
    }
    Ok(instead.to_owned())
}

#[expect(clippy::print_stdout, reason = "whoever runs the tests is to know")]
fn say_so() {
    println!(
        "this clone has no revision {REVISION} (git fetch --unshallow): upgrades begin at today's charts with a lower version"
    );
}

fn git(cache: &Cache, arguments: &[&str]) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(cache.in_clone(".")).args(arguments);
    git
}

fn is_there(cache: &Cache) -> bool {
    let commit = format!("{REVISION}^{{commit}}");
    let asked = git(cache, &["cat-file", "-e", &commit]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

fn unpack(cache: &Cache, folder: &Path) -> anyhow::Result<()> {
    let archive = folder.join("charts.tar");
    let made = git(cache, &["archive", "--output"]).arg(&archive).args([REVISION, "charts"]).status();
    ensure!(made.context("start git")?.success(), "git can not archive the charts of {REVISION}");
    let unpacked = Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(folder).status();
    ensure!(unpacked.context("start tar")?.success(), "tar can not unpack {}", archive.display());
    Ok(())
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| format!("make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("list {}", from.display()))? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), &to).with_context(|| format!("write {}", to.display()))?;
        }
    }
    Ok(())
}

fn lower(chart: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(chart).with_context(|| format!("read {}", chart.display()))?;
    let lowered = |line: &str| match line.starts_with("version: ") {
        true => format!("version: {LOWERED}\n"),
        false => format!("{line}\n"),
    };
    Ok(fs::write(chart, text.lines().map(lowered).collect::<String>())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_revision_is_not_there_the_charts_of_today_are_older() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let (clone, instead) = (root.path().join("clone"), root.path().join("instead"));
        for chart in ["shardset", "shardset-crds"] {
            let folder = clone.join("charts").join(chart);
            fs::create_dir_all(folder.join("templates")).expect("a folder is made");
            fs::write(folder.join("Chart.yaml"), "name: x\nversion: 0.1.0\nappVersion: 0.1.0\n")
                .expect("it is written");
            fs::write(folder.join("templates/a.yaml"), "a").expect("it is written");
        }
        let cache = Cache::at(root.path().join("cache"), clone);
        assert_eq!(charts(&cache, &instead).expect("there are charts"), instead);
        let chart = fs::read_to_string(instead.join("shardset-crds/Chart.yaml")).expect("it is there");
        assert_eq!(chart, "name: x\nversion: 0.0.0\nappVersion: 0.1.0\n");
        assert!(instead.join("shardset/templates/a.yaml").exists());
    }
}
