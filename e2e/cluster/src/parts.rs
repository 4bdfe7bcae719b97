//! The parts that run for the cluster's whole life: started, watched, and started again when a test has killed one.

pub(crate) mod archive;
pub(crate) mod containers;
pub(crate) mod control;
pub(crate) mod names;
pub(crate) mod node;

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::command::in_cluster;
use crate::place::Place;

/// For how long anything that is waited for may take to come up.
const BOUND: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(100);
/// What ends sooner than this after its start may be broken,
const SOON: Duration = Duration::from_secs(5);
/// and is taken to be when it does that so often in a row.
const ENDS_MAX: u32 = 10;
/// How much of a log is shown when something went wrong.
const TAIL: usize = 6_000;

/// The parts that were started, in that order.
pub(crate) struct Parts {
    parts: Vec<Part>,
    /// The file that says the ids.
    ids: PathBuf,
    logs: PathBuf,
    tools: Vec<PathBuf>,
}

struct Part {
    name: &'static str,
    command: Command,
    child: Child,
    since: Instant,
    /// How often it ended soon, in a row.
    ends: u32,
}

impl Parts {
    /// None yet.
    pub(crate) fn new(place: &Place) -> Self {
        let (logs, tools) = (place.logs.clone(), place.tools.clone());
        Self { parts: Vec::new(), ids: place.at("pids.json"), logs, tools }
    }

    /// Starts a part, its output in the log of its name.
    pub(crate) fn start(&mut self, name: &'static str, mut command: Command) -> anyhow::Result<()> {
        let log = self.log(name);
        let log = File::options().create(true).append(true).open(&log).with_context(|| format!("open {log:?}"))?;
        in_cluster(&mut command, &self.tools)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        let child = command.spawn().with_context(|| format!("start {name}"))?;
        self.parts.push(Part { name, command, child, since: Instant::now(), ends: 0 });
        self.write_ids()
    }

    /// Asks until the answer is there. Gives up after a bound, or when any part ends, with the log of the part that matters.
    pub(crate) async fn wait<T>(
        &mut self,
        name: &str,
        what: &str,
        mut ask: impl AsyncFnMut() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let deadline = Instant::now() + BOUND;
        loop {
            let reason = match ask().await {
                Ok(answer) => return Ok(answer),
                Err(reason) => reason,
            };
            if let Some((name, status)) = self.ended()? {
                bail!("{name} ended: {status}\n{}", self.tail(name));
            }
            if Instant::now() >= deadline {
                bail!("{what}: not within {BOUND:?}: {reason:#}\n{}", self.tail(name));
            }
            sleep(PAUSE).await;
        }
    }

    /// Starts again what ends, for ever; returns when that does no good.
    pub(crate) async fn tend(mut self) -> anyhow::Error {
        loop {
            match self.start_again() {
                Ok(()) => sleep(PAUSE).await,
                Err(error) => return error,
            }
        }
    }

    fn start_again(&mut self) -> anyhow::Result<()> {
        while let Some((name, status)) = self.ended()? {
            let tail = self.tail(name);
            let part = self.parts.iter_mut().find(|part| part.name == name).context("it is one of the parts")?;
            part.ends = if part.since.elapsed() < SOON { part.ends + 1 } else { 0 };
            if part.ends > ENDS_MAX {
                bail!("{name} ends again and again: {status}\n{tail}");
            }
            part.since = Instant::now();
            part.child = part.command.spawn().with_context(|| format!("start {name} again"))?;
            self.write_ids()?;
        }
        Ok(())
    }

    /// The first part that has ended, if there is one.
    fn ended(&mut self) -> anyhow::Result<Option<(&'static str, ExitStatus)>> {
        for part in &mut self.parts {
            if let Some(status) = part.child.try_wait()? {
                return Ok(Some((part.name, status)));
            }
        }
        Ok(None)
    }

    /// Whole or not at all: a test may read it at any time.
    fn write_ids(&self) -> anyhow::Result<()> {
        let of = |part: &Part| (part.name.to_owned(), json!(part.child.id()));
        let ids: Value = self.parts.iter().map(of).collect::<serde_json::Map<_, _>>().into();
        let new = self.ids.with_extension("new");
        fs::write(&new, ids.to_string())?;
        fs::rename(&new, &self.ids).context("say the ids")
    }

    fn log(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }

    fn tail(&self, name: &str) -> String {
        tail(name, &self.log(name))
    }
}

fn tail(name: &str, log: &Path) -> String {
    let log = fs::read(log).unwrap_or_default();
    let end = &log[log.len().saturating_sub(TAIL)..];
    format!("--- end of the log of {name} ---\n{}", String::from_utf8_lossy(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(folder: &Path) -> Parts {
        let (folder, logs) = (folder.to_owned(), folder.to_owned());
        Parts::new(&Place { folder, logs, tools: Vec::new() })
    }

    #[tokio::test]
    async fn a_part_that_ends_while_something_is_waited_for_is_named_with_its_log() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut parts = parts(folder.path());
        let mut command = Command::new("sh");
        command.args(["-c", "echo no port; exit 3"]);
        parts.start("api", command).expect("it starts");
        let outcome = parts.wait("api", "a port", async || anyhow::bail!("refused") as anyhow::Result<()>).await;
        let error = format!("{:#}", outcome.expect_err("it ended"));
        assert!(error.contains("api ended") && error.contains("no port"), "{error}");
    }

    #[tokio::test]
    async fn a_part_that_was_killed_gets_a_new_id() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut parts = parts(folder.path());
        let mut command = Command::new("sleep");
        command.arg("60");
        parts.start("etcd", command).expect("it starts");
        let ids = |parts: &Parts| fs::read_to_string(&parts.ids).expect("there are ids");
        let before = ids(&parts);
        parts.parts[0].child.kill().expect("it is killed");
        parts.parts[0].child.wait().expect("it is dead");
        parts.start_again().expect("it is started again");
        assert_ne!(ids(&parts), before);
        parts.parts[0].child.kill().expect("it is killed");
    }
}
