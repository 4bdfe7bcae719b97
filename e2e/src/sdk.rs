//! The real SDKs: programs in `js/` and `python/` that record, export, and say what they recorded.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::tool;

/// What a program says that it recorded into one series, by the names of OTel.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct Recorded {
    /// The instrument.
    pub instrument: String,
    /// The attributes of what it recorded.
    pub attributes: BTreeMap<String, Value>,
    /// Sum of all that was recorded.
    pub sum: f64,
    /// How often.
    pub count: f64,
}

/// A program that uses an SDK.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sdk {
    /// `js/NAME.cjs`
    JavaScript,
    /// `python/NAME.py`
    Python,
}

/// Longest run of a program, the export at its end included.
pub const PATIENCE: Duration = Duration::from_secs(60);

impl Sdk {
    /// Runs a program to its end; returns what it recorded.
    ///
    /// # Errors
    ///
    /// When it fails, writes to stderr (an SDK reports failed exports there and nowhere else), or says nothing.
    pub fn run(self, program: &str, arguments: &[&str]) -> anyhow::Result<Vec<Recorded>> {
        self.run_in(&[], program, arguments)
    }

    /// The same with these variables in its environment.
    ///
    /// # Errors
    ///
    /// As of [`Sdk::run`].
    pub fn run_in(
        self,
        environment: &[(&str, &str)],
        program: &str,
        arguments: &[&str],
    ) -> anyhow::Result<Vec<Recorded>> {
        let mut command = self.command(program)?;
        let output = command.envs(environment.iter().copied()).args(arguments).output().context("run it")?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success() && stderr.is_empty(), "{program}: {}\n{stderr}", output.status);
        serde_json::from_slice(&output.stdout).context("what it says it recorded")
    }

    /// A command that runs a program.
    ///
    /// # Errors
    ///
    /// When the SDK is not installed.
    pub fn command(self, program: &str) -> anyhow::Result<Command> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        Ok(match self {
            Self::JavaScript => {
                let mut node = Command::new("node");
                node.env("NODE_PATH", tool("SHARDSET_E2E_NODE_MODULES")?);
                node.arg(folder.join("js").join(program).with_extension("cjs"));
                node
            }
            Self::Python => {
                let mut python = Command::new(tool("SHARDSET_E2E_PYTHON")?);
                python.arg(folder.join("python").join(program).with_extension("py"));
                python
            }
        })
    }
}
