//! Programs that are run to their end.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::time::sleep;

use crate::place::Place;

const PAUSE: Duration = Duration::from_millis(20);

/// Runs a program that must succeed; returns what it wrote.
pub(crate) fn succeed(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let shown = format!("{command:?}");
    let output = command.output().with_context(|| format!("start {shown}"))?;
    ensure!(output.status.success(), "{shown}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    Ok(output.stdout)
}

/// Makes a command one of the cluster: it finds the cluster's programs first, and uses no proxy, since there is no outside.
pub(crate) fn in_cluster<'a>(command: &'a mut Command, tools: &[PathBuf]) -> anyhow::Result<&'a mut Command> {
    for variable in ["http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(variable).env_remove(variable.to_uppercase());
    }
    Ok(command.env("PATH", path(tools)?))
}

/// Runs the user's command to its end.
pub(crate) async fn users(words: &[OsString], place: &Place) -> anyhow::Result<ExitStatus> {
    let (program, arguments) = words.split_first().context("no command")?;
    let mut command = Command::new(program);
    in_cluster(&mut command, &place.tools)?;
    command.args(arguments).env("KUBECONFIG", place.admin()).env("SHARDSET_CLUSTER_DIR", &place.folder);
    let mut child = command.spawn().with_context(|| format!("start {}", program.display()))?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        sleep(PAUSE).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "the search path is the system's to say and ours to pass on")]
fn path(tools: &[PathBuf]) -> anyhow::Result<OsString> {
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from);
    let all = tools.iter().cloned().chain(std::env::split_paths(&inherited)).chain(system);
    std::env::join_paths(all).context("make the search path")
}
