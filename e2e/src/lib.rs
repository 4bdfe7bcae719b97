//! What the end-to-end tests in `tests/` stand on: the real binary, a real Prometheus, the real SDKs, all on loopback.
//!
//! A test starts what it needs, each part with ports, folders and logs of its own, so tests run side by side; what a test has
//! started ends with it, by process id. Nothing is asserted by sleeping: [`wait::until`] asks again until a bound. Run them
//! by `cargo xtask e2e`, which builds the binary, gets the tools, and hands both down in the environment.

pub mod certificates;
pub mod charts;
pub mod child;
pub mod documentation;
pub mod exposition;
pub mod otlp;
pub mod ports;
pub mod prometheus;
pub mod sdk;
pub mod shardset;
pub mod totals;
pub mod wait;
pub mod workspace;

use std::path::PathBuf;

/// Where a tool is, as `cargo xtask e2e` says.
///
/// # Errors
///
/// Where it does not say.
#[expect(clippy::disallowed_methods, reason = "a test binary has no arguments of its own")]
pub fn tool(variable: &str) -> anyhow::Result<PathBuf> {
    let value = std::env::var(variable).map_err(|_| anyhow::anyhow!("{variable} is not set: run `cargo xtask e2e`"))?;
    Ok(PathBuf::from(value))
}
