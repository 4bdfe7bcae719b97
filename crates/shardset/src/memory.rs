//! How much memory this process may use, for defaults that fit the machine.

use std::fs;

/// Limits of control groups, version 2 and version 1, as a container sees its own.
const CGROUP_LIMITS: [&str; 2] = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];

/// What a machine is assumed to have where it does not say.
const UNKNOWN: u64 = 1 << 30;

/// The smaller of the machine's memory and the limit of the control group, in bytes.
pub(crate) fn limit_bytes() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_of_meminfo(&text));
    let group = CGROUP_LIMITS.iter().find_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok());
    [machine, group].into_iter().flatten().min().unwrap_or(UNKNOWN)
}

fn total_of_meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::{limit_bytes, total_of_meminfo};

    #[test]
    fn the_total_stands_in_kibibytes() {
        let text = "MemFree:  1 kB\nMemTotal:       24689764 kB\n";
        assert_eq!(total_of_meminfo(text), Some(24_689_764 * 1024));
        assert_eq!(total_of_meminfo("nothing"), None);
    }

    #[test]
    fn every_machine_has_some_memory() {
        assert!(limit_bytes() > 0);
    }
}
