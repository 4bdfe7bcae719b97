//! A `shardset local` of its own for each case, with an empty data directory, of this tree unless another is named.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, bail};

/// How long a server may take to listen: 100 looks of 100 ms.
const LOOKS: u32 = 100;
const LOOK: Duration = Duration::from_millis(100);

/// The unit of CPU times in /proc on Linux, whatever the kernel's own tick is.
const TICK: Duration = Duration::from_millis(10);

/// A running server; it is killed when dropped.
pub(super) struct Server {
    child: Child,
    grpc: u16,
    data: tempfile::TempDir,
}

/// CPU time since the process began.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) struct CpuTimes {
    pub(super) shards: Duration,
    pub(super) others: Duration,
}

impl Server {
    pub(super) fn start(binary: &Path, workers: u32) -> anyhow::Result<Self> {
        let [grpc, http, admin, scrape] = free_ports()?;
        let data = tempfile::tempdir()?;
        let mut command = Command::new(binary);
        command.arg("local").args(["--workers", &workers.to_string(), "--log", "error"]);
        for (flag, port) in [("--otlp-grpc", grpc), ("--otlp-http", http), ("--admin", admin), ("--scrape", scrape)] {
            command.args([flag, &format!("127.0.0.1:{port}")]);
        }
        command.arg("--data-dir").arg(data.path()).stdout(Stdio::null());
        let child = command.spawn().context("can not start shardset local")?;
        let server = Self { child, grpc, data };
        for _ in 0..LOOKS {
            if TcpStream::connect(("127.0.0.1", grpc)).is_ok() {
                return Ok(server);
            }
            sleep(LOOK);
        }
        bail!("shardset local does not listen (data directory {})", server.data.path().display())
    }

    pub(super) fn grpc_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.grpc)
    }

    /// What its threads spent so far.
    pub(super) fn cpu_times(&self) -> anyhow::Result<CpuTimes> {
        let mut times = CpuTimes::default();
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // A thread may have ended since it was listed.
            let Ok(stat) = fs::read_to_string(task?.path().join("stat")) else { continue };
            let (name, spent) = thread_time(&stat).context("a line of /proc that is not understood")?;
            if name.starts_with("shard") { times.shards += spent } else { times.others += spent }
        }
        Ok(times)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing to kill or to wait for.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The server of this tree.
pub(super) fn build() -> anyhow::Result<PathBuf> {
    let built = Command::new("cargo").args(["build", "--release", "--quiet", "--package", "shardset"]).status()?;
    anyhow::ensure!(built.success(), "shardset can not be built");
    Ok(std::env::current_exe()?.with_file_name("shardset"))
}

/// Ports that were free a moment ago.
fn free_ports() -> anyhow::Result<[u16; 4]> {
    let listeners = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0"));
    let mut ports = [0; 4];
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
