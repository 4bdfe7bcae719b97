//! Bounded fuzzing of every target in `fuzz/`.
//!
//! The targets link libFuzzer and are built by plain `cargo build` with LLVM's coverage pass switched on: flags that the stable
//! compiler has. An address sanitizer would need a nightly one, and finds nothing in code that forbids `unsafe`. What was
//! found interesting stays in the cache, so that every run begins where the last one ended.

use std::process::Command;

use anyhow::Context;

use crate::cache::{self, Cache};
use crate::report::Report;
use crate::suite::cargo;

/// Coverage of edges and comparisons for libFuzzer. That overflows and broken assertions are crashes stands in fuzz/Cargo.toml.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Memory that one target may take: what a bounded decoder needs, far below what a bomb would.
const MEMORY_MIB: u32 = 1024;
/// Seconds that one input may take.
const INPUT_SECONDS: u32 = 10;

/// Builds the targets and runs each for `seconds`.
pub(crate) fn run(cache: &Cache, report: &mut Report, seconds: u32) -> anyhow::Result<()> {
    let targets = cache::names(&cache.in_clone("fuzz/fuzz_targets"), "rs")?;
    let folder = cache.growing("fuzz/target")?;
    // With a target named, the flags do not reach build scripts and macros, which have no libFuzzer to link.
    let host = host()?;
    let mut build = cargo(&["build", "--release", "--target", &host, "--manifest-path"]);
    build.arg(cache.in_clone("fuzz/Cargo.toml")).env("CARGO_TARGET_DIR", &folder).env("RUSTFLAGS", FLAGS);
    if !report.check("fuzz targets build", build) {
        return Ok(());
    }
    for target in targets {
        let corpus = cache.growing(&format!("fuzz/corpus/{target}"))?;
        let crashes = cache.growing(&format!("fuzz/crashes/{target}"))?;
        let mut fuzz = Command::new(folder.join(&host).join("release").join(&target));
        fuzz.args([format!("-max_total_time={seconds}"), format!("-rss_limit_mb={MEMORY_MIB}")]);
        fuzz.args([format!("-timeout={INPUT_SECONDS}"), format!("-artifact_prefix={}/", crashes.display())]);
        fuzz.arg(corpus);
        let log = folder.join(format!("{target}.log"));
        report.check_quietly(&format!("fuzz {target} for {seconds} s"), fuzz, &log);
    }
    Ok(())
}

/// The triple of the machine that compiles.
fn host() -> anyhow::Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("ask rustc for its host")?;
    let text = String::from_utf8(output.stdout).context("rustc speaks UTF-8")?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names its host")?;
    Ok(host.to_owned())
}
