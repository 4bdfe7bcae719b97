//! The tests with real parts: builds `shardset`, gets Prometheus and the SDKs, and runs `e2e/`.
//!
//! The binary is the one of the dev profile: it shares its build with the unit tests, and its overflow checks and debug
//! assertions are on, which is what a test wants. Where a tool is to be found goes down in the environment.

use std::path::{Path, PathBuf};

use crate::cache::Cache;
use crate::report::Report;
use crate::suite::{EVERYTHING, FEATURES, cargo};
use crate::{cache, tools};

/// The tools, and the variables that tell the tests where each is.
struct Tools {
    prometheus: Option<PathBuf>,
    javascript: Option<PathBuf>,
    python: Option<PathBuf>,
    helm: Option<PathBuf>,
}

/// Runs all test files of `e2e/`, or the one called `only`; with `bless`, generated pages are written instead of compared.
pub(crate) fn run(cache: &Cache, report: &mut Report, only: Option<&str>, bless: bool) -> anyhow::Result<()> {
    let mut build = cargo(&["build"]);
    build.args(EVERYTHING);
    if !report.check("build for end-to-end tests", build) {
        return Ok(());
    }
    let tools = Tools {
        prometheus: tools::prometheus(cache, report)?,
        javascript: tools::javascript(cache, report)?,
        python: tools::python(cache, report)?,
        helm: tools::helm(cache, report)?.map(|folder| folder.join("helm")),
    };
    let files = cache::names(&cache.in_clone("e2e/tests"), "rs")?;
    let wanted = |file: &&String| only.is_none_or(|only| only == *file) && tools.suffice_for(file);
    let chosen: Vec<&String> = files.iter().filter(wanted).collect();
    if chosen.is_empty() {
        report.skip("end-to-end tests", "no file of that name, or not the tools for it");
        return Ok(());
    }
    let mut tests = cargo(&["test", "--workspace", "--features", FEATURES, "--no-fail-fast"]);
    tests.args(chosen.into_iter().flat_map(|file| ["--test", file]));
    // The chain of an error says what happened; a backtrace of the runtime buries it.
    tests.envs(tools.variables()).env("RUST_LIB_BACKTRACE", "0");
    if bless {
        tests.env("SHARDSET_E2E_BLESS", "1");
    }
    report.tests("end-to-end tests", tests);
    Ok(())
}

impl Tools {
    /// Whether what a test file needs is there; the first word of its name says what that is. What is not was reported.
    fn suffice_for(&self, file: &str) -> bool {
        let needed: &[&Option<PathBuf>] = match file.split('_').next() {
            Some("javascript") => &[&self.prometheus, &self.javascript],
            Some("python") => &[&self.prometheus, &self.python],
            Some("prometheus") => &[&self.prometheus],
            Some("charts") => &[&self.helm, &self.prometheus],
            _ => &[],
        };
        needed.iter().all(|tool| tool.is_some())
    }

    fn variables(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let all = [
            ("SHARDSET_E2E_PROMETHEUS", &self.prometheus),
            ("SHARDSET_E2E_NODE_MODULES", &self.javascript),
            ("SHARDSET_E2E_PYTHON", &self.python),
            ("SHARDSET_E2E_HELM", &self.helm),
        ];
        all.into_iter().filter_map(|(variable, tool)| Some((variable, tool.as_deref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_file_runs_where_its_tools_are() {
        let (there, prometheus) = (Some(PathBuf::new()), Some(PathBuf::new()));
        let tools = Tools { prometheus, javascript: None, python: there, helm: None };
        assert!(tools.suffice_for("python_sdk") && tools.suffice_for("prometheus_backend"));
        assert!(!tools.suffice_for("javascript_sdk"));
        let none = Tools { prometheus: None, ..tools };
        assert!(none.suffice_for("hostile_input") && !none.suffice_for("python_sdk"));
    }
}
