//! `cargo xtask e2e --cluster local|kind|current`: the suite on a real cluster.
//!
//! `local` makes a cluster of one node for the time of the run, without Docker and without a registry, in namespaces of its own;
//! `kind` makes one with kind, for whoever has Docker; `current` takes what the kubeconfig names, to which the two images must have
//! come somehow. The suite is the same, and speaks to the API server only.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use clap::ValueEnum;

use crate::cache::Cache;
use crate::report::{self, Report};
use crate::suite::{EVERYTHING, FEATURES, cargo};
use crate::{image, previous, tools};

/// What the images are called in pods; e2e/suite says the same.
const SHARDSET: &str = "shardset.invalid/shardset:dev";
const PROMETHEUS: &str = "shardset.invalid/prometheus:dev";

/// Tests at a time: each has some pods on two cores.
const AT_A_TIME: &str = "2";

/// What runs on any cluster, and what only on one whose parts can be stopped.
const ANYWHERE: [&str; 1] = ["cluster"];
const HERE: [&str; 3] = ["cluster", "disruption", "rights"];

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

/// The cluster that the suite runs on.
#[derive(Clone, Copy)]
pub(crate) struct On<'a> {
    /// Where it comes from.
    pub(crate) cluster: Cluster,
    /// The image of kind's node, if not its own choice.
    pub(crate) node_image: Option<&'a str>,
}

/// What is run there.
#[derive(Clone, Copy)]
pub(crate) enum Run<'a> {
    /// All tests, or those with this in their names.
    Test { only: Option<&'a str> },
    /// What measures.
    Measure,
}

/// What a run needs.
struct Parts {
    images: Vec<PathBuf>,
    helm: PathBuf,
    previous: PathBuf,
    _folder: tempfile::TempDir,
}

/// Runs the suite, or measures.
pub(crate) fn run(cache: &Cache, report: &mut Report, on: On<'_>, run: Run<'_>) -> anyhow::Result<()> {
    if on.cluster == Cluster::Kind {
        let mut kind = Command::new("kind");
        kind.args(["version", "--quiet"]);
        ensure!(report::run(kind), "kind and Docker are needed for this cluster; or give --cluster local");
    }
    let mut build = cargo(&["build"]);
    build.args(EVERYTHING);
    if !report.check("build for the suite on a cluster", build) {
        return Ok(());
    }
    let Some(parts) = parts(cache, report, run)? else { return Ok(()) };
    match on.cluster {
        Cluster::Local => local(cache, report, &parts, run),
        Cluster::Kind => kind(cache, report, &parts, on.node_image, run),
        Cluster::Current => {
            go(report, "the current cluster", command(cache, &parts, run, &ANYWHERE, Command::new("env"))?, run);
            Ok(())
        }
    }
}

fn parts(cache: &Cache, report: &mut Report, run: Run<'_>) -> anyhow::Result<Option<Parts>> {
    let prometheus = tools::prometheus(cache, report)?;
    let helm = tools::helm(cache, report)?;
    let (Some(prometheus), Some(helm)) = (prometheus, helm) else {
        report.skip("suite on a cluster", "needs Prometheus and Helm");
        return Ok(None);
    };
    // Tests want overflow checks and assertions, figures want what users run.
    let profile = match run {
        Run::Test { .. } => "debug",
        Run::Measure => "release",
    };
    let folder = tempfile::tempdir()?;
    let images = ["shardset.tar", "prometheus.tar"].map(|name| folder.path().join(name));
    let made = report.prepare("images", || {
        if profile == "release" {
            let built = report::run(cargo(&["build", "--release", "--package", "shardset"]));
            ensure!(built, "shardset can not be built");
        }
        image::of_binary(&image::built(profile)?, SHARDSET, &images[0])?;
        image::of_program(&prometheus.join("prometheus"), PROMETHEUS, &images[1])
    });
    let previous = report.prepare("charts of before", || previous::charts(cache, &folder.path().join("charts")));
    let (Some(()), Some(previous)) = (made, previous) else { return Ok(None) };
    Ok(Some(Parts { images: images.to_vec(), helm: helm.join("helm"), previous, _folder: folder }))
}

/// `before`, and then what is run, which `before` runs.
fn command(cache: &Cache, parts: &Parts, run: Run<'_>, files: &[&str], mut before: Command) -> anyhow::Result<Command> {
    match run {
        Run::Test { only } => {
            before.args(["cargo", "test", "--workspace", "--features", FEATURES, "--no-fail-fast"]);
            before.args(files.iter().flat_map(|file| ["--test", file]));
            before.args(["--", "--test-threads", AT_A_TIME]).args(only);
        }
        Run::Measure => drop(before.arg(image::built("debug")?.with_file_name("shardset-measure"))),
    }
    before.env("SHARDSET_E2E_HELM", &parts.helm).env("SHARDSET_SUITE_CHARTS", cache.in_clone("charts"));
    before.env("SHARDSET_SUITE_CHARTS_BEFORE", &parts.previous);
    // The chain of an error says what happened; a backtrace of the runtime buries it.
    before.env("RUST_LIB_BACKTRACE", "0");
    Ok(before)
}

fn go(report: &mut Report, on: &str, command: Command, run: Run<'_>) {
    match run {
        Run::Test { .. } => report.tests(&format!("suite on {on}"), command),
        Run::Measure => report.check(&format!("figures of {on}"), command),
    };
}

fn local(cache: &Cache, report: &mut Report, parts: &Parts, run: Run<'_>) -> anyhow::Result<()> {
    if !tools::runs_containers() {
        report.skip("suite on a local cluster", "needs containerd, and to be root; or give --cluster kind");
        return Ok(());
    }
    let tools = [tools::kubernetes(cache, report)?, tools::coredns(cache, report)?, tools::kube_router(cache, report)?];
    let [Some(kubernetes), Some(coredns), Some(kube_router)] = tools else { return Ok(()) };
    let built = std::env::current_exe().context("where this program is")?.with_file_name("shardset-cluster");
    let mut cluster = Command::new(built);
    cluster.args(["run", "--tools"]).arg(kubernetes).arg("--tools").arg(coredns).arg("--tools").arg(kube_router);
    for image in &parts.images {
        cluster.arg("--image").arg(image);
    }
    cluster.arg("--");
    go(report, "a local cluster", command(cache, parts, run, &HERE, cluster)?, run);
    Ok(())
}

fn kind(
    cache: &Cache,
    report: &mut Report,
    parts: &Parts,
    node_image: Option<&str>,
    run: Run<'_>,
) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (name, kubeconfig) = (format!("shardset-{}", std::process::id()), folder.path().join("kubeconfig"));
    let kind = |arguments: &[&str], file: Option<&Path>| {
        let mut kind = Command::new("kind");
        kind.args(arguments).args(file).args(["--name", &name]).env("KUBECONFIG", &kubeconfig);
        kind
    };
    let load = |image: &PathBuf| kind(&["load", "image-archive"], Some(image));
    let mut create = kind(&["create", "cluster", "--wait", "2m"], None);
    create.args(node_image.iter().flat_map(|image| ["--image", image]));
    let made = report.check("kind cluster", create)
        && parts.images.iter().all(|image| report.check("image for kind", load(image)));
    if made {
        let mut env = Command::new("env");
        env.env("KUBECONFIG", &kubeconfig);
        go(report, "a kind cluster", command(cache, parts, run, &ANYWHERE, env)?, run);
    }
    // Also what was made by half.
    report::run(kind(&["delete", "cluster"], None));
    Ok(())
}
