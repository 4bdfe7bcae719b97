//! The keeper: starts process 1 of the namespaces, and when that has ended, or shall end, leaves nothing behind.
//!
//! It stands outside of the namespaces, but for the processes that it starts: the first of them is process 1 there, and with
//! that one the kernel ends all others. It is told when `run` dies, even of SIGKILL.

pub(crate) mod leftovers;

use std::fs;
use std::path::Path;
use std::process::{Child, ExitCode, ExitStatus};
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Signal, set_parent_process_death_signal};
use tokio::time::sleep;

use crate::arguments::{Within, this_through};
use crate::ending::Ending;
use crate::ground::cgroups;
use crate::run::code;

/// What is started by this has all other namespaces new as well.
const UNSHARE: [&str; 7] = ["unshare", "--net", "--mount", "--uts", "--ipc", "--mount-proc", "--"];
/// How often an end is looked for.
const PAUSE: Duration = Duration::from_millis(20);

/// Keeps a cluster, and returns how its command ended.
pub(crate) async fn keep(within: &Within) -> anyhow::Result<ExitCode> {
    let _lock = leftovers::hold(&within.folder)?;
    let mut ending = Ending::listen()?;
    set_parent_process_death_signal(Some(Signal::TERM))?;
    let status = live(&within.folder, &mut ending).await;
    tidy(&within.folder).await?;
    Ok(code(status?))
}

/// Removes what a cluster without processes has left: its cgroups and its folder.
pub(crate) async fn tidy(folder: &Path) -> anyhow::Result<()> {
    cgroups::remove(&cgroups::name(folder)?).await?;
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

async fn live(folder: &Path, ending: &mut Ending) -> anyhow::Result<ExitStatus> {
    cgroups::make(&cgroups::name(folder)?)?;
    let mut init = this_through(&UNSHARE, "init", &[])?.spawn().context("start unshare")?;
    let status = wait(&mut init, ending).await;
    // The wait for process 1 ends when all of its namespace are dead. Where it has ended already, this does nothing.
    init.kill()?;
    init.wait()?;
    status
}

async fn wait(init: &mut Child, ending: &mut Ending) -> anyhow::Result<ExitStatus> {
    loop {
        if let Some(status) = init.try_wait()? {
            return Ok(status);
        }
        tokio::select! {
            () = ending.asked() => init.kill()?,
            () = sleep(PAUSE) => {}
        }
    }
}
