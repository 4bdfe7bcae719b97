//! `cargo xtask e2e --cluster local|kind|current`: the suite on a real cluster.
//!
//! `local` makes a cluster of one node for the time of the run, without Docker and without a registry, in namespaces of its own;
//! `kind` makes one with kind, for whoever has Docker; `current` takes what the kubeconfig names, to which the two images must have
//! come somehow. The suite is the same, and speaks to the API server only.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use clap::ValueEnum;

use crate::cache::Cache;
use crate::report::{self, Report};
use crate::suite::{EVERYTHING, FEATURES, cargo};
use crate::{image, tools};

/// What the images are called in pods; e2e/suite says the same.
const SHARDSET: &str = "shardset.invalid/shardset:dev";
const PROMETHEUS: &str = "shardset.invalid/prometheus:dev";

/// Tests at a time: each has some pods on two cores.
const AT_A_TIME: &str = "2";

/// What runs on any cluster, and what only on one whose parts can be stopped.
const ANYWHERE: [&str; 1] = ["cluster"];
const HERE: [&str; 2] = ["cluster", "disruption"];

/// Where the suite runs.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cluster {
    /// On a cluster that is made here, without Docker.
    Local,
    /// On a cluster that kind makes.
    Kind,
    /// On the cluster that the kubeconfig names.
    Current,
}

/// What the suite needs.
struct Parts {
    images: Vec<PathBuf>,
    helm: PathBuf,
    _folder: tempfile::TempDir,
}

/// Runs all tests of the suite, or those whose names contain `only`.
pub(crate) fn run(cache: &Cache, report: &mut Report, cluster: Cluster, only: Option<&str>) -> anyhow::Result<()> {
    let mut build = cargo(&["build"]);
    build.args(EVERYTHING);
    if !report.check("build for the suite on a cluster", build) {
        return Ok(());
    }
    let Some(parts) = parts(cache, report)? else { return Ok(()) };
    match cluster {
        Cluster::Local => local(cache, report, &parts, only),
        Cluster::Kind => kind(cache, report, &parts, only),
        Cluster::Current => {
            report.tests("suite on the current cluster", suite(cache, &parts, only, &ANYWHERE, Command::new("env")));
            Ok(())
        }
    }
}

fn parts(cache: &Cache, report: &mut Report) -> anyhow::Result<Option<Parts>> {
    let prometheus = tools::prometheus(cache, report)?;
    let helm = tools::helm(cache, report)?;
    let (Some(prometheus), Some(helm)) = (prometheus, helm) else {
        report.skip("suite on a cluster", "needs Prometheus and Helm");
        return Ok(None);
    };
    let folder = tempfile::tempdir()?;
    let images = ["shardset.tar", "prometheus.tar"].map(|name| folder.path().join(name));
    let made = report.prepare("images", || {
        image::of_binary(&image::built("debug")?, SHARDSET, &images[0])?;
        image::of_program(&prometheus.join("prometheus"), PROMETHEUS, &images[1])
    });
    Ok(made.map(|()| Parts { images: images.to_vec(), helm: helm.join("helm"), _folder: folder }))
}

/// `before`, and then the tests of these files, which `before` runs.
fn suite(cache: &Cache, parts: &Parts, only: Option<&str>, files: &[&str], mut before: Command) -> Command {
    before.args(["cargo", "test", "--workspace", "--features", FEATURES, "--no-fail-fast"]);
    before.args(files.iter().flat_map(|file| ["--test", file])).args(["--", "--test-threads", AT_A_TIME]).args(only);
    before.env("SHARDSET_E2E_HELM", &parts.helm).env("SHARDSET_SUITE_CHARTS", cache.in_clone("charts"));
    // The chain of an error says what happened; a backtrace of the runtime buries it.
    before.env("RUST_LIB_BACKTRACE", "0");
    before
}

fn local(cache: &Cache, report: &mut Report, parts: &Parts, only: Option<&str>) -> anyhow::Result<()> {
    if !tools::runs_containers() {
        report.skip("suite on a local cluster", "needs containerd, and to be root; or give --cluster kind");
        return Ok(());
    }
    let tools = [tools::kubernetes(cache, report)?, tools::coredns(cache, report)?];
    let [Some(kubernetes), Some(coredns)] = tools else { return Ok(()) };
    let built = std::env::current_exe().context("where this program is")?.with_file_name("shardset-cluster");
    let mut cluster = Command::new(built);
    cluster.args(["run", "--tools"]).arg(kubernetes).arg("--tools").arg(coredns);
    for image in &parts.images {
        cluster.arg("--image").arg(image);
    }
    cluster.arg("--");
    report.tests("suite on a local cluster", suite(cache, parts, only, &HERE, cluster));
    Ok(())
}

fn kind(cache: &Cache, report: &mut Report, parts: &Parts, only: Option<&str>) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (name, kubeconfig) = (format!("shardset-{}", std::process::id()), folder.path().join("kubeconfig"));
    let kind = |arguments: &[&str], file: Option<&Path>| {
        let mut kind = Command::new("kind");
        kind.args(arguments).args(file).args(["--name", &name]).env("KUBECONFIG", &kubeconfig);
        kind
    };
    let made = report.check("kind cluster", kind(&["create", "cluster", "--wait", "2m"], None))
        && parts
            .images
            .iter()
            .all(|image| report.check("image for kind", kind(&["load", "image-archive"], Some(image))));
    if made {
        let mut env = Command::new("env");
        env.env("KUBECONFIG", &kubeconfig);
        report.tests("suite on a kind cluster", suite(cache, parts, only, &ANYWHERE, env));
    }
    // Also what was made by half.
    report::run(kind(&["delete", "cluster"], None));
    Ok(())
}
