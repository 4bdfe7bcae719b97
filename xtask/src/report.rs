//! Runs steps, and says at the end what was run, what was left out, and how it went.
//!
//! The last line is `N passed, N failed`: the tests of every suite, and each check (format, lints, docs, a fuzz target) as one.
//! A suite that could not be built has one failure. With `CI=true` a step left out is a failure too.
#![expect(clippy::print_stdout, reason = "what a task says goes to the terminal")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::tally::Tally;

/// What has been run so far.
pub(crate) struct Report {
    ci: bool,
    steps: Vec<Step>,
    skipped: Vec<(String, String)>,
}

struct Step {
    name: String,
    tally: Tally,
    took: Duration,
}

impl Report {
    pub(crate) fn new(ci: bool) -> Self {
        Self { ci, steps: Vec::new(), skipped: Vec::new() }
    }

    /// Whether nothing may be left out.
    pub(crate) fn is_ci(&self) -> bool {
        self.ci
    }

    /// Runs a command that passes or fails as a whole.
    pub(crate) fn check(&mut self, name: &str, command: Command) -> bool {
        self.step(name, |_| if run(command) { Tally::PASSED } else { Tally::FAILED })
    }

    /// Runs a command that passes or fails as a whole; what it writes goes to `log`, and is shown when it fails.
    pub(crate) fn check_quietly(&mut self, name: &str, command: Command, log: &Path) -> bool {
        self.step(name, |name| match run_logged(command, log) {
            Ok(tally) => tally,
            Err(error) => failed(name, &error),
        })
    }

    /// Runs a command that runs tests, and counts them.
    pub(crate) fn tests(&mut self, name: &str, command: Command) -> bool {
        self.step(name, |name| run_tests(command).unwrap_or_else(|error| failed(name, &error)))
    }

    /// Prepares something that later steps need; a failure is a failure of the step.
    pub(crate) fn prepare<T>(&mut self, name: &str, work: impl FnOnce() -> anyhow::Result<T>) -> Option<T> {
        println!("== {name}");
        match work() {
            Ok(done) => Some(done),
            Err(error) => {
                let tally = failed(name, &error);
                self.steps.push(Step { name: name.to_owned(), tally, took: Duration::ZERO });
                None
            }
        }
    }

    /// Leaves a step out, and says why.
    pub(crate) fn skip(&mut self, name: &str, why: &str) {
        if self.ci {
            println!("== {name}\nnot run, and CI leaves nothing out: {why}");
            self.steps.push(Step { name: name.to_owned(), tally: Tally::FAILED, took: Duration::ZERO });
        } else {
            self.skipped.push((name.to_owned(), why.to_owned()));
        }
    }

    /// Says how it went.
    pub(crate) fn close(self) -> ExitCode {
        let mut total = Tally::default();
        println!();
        for Step { name, tally, took } in &self.steps {
            let word = if tally.failed == 0 { "ok" } else { "FAILED" };
            println!("{word:>6}  {:>5.0} s  {:>5} passed  {name}", took.as_secs_f64(), tally.passed);
            total += *tally;
        }
        for (name, why) in &self.skipped {
            println!("skipped {name}: {why}");
        }
        println!("{} passed, {} failed", total.passed, total.failed);
        if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    #[expect(clippy::disallowed_methods, reason = "says how long a step took")]
    fn step(&mut self, name: &str, work: impl FnOnce(&str) -> Tally) -> bool {
        println!("== {name}");
        let began = Instant::now();
        let tally = work(name);
        self.steps.push(Step { name: name.to_owned(), tally, took: began.elapsed() });
        tally.failed == 0
    }
}

fn failed(name: &str, error: &anyhow::Error) -> Tally {
    println!("{name}: {error:#}");
    Tally::FAILED
}

/// Runs a command to its end; whether it succeeded.
pub(crate) fn run(mut command: Command) -> bool {
    match command.status() {
        Ok(status) => status.success(),
        Err(error) => {
            println!("cannot run {}: {error}", command.get_program().display());
            false
        }
    }
}

fn run_logged(mut command: Command, log: &Path) -> anyhow::Result<Tally> {
    let file = File::create(log).context("make its log")?;
    let status = command.stdout(file.try_clone()?).stderr(file).status().context("start")?;
    if status.success() {
        return Ok(Tally::PASSED);
    }
    println!("{}", fs::read_to_string(log).context("read its log")?);
    Ok(Tally::FAILED)
}

fn run_tests(mut command: Command) -> anyhow::Result<Tally> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("start")?;
    let output = child.stdout.take().context("its output is piped")?;
    let mut tally = Tally::default();
    for line in BufReader::new(output).lines() {
        let line = line.context("read its output")?;
        println!("{line}");
        tally += Tally::of_line(&line).unwrap_or_default();
    }
    let succeeded = child.wait().context("wait for its end")?.success();
    if !succeeded && tally.failed == 0 {
        tally += Tally::FAILED;
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn tests_are_summed_over_all_binaries_of_a_suite() {
        let mut report = Report::new(false);
        let line = "echo 'test result: ok. 2 passed; 0 failed; 0 ignored'";
        assert!(report.tests("two binaries", shell(&format!("{line}; {line}"))));
        assert_eq!(report.steps[0].tally, Tally { passed: 4, failed: 0 });
    }

    #[test]
    fn a_suite_that_does_not_build_has_failed() {
        let mut report = Report::new(false);
        assert!(!report.tests("broken", shell("exit 101")));
        assert!(!report.check("missing", Command::new("no-such-program-here")));
        assert_eq!(report.close(), ExitCode::FAILURE);
    }

    #[test]
    fn a_skipped_step_fails_only_in_ci() {
        for (ci, code) in [(false, ExitCode::SUCCESS), (true, ExitCode::FAILURE)] {
            let mut report = Report::new(ci);
            report.skip("sdk", "no node");
            assert_eq!(report.close(), code);
        }
    }
}
