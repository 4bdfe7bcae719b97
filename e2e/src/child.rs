//! A program that a test started, and that ends with it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::wait;

/// How much of a log is shown when something went wrong.
const TAIL: usize = 6_000;

/// A running program; killed when dropped.
pub struct Running {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts a program, its output in the file `name`.log under `folder` (which grows over restarts).
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn start(name: &str, mut command: Command, folder: &Path) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log).context("open its log")?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("start {command:?}"))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// An error where it has ended.
    ///
    /// # Errors
    ///
    /// With its exit status and the end of its log.
    pub fn is_running(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended: {status}\n{}", self.name, self.log_tail()),
        }
    }

    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// When it runs longer than `bound`.
    pub async fn end(&mut self, bound: Duration) -> anyhow::Result<ExitStatus> {
        let what = format!("end of {}", self.name);
        wait::until(&what, bound, async || self.child.try_wait()?.context("still running")).await
    }

    /// Waits for its end, which must be one of success; returns what it wrote.
    ///
    /// # Errors
    ///
    /// When it runs longer than `bound`, or fails: with the end of its log.
    pub async fn succeed(mut self, bound: Duration) -> anyhow::Result<String> {
        let status = self.end(bound).await.with_context(|| self.log_tail())?;
        ensure!(status.success(), "{} ended: {status}\n{}", self.name, self.log_tail());
        Ok(self.log())
    }

    /// Asks it to stop (SIGTERM) and waits for its end.
    ///
    /// # Errors
    ///
    /// When it runs longer than `bound`.
    pub async fn terminate(&mut self, bound: Duration) -> anyhow::Result<ExitStatus> {
        self.ask_to_stop()?;
        self.end(bound).await.with_context(|| self.log_tail())
    }

    /// Asks it to stop (SIGTERM), and does not wait.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn ask_to_stop(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)
    }

    /// Stops it where it stands (SIGSTOP).
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn pause(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn resume(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)
    }

    /// Ends it at once (SIGKILL).
    ///
    /// # Errors
    ///
    /// When it can not be waited for.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Its resident memory now and at its peak, in bytes.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn memory(&self) -> anyhow::Result<(u64, u64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no such field")?;
            let kib: u64 = line.trim().trim_end_matches(" kB").parse().context("a number of kB")?;
            anyhow::Ok(kib * 1024)
        };
        Ok((field("VmRSS:")?, field("VmHWM:")?))
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let from = log.len().saturating_sub(TAIL);
        let from = (from..log.len()).find(|at| log.is_char_boundary(*at)).unwrap_or(log.len());
        format!("--- end of the log of {} ---\n{}", self.name, &log[from..])
    }

    fn signal(&mut self, signal: Signal) -> anyhow::Result<()> {
        // Once its end was noticed, its id may be another program's.
        self.is_running()?;
        kill_process(Pid::from_child(&self.child), signal).with_context(|| format!("send {signal:?} to {}", self.name))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ended = self.kill();
    }
}
