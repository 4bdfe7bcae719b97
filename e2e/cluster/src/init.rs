//! Process 1 of the namespaces: prepares the mounts, starts what is inside, and buries orphans.
//!
//! It does nothing else, because whoever waits for any child at all (a container's shim is anybody's orphan) can not leave
//! the waiting for certain children to others. When it ends, so does everything inside; and it ends with its keeper.

use std::process::ExitCode;

use anyhow::Context;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, set_parent_process_death_signal, wait};

use crate::arguments::{Within, this_through};
use crate::ground::mounts;
use crate::parts::node;

/// Is process 1 until what is inside has ended.
pub(crate) fn init(within: &Within) -> anyhow::Result<ExitCode> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    mounts::prepare(&within.folder)?;
    rustix::system::sethostname(node::NAME.as_bytes()).context("set the host's name")?;
    let inside = Pid::from_child(&this_through(&[], "inside", &[])?.spawn().context("start what is inside")?);
    loop {
        let ended = wait(WaitOptions::empty()).context("wait for an end")?;
        if let Some((pid, status)) = ended
            && pid == inside
        {
            return Ok(code(status));
        }
    }
}

fn code(status: WaitStatus) -> ExitCode {
    let code = status.exit_status().or_else(|| Some(128 + status.terminating_signal()?));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
}
