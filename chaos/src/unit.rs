//! One process of the cluster, with what it is started with, over all its lives.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use shardset_e2e::child::Running;
use shardset_e2e::wait;
use tokio::net::TcpStream;

use crate::fault::Node;

/// How long a process may take to end when it is asked to: its grace of two seconds, on a machine that is busy.
const ENDS_WITHIN: Duration = Duration::from_secs(30);
/// How long it may take until it says that it runs.
const BEGINS_WITHIN: Duration = Duration::from_secs(30);

/// What every process of a run shares.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    /// The binary under test.
    pub(crate) binary: PathBuf,
    /// Where logs and data are.
    pub(crate) folder: PathBuf,
}

/// A process, running or not.
pub(crate) struct Unit {
    node: Node,
    ground: Ground,
    arguments: Vec<String>,
    /// Where it says that it runs; a coordinator says it nowhere.
    admin: Option<SocketAddr>,
    running: Option<Running>,
    /// Whether it was asked to end.
    ends: bool,
    peak: u64,
}

impl Unit {
    /// A process that is not started yet.
    pub(crate) fn new(node: Node, ground: &Ground, arguments: Vec<String>) -> Self {
        Self { node, ground: ground.clone(), arguments, admin: None, running: None, ends: false, peak: 0 }
    }

    /// The same, which says that it runs at this address.
    pub(crate) fn with_admin(mut self, admin: SocketAddr) -> Self {
        self.arguments.extend(["--admin".to_owned(), admin.to_string()]);
        self.admin = Some(admin);
        self
    }

    /// Starts it; one that was asked to end is waited for before.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        self.end().await?;
        let mut command = Command::new(&self.ground.binary);
        command.args(&self.arguments);
        self.running = Some(Running::start(&self.node.to_string(), command, &self.ground.folder)?);
        Ok(())
    }

    /// Whether it is to be started: there is no process, or it was asked to end.
    pub(crate) fn is_away(&self) -> bool {
        self.running.is_none() || self.ends
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.look()?;
        self.ends = false;
        self.running.take().map_or(Ok(()), |mut running| running.kill())
    }

    /// Asks it to end, once it says that it runs: a program that is not there yet can not end well.
    pub(crate) async fn terminate(&mut self) -> anyhow::Result<()> {
        if let Some(admin) = self.admin {
            let what = format!("{} runs", self.node);
            wait::until(&what, BEGINS_WITHIN, async || Ok(TcpStream::connect(admin).await?)).await?;
        }
        self.look()?;
        self.ends = true;
        self.running.as_mut().context("it does not run")?.ask_to_stop()
    }

    /// Stops it where it stands.
    pub(crate) fn pause(&mut self) -> anyhow::Result<()> {
        self.look()?;
        self.running.as_mut().context("it does not run")?.pause()
    }

    /// Lets it go on.
    pub(crate) fn resume(&mut self) -> anyhow::Result<()> {
        self.running.as_mut().map_or(Ok(()), Running::resume)
    }

    /// Waits for the end of one that was asked to; of any other an end would be a failure.
    pub(crate) async fn end(&mut self) -> anyhow::Result<()> {
        if !std::mem::take(&mut self.ends) {
            ensure!(self.running.is_none(), "{} runs already", self.node);
            return Ok(());
        }
        let Some(mut running) = self.running.take() else { return Ok(()) };
        let status = running.end(ENDS_WITHIN).await?;
        // A worker that can not keep its state because the disk is full says so by its status, and nobody was told of what
        // it could not keep.
        ensure!(
            status.success() || self.node == Node::Worker(crate::fault::SMALL_DISK),
            "{} was asked to stop and ended with {status}",
            self.node
        );
        Ok(())
    }

    /// Looks at it: an error where it has ended and nobody asked it to. Keeps its peak of memory.
    pub(crate) fn look(&mut self) -> anyhow::Result<()> {
        let Some(running) = self.running.as_mut().filter(|_| !self.ends) else { return Ok(()) };
        running.is_running()?;
        let (_, peak) = running.memory()?;
        self.peak = self.peak.max(peak);
        Ok(())
    }

    /// The most memory that it had at a time, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        self.peak
    }

    /// Where its log is.
    pub(crate) fn log(&self) -> PathBuf {
        log(&self.ground.folder, &self.node.to_string())
    }
}

/// Where the log of the process called `name` is.
pub(crate) fn log(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.log"))
}
