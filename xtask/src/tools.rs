//! The outside programs that tests need, each built or installed from its own ecosystem's registry by its ordinary client.
//!
//! What is pinned stands in the clone: go.mod and go.sum, package-lock.json, requirements.txt, and the version below.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::cache::Cache;
use crate::report::{self, Report};
use crate::suite::cargo;

const CARGO_DENY: &str = "0.20.2";

/// Folder with `prometheus` and `promtool`, built without service discovery and without the web pages.
pub(crate) fn prometheus(cache: &Cache, report: &mut Report) -> anyhow::Result<Option<PathBuf>> {
    let name = "Prometheus";
    if !has("go", "version") {
        report.skip(name, "needs Go to build it");
        return Ok(None);
    }
    let key = cache.key(&["e2e/tools/go.mod", "e2e/tools/go.sum"])?;
    Ok(report.prepare(name, || cache.filled(&format!("prometheus-{key}"), |folder| build_prometheus(cache, folder))))
}

fn build_prometheus(cache: &Cache, folder: &Path) -> anyhow::Result<()> {
    let package = "github.com/prometheus/prometheus/cmd";
    let mut go = Command::new("go");
    go.current_dir(cache.in_clone("e2e/tools")).args(["build", "-trimpath", "-p", "2", "-tags", "remove_all_sd"]);
    go.args(["-ldflags", "-s -w", "-o"]).arg(folder.join("")).arg(format!("{package}/prometheus"));
    go.arg(format!("{package}/promtool"));
    succeed(go)
}

/// The `node_modules` of the JavaScript SDK.
pub(crate) fn javascript(cache: &Cache, report: &mut Report) -> anyhow::Result<Option<PathBuf>> {
    let name = "JavaScript SDK";
    if !has("node", "--version") || !has("npm", "--version") {
        report.skip(name, "needs Node and npm");
        return Ok(None);
    }
    let files = ["e2e/js/package.json", "e2e/js/package-lock.json"];
    let install = |folder: &Path| {
        for file in files {
            let path = cache.in_clone(file);
            fs::copy(&path, folder.join(path.file_name().context("a file has a name")?))?;
        }
        let mut npm = Command::new("npm");
        npm.current_dir(folder).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
        succeed(npm)
    };
    let folder = format!("javascript-{}", cache.key(&files)?);
    Ok(report.prepare(name, || Ok(cache.filled(&folder, install)?.join("node_modules"))))
}

/// The interpreter of a virtual environment with the Python SDK.
pub(crate) fn python(cache: &Cache, report: &mut Report) -> anyhow::Result<Option<PathBuf>> {
    let name = "Python SDK";
    if !has("python3", "--version") {
        report.skip(name, "needs Python 3");
        return Ok(None);
    }
    let pins = "e2e/python/requirements.txt";
    let install = |folder: &Path| {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"]).arg(folder);
        succeed(venv)?;
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--requirement"]).arg(cache.in_clone(pins));
        succeed(pip)
    };
    let folder = format!("python-{}", cache.key(&[pins])?);
    Ok(report.prepare(name, || Ok(cache.filled(&folder, install)?.join("bin/python"))))
}

/// The `cargo-deny` of the pinned version. Its build takes minutes, so only CI builds it; elsewhere an installed one serves.
pub(crate) fn cargo_deny(cache: &Cache, report: &mut Report) -> anyhow::Result<Option<PathBuf>> {
    let folder = format!("cargo-deny-{CARGO_DENY}");
    if !report.is_ci() && !cache.has(&folder) {
        let installed = has("cargo-deny", "--version").then(|| PathBuf::from("cargo-deny"));
        if installed.is_none() {
            report.skip("dependencies", "cargo-deny is not installed (`cargo xtask --ci test` builds it)");
        }
        return Ok(installed);
    }
    let install = |folder: &Path| {
        let mut install = cargo(&["install", "--locked", "--quiet", "cargo-deny", "--version", CARGO_DENY, "--root"]);
        install.arg(folder);
        succeed(install)
    };
    Ok(report.prepare("cargo-deny", || Ok(cache.filled(&folder, install)?.join("bin/cargo-deny"))))
}

/// Whether a program is there and answers.
fn has(program: &str, question: &str) -> bool {
    let answer = Command::new(program).arg(question).stdout(Stdio::null()).stderr(Stdio::null()).status();
    answer.is_ok_and(|status| status.success())
}

fn succeed(command: Command) -> anyhow::Result<()> {
    let shown = format!("{command:?}");
    ensure!(report::run(command), "failed: {shown}");
    Ok(())
}
