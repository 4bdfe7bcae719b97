//! `cargo xtask chaos`: builds the cluster's binary and its tormentor (`chaos/`), gets Prometheus, and lets them loose.
//!
//! The run gets namespaces of its own where the system gives them: its processes and its mount end with it, however it ends, and
//! nobody else sees them. Where it does not, the run goes without what needs them and says so. The binary is the one of the dev
//! profile, as in the end-to-end tests: overflow checks and debug assertions are on.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::cache::Cache;
use crate::report::Report;
use crate::suite::{EVERYTHING, cargo};
use crate::tools;

/// The run of the suite: long enough for every kind of fault, several times.
pub(crate) const OF_THE_SUITE: [&str; 4] = ["--minutes", "3", "--seed", "1"];

/// A mount namespace; a process namespace, which ends with its first process; and that ends with the one that asked for it.
const APART: [&str; 5] = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
/// The right to have them, for whoever is not root.
const AS_ROOT: &str = "--map-root-user";

/// Runs it with these arguments.
pub(crate) fn run(cache: &Cache, report: &mut Report, arguments: &[OsString]) -> anyhow::Result<()> {
    let mut build = cargo(&["build"]);
    build.args(EVERYTHING);
    if !report.check("build for chaos", build) {
        return Ok(());
    }
    let Some(prometheus) = tools::prometheus(cache, report)? else {
        report.skip("chaos", "needs Prometheus");
        return Ok(());
    };
    let built = std::env::current_exe().context("where this program is")?.with_file_name("shardset-chaos");
    let mut chaos = apart(&[]).or_else(|| apart(&[AS_ROOT])).unwrap_or_else(|| Command::new("env"));
    chaos.arg(built).args(arguments).env("SHARDSET_E2E_PROMETHEUS", prometheus).env("RUST_LIB_BACKTRACE", "0");
    if report.is_ci() {
        chaos.arg("--skip-nothing");
    }
    report.check("chaos", chaos);
    Ok(())
}

/// What runs a program apart from the rest, where that can be had this way.
fn apart(rights: &[&str]) -> Option<Command> {
    let unshare = || {
        let mut unshare = Command::new("unshare");
        unshare.args(rights).args(APART);
        unshare
    };
    let tried = unshare().arg("true").stdout(Stdio::null()).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success()).then(unshare)
}
