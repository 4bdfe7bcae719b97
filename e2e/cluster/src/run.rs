//! What the user started: makes the cluster's folder, starts its keeper, and waits for it.
//!
//! The keeper is in a process group of its own, so that Ctrl-C, or the killing of the whole group, meets this process only and
//! the keeper lives to tidy up. So the command has no terminal to read from.

use std::env;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

use crate::arguments::{Cluster, this_through};
use crate::ending::Ending;
use crate::keep::{self, leftovers};
use crate::programs;

/// The children of what is started by this have a new process namespace.
const UNSHARE: [&str; 3] = ["unshare", "--pid", "--"];
/// How often an end is looked for.
const PAUSE: Duration = Duration::from_millis(20);

/// Runs a command in a new cluster.
pub(crate) async fn run(cluster: &Cluster) -> anyhow::Result<ExitCode> {
    ensure!(rustix::process::geteuid().is_root(), "a cluster needs root: for namespaces, mounts and cgroups");
    programs::check(&cluster.tools)?;
    let mut ending = Ending::listen()?;
    let among = env::temp_dir();
    leftovers::sweep(&among).await?;
    let (folder, _lock) = leftovers::make_folder(&among)?;
    let mut command = this_through(&UNSHARE, "keep", &["--folder".into(), folder.clone().into()])?;
    command.process_group(0).stdin(Stdio::null());
    let status = wait(command, &mut ending).await;
    // The keeper has done it already, unless somebody killed it.
    keep::tidy(&folder).await?;
    Ok(code(status?))
}

/// Waits for the keeper; whoever asks this process to end asks that one.
async fn wait(mut keeper: Command, ending: &mut Ending) -> anyhow::Result<ExitStatus> {
    let mut keeper = keeper.spawn().context("start unshare")?;
    loop {
        tokio::select! {
            () = ending.asked() => kill_process(Pid::from_child(&keeper), Signal::TERM)?,
            () = sleep(PAUSE) => {}
        }
        if let Some(status) = keeper.try_wait()? {
            return Ok(status);
        }
    }
}

/// The exit code that passes a status on: what ended by a signal is told as shells tell it.
pub(crate) fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}
