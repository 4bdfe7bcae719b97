//! What the disk itself takes to make an append durable, without anything of ours: whatever is acknowledged waits for that.

use std::fs::File;
use std::io::Write as _;
use std::thread::sleep;
use std::time::Duration;

use tokio::time::Instant;

use crate::measure::percentile;
use crate::table::Table;

/// Appends of each size.
const APPENDS: usize = 400;

/// A small group of points; and what a group has at about 5,000 points.
const SIZES: [usize; 2] = [4 << 10, 200 << 10];

pub(super) fn measure() -> anyhow::Result<Table> {
    let mut file = tempfile::tempfile()?;
    let mut took = SIZES.map(|_| Vec::new());
    for _ in 0..APPENDS {
        for (size, took) in SIZES.into_iter().zip(&mut took) {
            took.push(append(&mut file, size)?);
        }
    }
    let mut table = Table::new(&["append and fdatasync, ms", "median", "p99", "longest"]);
    for (size, took) in SIZES.into_iter().zip(took) {
        let figures = [50.0, 99.0, 100.0].map(|percent| format!("{:.2}", percentile(&took, percent) * 1e3));
        table.row([format!("{} KiB", size >> 10)].into_iter().chain(figures));
    }
    Ok(table)
}

/// What no worker on this disk can be faster than. So many requests a second arrive, each of so many `bytes`; all that have arrived are
/// made durable together, then all that have arrived meanwhile. From arrived to durable.
pub(super) fn alone(bytes: usize, per_second: f64, length: Duration) -> anyhow::Result<Vec<Duration>> {
    let mut file = tempfile::tempfile()?;
    let (begun, requests) = (Instant::now(), (per_second * length.as_secs_f64()) as usize);
    let arrives = |request: usize| begun + Duration::from_secs_f64(request as f64 / per_second);
    let mut took = Vec::with_capacity(requests);
    while took.len() < requests {
        sleep(arrives(took.len()).saturating_duration_since(Instant::now()));
        let arrived = (begun.elapsed().as_secs_f64() * per_second) as usize + 1;
        let group = took.len()..arrived.min(requests);
        append(&mut file, bytes * group.len())?;
        let durable = Instant::now();
        took.extend(group.map(|request| durable - arrives(request)));
    }
    Ok(took)
}

fn append(file: &mut File, size: usize) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    file.write_all(&vec![7; size])?;
    file.sync_data()?;
    Ok(begun.elapsed())
}
