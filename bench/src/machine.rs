//! What was measured on, read from /proc: a figure without its machine means nothing.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;

use crate::table::Table;

/// The facts.
pub(crate) fn table() -> Table {
    let mut table = Table::new(&["machine", ""]);
    facts().into_iter().for_each(|fact| table.row(fact));
    table
}

fn facts() -> Vec<[String; 2]> {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kib: u64 = field(&memory, "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    [
        ("processor", format!("{}, {cores} cores", field(&cpu, "model name"))),
        ("memory", format!("{:.1} GiB", kib as f64 / f64::from(1 << 20))),
        ("kernel", kernel.trim().to_owned()),
        ("load average at the start", load_average()),
        ("compiler", said("rustc", &["--version"])),
        ("commit", said("git", &["rev-parse", "--short", "HEAD"])),
        ("allocator", "mimalloc".to_owned()),
    ]
    .map(|(name, value)| [name.to_owned(), value])
    .to_vec()
}

/// Bytes of memory that a process has resident: `self`, or an id.
pub(crate) fn resident_bytes(process: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    Ok(field(&status, "VmRSS").trim_end_matches(" kB").parse::<u64>()? * 1024)
}

/// Where the time of all cores together went since the machine started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cores {
    /// Not idle, and not waiting for a disk.
    pub(crate) busy: Duration,
    /// Of that: what other machines on the same host took.
    pub(crate) stolen: Duration,
}

impl Cores {
    pub(crate) fn read() -> anyhow::Result<Self> {
        Self::of(&fs::read_to_string("/proc/stat")?).context("a /proc/stat that is not understood")
    }

    /// In units of 10 ms: user, nice, system, idle, waiting for a disk, interrupts, soft ones, stolen.
    fn of(stat: &str) -> Option<Self> {
        let all = stat.lines().next()?.strip_prefix("cpu ")?;
        let units: Vec<u64> = all.split_whitespace().take(8).map(|unit| unit.parse().ok()).collect::<Option<_>>()?;
        let [user, nice, system, _, _, interrupts, soft, stolen] = units.try_into().ok()?;
        let [busy, stolen] = [user + nice + system + interrupts + soft + stolen, stolen];
        Some(Self { busy: Duration::from_millis(busy * 10), stolen: Duration::from_millis(stolen * 10) })
    }
}

fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// The value of `name : value`.
fn field(text: &str, name: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.trim_start_matches([' ', '\t', ':']).trim().to_owned()
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(|_| "unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Cores, field, resident_bytes};

    #[test]
    fn busy_is_all_but_idle_and_waiting() {
        let stat = "cpu  100 1 20 5000 700 3 4 5 0 0\ncpu0 50 0 10 2500 350 1 2 3 0 0\n";
        let cores = Cores { busy: Duration::from_millis(1_330), stolen: Duration::from_millis(50) };
        assert_eq!(Cores::of(stat), Some(cores));
        assert_eq!(Cores::of("intr 1"), None);
    }

    #[test]
    fn fields_are_read_whatever_stands_around_the_colon() {
        assert_eq!(field("a b\t: c d\nMemTotal:  12 kB\n", "a b"), "c d");
        assert_eq!(field("a b\t: c d\nMemTotal:  12 kB\n", "MemTotal"), "12 kB");
        assert_eq!(field("", "x"), "");
    }

    #[test]
    fn a_process_is_resident() {
        assert!(resident_bytes("self").expect("there is a /proc") > 1 << 16);
    }
}
