//! `cargo xtask test`, in its order: cheap checks first, real servers last.
//!
//! A step that fails does not stop the next: one run tells everything that is wrong.

use std::ffi::OsStr;
use std::process::Command;

use crate::arguments::E2e;
use crate::cache::Cache;
use crate::cluster::{self, Cluster, On, Run};
use crate::report::Report;
use crate::{chaos, e2e, fuzz, tools};

/// Everything, tests with real parts included. All steps name the whole workspace, because the packages named decide the
/// features of what they share: each other choice would build tokio and all that stands on it once more.
pub(crate) const EVERYTHING: [&str; 4] = ["--workspace", "--all-targets", "--features", FEATURES];
/// What compiles the tests that need real parts, and those that need a cluster.
pub(crate) const FEATURES: &str = "shardset-e2e/real-parts,shardset-suite/cluster";

/// Runs the whole suite.
pub(crate) fn test(cache: &Cache, report: &mut Report, fuzz_seconds: u32) -> anyhow::Result<()> {
    report.check("format", cargo(&["fmt", "--all", "--check"]));
    let mut lints = cargo(&["clippy"]);
    lints.args(EVERYTHING).args(["--", "-D", "warnings"]);
    report.check("lints", lints);
    report.tests("rules, unit and property tests", cargo(&["test", "--workspace", "--no-fail-fast"]));
    let mut docs = cargo(&["doc", "--workspace", "--no-deps", "--document-private-items"]);
    docs.env("RUSTDOCFLAGS", "-D warnings");
    report.check("docs", docs);
    dependencies(cache, report)?;
    fuzz::run(cache, report, fuzz_seconds)?;
    e2e::run(cache, report, None, false)?;
    cluster::run(cache, report, On { cluster: Cluster::Local, node_image: None }, Run::Test { only: None })?;
    chaos::run(cache, report, &chaos::OF_THE_SUITE.map(Into::into))
}

/// The tests with real parts: those of this machine, or the suite on a cluster, or figures of one.
pub(crate) fn e2e(cache: &Cache, report: &mut Report, arguments: &E2e) -> anyhow::Result<()> {
    let only = arguments.only.as_deref();
    let Some(cluster) = arguments.cluster else { return e2e::run(cache, report, only, arguments.bless) };
    let on = On { cluster, node_image: arguments.node_image.as_deref() };
    cluster::run(cache, report, on, if arguments.measure { Run::Measure } else { Run::Test { only } })
}

/// Licences, bans and sources. The advisory database is not asked: it is on the network and changes under a test.
fn dependencies(cache: &Cache, report: &mut Report) -> anyhow::Result<()> {
    let Some(deny) = tools::cargo_deny(cache, report)? else { return Ok(()) };
    // It looks at what other systems would build too, which no build here has brought.
    let fetch = cargo(&["fetch", "--locked", "--quiet"]);
    if !report.check("sources of dependencies", fetch) {
        return Ok(());
    }
    let mut check = Command::new(deny);
    check.args(["--offline", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"]);
    report.check("dependencies", check);
    Ok(())
}

/// Runs a program of this workspace, as fast as it is.
pub(crate) fn released(report: &mut Report, package: &str, arguments: &[impl AsRef<OsStr>]) {
    let mut program = cargo(&["run", "--release", "--quiet", "--package", package, "--"]);
    program.args(arguments);
    report.check(package, program);
}

pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.args(arguments);
    cargo
}
