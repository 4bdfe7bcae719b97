//! A `shardset` in a process of its own, of this tree unless another binary is named: `local`, or one `worker`.
//!
//! It is killed, never stopped: what is measured must not need a clean end.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use crate::{http, machine};

/// How long a server may take to come up: a minute of looks.
const LOOKS: u32 = 60_000;
const LOOK: Duration = Duration::from_millis(1);

/// The unit of CPU times in /proc on Linux, whatever the kernel's own tick is.
const TICK: Duration = Duration::from_millis(10);

/// A running server; it is killed when dropped.
pub(crate) struct Server {
    child: Child,
    grpc: u16,
    admin: u16,
    scrape: u16,
    data: Arc<TempDir>,
}

/// CPU time since the process began.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct CpuTimes {
    pub(crate) shards: Duration,
    pub(crate) others: Duration,
}

impl Server {
    /// `shardset local` over this directory; takes points when this returns.
    pub(crate) fn local(binary: &Path, data: Arc<TempDir>, workers: u32, flags: &[&str]) -> anyhow::Result<Self> {
        let [grpc, http, admin, scrape] = free_ports()?;
        let mut command = Command::new(binary);
        command.arg("local").args(["--workers", &workers.to_string()]);
        command.args(["--otlp-grpc", &at(grpc), "--otlp-http", &at(http)]).args(flags);
        let server = Self::start(command, [grpc, admin, scrape], data)?;
        server.wait(|server| http::get(&server.admin(), "/readyz").is_ok())?;
        Ok(server)
    }

    /// `shardset worker` of shard 0 over this directory. It listens when this returns, and answers when it has recovered.
    pub(crate) fn worker(binary: &Path, data: Arc<TempDir>, flags: &[&str]) -> anyhow::Result<Self> {
        let [grpc, admin, scrape] = free_ports()?;
        let mut command = Command::new(binary);
        command.args(["worker", "--shard", "0", "--listen", &at(grpc)]).args(flags);
        Self::start(command, [grpc, admin, scrape], data)
    }

    fn start(mut command: Command, ports: [u16; 3], data: Arc<TempDir>) -> anyhow::Result<Self> {
        let [grpc, admin, scrape] = ports;
        command.args(["--admin", &at(admin), "--scrape", &at(scrape), "--log", "error"]);
        command.arg("--data-dir").arg(data.path()).stdout(Stdio::null());
        let child = command.spawn().context("can not start shardset")?;
        let server = Self { child, grpc, admin, scrape, data };
        server.wait(|server| TcpStream::connect(server.grpc()).is_ok())?;
        Ok(server)
    }

    fn wait(&self, is_so: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        for _ in 0..LOOKS {
            if is_so(self) {
                return Ok(());
            }
            sleep(LOOK);
        }
        bail!("shardset does not come up (data directory {})", self.data.path().display())
    }

    pub(crate) fn grpc_url(&self) -> String {
        format!("http://{}", self.grpc())
    }

    pub(crate) fn grpc(&self) -> String {
        at(self.grpc)
    }

    pub(crate) fn admin(&self) -> String {
        at(self.admin)
    }

    pub(crate) fn scrape(&self) -> String {
        at(self.scrape)
    }

    /// What its threads spent so far.
    pub(crate) fn cpu_times(&self) -> anyhow::Result<CpuTimes> {
        let mut times = CpuTimes::default();
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // A thread may have ended since it was listed.
            let Ok(stat) = fs::read_to_string(task?.path().join("stat")) else { continue };
            let (name, spent) = thread_time(&stat).context("a line of /proc that is not understood")?;
            if name.starts_with("shard") { times.shards += spent } else { times.others += spent }
        }
        Ok(times)
    }

    /// What it has resident, in bytes.
    pub(crate) fn resident_bytes(&self) -> anyhow::Result<u64> {
        machine::resident_bytes(&self.child.id().to_string())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing to kill or to wait for.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The server's binary: the one given, or that of this tree, built.
pub(crate) fn binary(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    let built = Command::new("cargo").args(["build", "--release", "--quiet", "--package", "shardset"]).status()?;
    anyhow::ensure!(built.success(), "shardset can not be built");
    Ok(std::env::current_exe()?.with_file_name("shardset"))
}

/// An empty data directory, on the disk of the system's temporary files.
pub(crate) fn empty_directory() -> anyhow::Result<Arc<TempDir>> {
    Ok(Arc::new(tempfile::tempdir()?))
}

fn at(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

/// Ports that were free a moment ago.
fn free_ports<const N: usize>() -> anyhow::Result<[u16; N]> {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0"));
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.as_ref().map_err(|error| anyhow::anyhow!("no free port: {error}"))?.local_addr()?.port();
    }
    Ok(ports)
}

/// Name, and user and system time together, of a line of /proc/PID/task/TID/stat. The name stands in brackets and may hold
/// anything; utime and stime are the 12th and 13th field after it.
fn thread_time(stat: &str) -> Option<(&str, Duration)> {
    let (head, tail) = stat.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    let mut fields = tail.split_whitespace().skip(11);
    let ticks = fields.next()?.parse::<u32>().ok()? + fields.next()?.parse::<u32>().ok()?;
    Some((name, TICK * ticks))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::thread_time;

    #[test]
    fn a_threads_times_are_found_whatever_it_is_called() {
        let stat = "7 (shard (0) x) S 1 7 7 0 -1 64 0 0 0 0 150 50 0 0 20 0 9 0 100 0 0";
        assert_eq!(thread_time(stat), Some(("shard (0) x", Duration::from_secs(2))));
        assert_eq!(thread_time("7 nothing"), None);
    }
}
