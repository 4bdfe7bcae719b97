//! `shardset local` under test, and the other verbs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::child::Running;
use crate::exposition::Exposition;
use crate::{ports, wait};

/// How long a start, a stop or an export may take. Far above what they take, on a machine that is busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A running `shardset local`, and where it is reached.
pub struct Shardset {
    /// OTLP/gRPC.
    pub grpc: SocketAddr,
    /// OTLP/HTTP.
    pub http: SocketAddr,
    /// Health and own metrics.
    pub admin: SocketAddr,
    /// The cumulative series.
    pub scrape: SocketAddr,
    flags: Vec<String>,
    environment: Vec<(String, String)>,
    folder: TempDir,
    running: Running,
}

impl Shardset {
    /// Starts it with these flags beside its addresses and its data folder, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// When it does not start, or is not ready in time.
    pub async fn start(flags: &[&str]) -> anyhow::Result<Self> {
        Self::start_in(&[], flags).await
    }

    /// The same with these variables in its environment.
    ///
    /// # Errors
    ///
    /// As of [`Shardset::start`].
    pub async fn start_in(environment: &[(&str, &str)], flags: &[&str]) -> anyhow::Result<Self> {
        let [grpc, http, admin, scrape] = [(); 4].map(|()| ports::free());
        let folder = tempfile::tempdir()?;
        let mut all =
            vec!["local".to_owned(), "--data-dir".to_owned(), folder.path().join("data").display().to_string()];
        for (name, address) in [("otlp-grpc", grpc), ("otlp-http", http), ("admin", admin), ("scrape", scrape)] {
            all.extend([format!("--{name}"), address.to_string()]);
        }
        all.extend(flags.iter().map(|&flag| flag.to_owned()));
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment: Vec<_> = environment.iter().map(owned).collect();
        let running = run(&all, &environment, folder.path())?;
        let mut started = Self { grpc, http, admin, scrape, flags: all, environment, folder, running };
        started.ready().await?;
        Ok(started)
    }

    /// Starts it again, with the same addresses and data.
    ///
    /// # Errors
    ///
    /// When it does not start, or is not ready in time.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        self.running = run(&self.flags, &self.environment, self.folder.path())?;
        self.ready().await
    }

    /// Asks it to stop and waits for its end.
    ///
    /// # Errors
    ///
    /// When it does not end in time, or with a failure.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        let status = self.running.terminate(PATIENCE).await?;
        ensure!(status.success(), "it ended with {status}: {}", self.running.log());
        Ok(())
    }

    /// The process.
    pub fn process(&mut self) -> &mut Running {
        &mut self.running
    }

    /// Where a part is reached.
    pub fn url(address: SocketAddr, path: &str) -> String {
        format!("http://{address}{path}")
    }

    /// Sends an OTLP/JSON request.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub async fn send_json(&self, body: String) -> anyhow::Result<reqwest::Response> {
        let request = reqwest::Client::new().post(Self::url(self.http, "/v1/metrics"));
        Ok(request.header("content-type", "application/json").body(body).send().await?)
    }

    /// The series that it shows to a scrape.
    ///
    /// # Errors
    ///
    /// When it does not answer, or not in the text format.
    pub async fn series(&self) -> anyhow::Result<Exposition> {
        Exposition::read(&Self::url(self.scrape, "/metrics")).await
    }

    /// What it says of itself.
    ///
    /// # Errors
    ///
    /// When it does not answer, or not in the text format.
    pub async fn own_metrics(&self) -> anyhow::Result<Exposition> {
        Exposition::read(&Self::url(self.admin, "/metrics")).await
    }

    /// Has another number of workers or another routing key, and waits until streams are where they belong.
    ///
    /// # Errors
    ///
    /// With what `shardset scale` says when it fails.
    pub fn scale(&self, to: &[&str]) -> anyhow::Result<()> {
        let admin = self.admin.to_string();
        let (done, text) = output(&[&["scale", "--admin", &admin], to].concat())?;
        ensure!(done.success(), "{text}");
        Ok(())
    }

    /// An error unless it runs and is ready for requests.
    ///
    /// # Errors
    ///
    /// With its log when it has ended.
    pub async fn is_well(&mut self) -> anyhow::Result<()> {
        self.running.is_running()?;
        for path in ["/healthz", "/readyz"] {
            let response = reqwest::get(Self::url(self.admin, path)).await?;
            ensure!(response.status().is_success(), "{path} answers {}", response.status());
        }
        Ok(())
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        wait::until("shardset is ready", PATIENCE, async || match self.running.is_running() {
            Ok(()) => self.is_well().await.map(Ok),
            // It will not come back: no use in asking again.
            ended => Ok(ended),
        })
        .await?
    }
}

/// Starts `shardset load` towards `to`, verified at `verify`.
///
/// # Errors
///
/// When it does not start.
pub fn load(to: &Shardset, verify: &str, flags: &[&str], folder: &Path) -> anyhow::Result<Running> {
    let mut all: Vec<String> = vec!["load".to_owned(), "--verify".to_owned(), verify.to_owned()];
    all.extend(["--otlp-grpc".to_owned(), Shardset::url(to.grpc, "")]);
    all.extend(["--otlp-http".to_owned(), Shardset::url(to.http, "")]);
    all.extend(flags.iter().map(|&flag| flag.to_owned()));
    let mut command = Command::new(binary()?);
    command.args(all);
    Running::start("load", command, folder)
}

/// Flags of a load whose clients misbehave: requests sent twice, raced, abandoned, packed; every kind of delta.
#[rustfmt::skip]
pub fn mischief<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let flags = [
        "--send-twice", "0.05", "--race", "0.05", "--abandon", "0.05", "--gzip", "0.3", "--interval", "500ms",
        "--histograms", "0.05", "--exponential", "0.05", "--up-down", "0.05",
    ];
    flags.iter().chain(more).copied().collect()
}

/// Runs the binary to its end; its status and all it wrote.
///
/// # Errors
///
/// When it does not start.
pub fn output(arguments: &[&str]) -> anyhow::Result<(ExitStatus, String)> {
    let output = Command::new(binary()?).args(arguments).output()?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status, String::from_utf8_lossy(&text).into_owned()))
}

fn run(arguments: &[String], environment: &[(String, String)], folder: &Path) -> anyhow::Result<Running> {
    let mut command = Command::new(binary()?);
    command.args(arguments).envs(environment.iter().cloned());
    Running::start("shardset", command, folder)
}

/// The binary that was built beside this test.
///
/// # Errors
///
/// Where it was not.
pub fn binary() -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe()?;
    let profile = test.ancestors().nth(2).context("a test stands in a folder of its profile")?;
    let binary = profile.join("shardset");
    ensure!(binary.exists(), "{} is not built: run `cargo xtask e2e`", binary.display());
    Ok(binary)
}
