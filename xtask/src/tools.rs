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
    go_tools(cache, report, "Prometheus", "e2e/tools", |folder| {
        let mut go = Command::new("go");
        go.args(["build", "-trimpath", "-p", "2", "-tags", "remove_all_sd", "-ldflags", "-s -w"]);
        go.arg("-o").arg(folder.join("")).arg("tool");
        go
    })
}

/// Folder with the programs of a Kubernetes cluster, kubectl among them.
pub(crate) fn kubernetes(cache: &Cache, report: &mut Report) -> anyhow::Result<Option<PathBuf>> {
    go_tools(cache, report, "Kubernetes", "e2e/cluster", |folder| {
        let version = |name, value| format!("-X k8s.io/component-base/version.{name}={value}");
        let [major, minor, whole] = ["1", "34", "v1.34.4"];
        let versions = [version("gitVersion", whole), version("gitMajor", major), version("gitMinor", minor)].join(" ");
        let mut go = Command::new("go");
        go.args(["build", "-trimpath", "-p", "2", "-ldflags"]).arg(format!("-s -w {versions}"));
        go.arg("-o").arg(folder.join("")).arg("tool");
        go
    })
}

/// Folder with `coredns`, of which the cluster's names come.
pub(crate) fn coredns(cache: &Cache, report: &mut Report) -> anyhow::Result<Option<PathBuf>> {
    go_tools(cache, report, "CoreDNS", "e2e/cluster/coredns", |folder| {
        let mut go = Command::new("go");
        go.args(["build", "-trimpath", "-p", "2", "-ldflags", "-s -w", "-o"]).arg(folder.join("")).arg("tool");
        go
    })
}

/// Folder with `kube-router`, which enforces NetworkPolicies.
pub(crate) fn kube_router(cache: &Cache, report: &mut Report) -> anyhow::Result<Option<PathBuf>> {
    go_tools(cache, report, "kube-router", "e2e/cluster/network", |folder| {
        let mut go = Command::new("go");
        go.args(["build", "-trimpath", "-p", "2", "-ldflags", "-s -w", "-o"]).arg(folder.join("")).arg("tool");
        go
    })
}

/// Folder with `helm`.
pub(crate) fn helm(cache: &Cache, report: &mut Report) -> anyhow::Result<Option<PathBuf>> {
    go_tools(cache, report, "Helm", "e2e/helm", |folder| {
        let mut go = Command::new("go");
        go.args(["build", "-trimpath", "-p", "2", "-ldflags", "-s -w", "-o"]).arg(folder.join("")).arg("tool");
        go
    })
}

/// Whether this machine can run a cluster of its own: it has what runs containers, and this is root. What else is missing the
/// cluster says itself.
pub(crate) fn runs_containers() -> bool {
    let whoami = Command::new("id").arg("-u").output();
    has("containerd", "--version") && whoami.is_ok_and(|said| said.stdout.trim_ascii() == b"0")
}

/// What is built from a `go.mod` of ours.
fn go_tools(
    cache: &Cache,
    report: &mut Report,
    name: &str,
    module: &str,
    build: impl FnOnce(&Path) -> Command,
) -> anyhow::Result<Option<PathBuf>> {
    if !has("go", "version") {
        report.skip(name, "needs Go to build it");
        return Ok(None);
    }
    let key = cache.key(&[&format!("{module}/go.mod"), &format!("{module}/go.sum")])?;
    let fill = |folder: &Path| {
        let mut go = build(folder);
        // Programs that need nothing of the machine they run on, and no C compiler to be built.
        go.current_dir(cache.in_clone(module)).env("CGO_ENABLED", "0");
        succeed(go)
    };
    let folder = format!("{}-{key}", name.to_lowercase());
    Ok(report.prepare(name, || cache.filled(&folder, fill)))
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
