//! The tests with real parts: builds `shardset`, gets Prometheus and the SDKs, and runs `e2e/`.
//!
//! The binary is the one of the dev profile: it shares its build with the unit tests, and its overflow checks and debug
//! assertions are on, which is what a test wants. Where a tool is to be found goes down in the environment.

use crate::cache::Cache;
use crate::report::Report;
use crate::suite::cargo;
use crate::tools;

/// Runs all test files of `e2e/`, or the one called `only`.
pub(crate) fn run(cache: &Cache, report: &mut Report, only: Option<&str>) -> anyhow::Result<()> {
    if !report.check("shardset for end-to-end tests", cargo(&["build", "--package", "shardset"])) {
        return Ok(());
    }
    let prometheus = tools::prometheus(cache, report)?;
    let javascript = tools::javascript(cache, report)?;
    let python = tools::python(cache, report)?;
    let mut tests = cargo(&["test", "--package", "shardset-e2e"]);
    tests.args(only.map_or(vec![], |name| vec!["--test", name]));
    let mut skipped = Vec::new();
    for (variable, what, tool) in [
        ("SHARDSET_E2E_PROMETHEUS", "prometheus", prometheus),
        ("SHARDSET_E2E_NODE_MODULES", "javascript", javascript),
        ("SHARDSET_E2E_PYTHON", "python", python),
    ] {
        match tool {
            Some(path) => _ = tests.env(variable, path),
            None => skipped.extend(["--skip", what]),
        }
    }
    tests.arg("--").args(skipped);
    report.tests("end-to-end tests", tests);
    Ok(())
}
