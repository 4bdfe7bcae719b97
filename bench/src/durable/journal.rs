//! The journal's part in a point: bytes on the disk, and time of the shard's thread.

use std::cell::RefCell;
use std::time::Duration;

use shardset_journal::{Disk, Durability, Journal};
use shardset_load::{PayloadShape, StandardPayload, standard_payload};
use shardset_model::{Point, UnixNanos};

use super::shard::{self, Shard};
use crate::measure::{Case, Effort, side_by_side};
use crate::million::{POINTS, Worker, number_points};
use crate::server::empty_directory;
use crate::table::Table;

/// Requests of new streams, and how often they come again.
const REQUESTS: u64 = 50;
const AGAIN: u32 = 5;
const MINUTE: Duration = Duration::from_secs(60);
const BEGIN: UnixNanos = UnixNanos(1_800_000_000_000_000_000);
/// How long a point takes to the worker.
const ON_ITS_WAY: Duration = Duration::from_millis(250);

/// Requests of a full group: each commit of a worker that is busy has so many.
const GROUP: usize = 11;
/// Streams of a piece of a checkpoint.
const PIECE: u32 = 400;

/// Bytes on the disk.
pub(super) fn bytes() -> anyhow::Result<Table> {
    let mut table = Table::new(&[
        "journal, bytes",
        "a point of a new stream",
        "a point of a known stream",
        "a stream in a checkpoint",
    ]);
    let shapes = [("sums of 8 attributes", PayloadShape::Big), ("histograms of 16 bounds", PayloadShape::Hist)];
    for (name, shape) in shapes {
        let data = empty_directory()?;
        let mut shard = Shard::new(data.path(), Durability::Fsync)?;
        let mut payloads: Vec<_> = (0..REQUESTS).map(|seed| StandardPayload::new(shape, POINTS, seed)).collect();
        let new = written(&mut shard, |shard| minute(shard, &mut payloads, 0))?;
        let known =
            written(&mut shard, |shard| (1..=AGAIN).try_for_each(|number| minute(shard, &mut payloads, number)))?;
        let kept = written(&mut shard, Shard::checkpoint)?;
        let points = REQUESTS as f64 * f64::from(POINTS);
        let figures = [new / points, known / points / f64::from(AGAIN), kept / points];
        table.row([name.to_owned()].into_iter().chain(figures.map(|figure| format!("{figure:.0}"))));
    }
    Ok(table)
}

fn written(shard: &mut Shard, work: impl FnOnce(&mut Shard) -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let before = shard.journal().statistics().bytes;
    work(shard)?;
    Ok((shard.journal().statistics().bytes - before) as f64)
}

fn minute(shard: &mut Shard, payloads: &mut [StandardPayload], number: u32) -> anyhow::Result<()> {
    let time = BEGIN.plus(MINUTE * number);
    for payload in payloads {
        payload.stamp(time.minus(MINUTE).0, time.0);
        shard.count(payload, time.plus(ON_ITS_WAY))?;
    }
    Ok(())
}

/// ns a point.
pub(super) fn cost(effort: Effort) -> anyhow::Result<Table> {
    let payload = standard_payload(POINTS, 1);
    let points = number_points(&payload)?;
    let worker = RefCell::new(Worker::filled(&payload)?);
    worker.borrow_mut().age(&points);
    let data = [empty_directory()?, empty_directory()?, empty_directory()?, empty_directory()?];
    let journal = |number: usize, durability| shard::journal(data[number].path(), durability);
    let synced_later = Durability::Interval(Duration::from_millis(100));
    let cases = vec![
        counting("nothing is kept", &worker, &points, None),
        counting("changes are written and thrown away", &worker, &points, Some(Kept::thrown_away())),
        counting(
            "synced, a commit for 11 requests",
            &worker,
            &points,
            Some(Kept::by(journal(0, Durability::Fsync)?, GROUP)),
        ),
        counting(
            "synced, a commit for each request",
            &worker,
            &points,
            Some(Kept::by(journal(1, Durability::Fsync)?, 1)),
        ),
        counting("synced every 100 ms", &worker, &points, Some(Kept::by(journal(2, synced_later)?, 1))),
        keeping("a checkpoint, a stream of it", &worker, journal(3, Durability::Fsync)?),
    ];
    let mut table = Table::new(&["1 M streams, ns a point", "CPU, median", "best", "waiting included, median"]);
    for figure in side_by_side(cases, effort) {
        let figures = [figure.median, figure.best, figure.elapsed].map(|figure| format!("{figure:.0}"));
        table.row([figure.name].into_iter().chain(figures));
    }
    Ok(table)
}

/// Where changes go.
struct Kept {
    journal: Option<Journal<Disk>>,
    changes: Vec<u8>,
    /// Requests for a commit.
    group: usize,
    waiting: usize,
    begun: tokio::time::Instant,
}

impl Kept {
    fn thrown_away() -> Self {
        Self { journal: None, changes: Vec::new(), group: 1, waiting: 0, begun: tokio::time::Instant::now() }
    }

    fn by(journal: Journal<Disk>, group: usize) -> Self {
        Self { journal: Some(journal), group, ..Self::thrown_away() }
    }

    fn request(&mut self, work: impl FnOnce(&mut Vec<u8>)) {
        work(&mut self.changes);
        self.waiting += 1;
        if self.waiting < self.group {
            return;
        }
        if let Some(journal) = &mut self.journal {
            journal.commit(&self.changes, self.begun.elapsed()).expect("the disk has room");
        }
        self.changes.clear();
        self.waiting = 0;
    }
}

fn counting<'a>(
    name: &str,
    worker: &'a RefCell<Worker>,
    points: &'a [Point<'static>],
    mut kept: Option<Kept>,
) -> Case<'a> {
    Case::new(name, u64::from(POINTS) * GROUP as u64, move || {
        let mut worker = worker.borrow_mut();
        for _ in 0..GROUP {
            match &mut kept {
                Some(kept) => kept.request(|changes| worker.pass_into(points, Some(changes))),
                None => worker.pass(points),
            }
        }
    })
}

fn keeping<'a>(name: &str, worker: &'a RefCell<Worker>, journal: Journal<Disk>) -> Case<'a> {
    let (mut kept, mut next) = (Kept::by(journal, 1), 0);
    Case::new(name, u64::from(PIECE), move || {
        let streams = &worker.borrow().streams;
        kept.request(|changes| {
            let written = (next..next + PIECE).filter(|slot| streams.write_kept(*slot, changes));
            assert_eq!(written.count(), PIECE as usize, "no slot is vacant");
        });
        next = (next + PIECE) % (streams.slots() - PIECE);
    })
}
