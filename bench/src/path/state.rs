//! The worker's own work at a million streams: a point's stream looked up and the delta added, alone and with the walk and
//! the identity before it; and what such streams take of memory.

use std::cell::RefCell;
use std::hint::black_box;

use shardset_export::{Labels, Translation};
use shardset_load::standard_payload;
use shardset_model::Point;
use shardset_otlp::read::{Scratch, read};

use crate::machine::resident_bytes;
use crate::measure::{Case, Effort, side_by_side};
use crate::million::{POINTS, STREAMS, Worker, at, number_points};
use crate::table::{Table, against};

/// Issue 2: a lookup and an addition at most this, in nanoseconds.
const BUDGET: f64 = 120.0;
/// system.md: a live sum stream with 8 attributes at most this, all in, in bytes.
const BUDGET_BYTES: f64 = 600.0;

/// ns a point.
pub(super) fn measure(effort: Effort) -> anyhow::Result<Table> {
    let payload = standard_payload(POINTS, 1);
    let points = number_points(&payload)?;
    let worker = RefCell::new(Worker::filled(&payload)?);
    worker.borrow_mut().age(&points);
    check(&worker, &points)?;
    let (mut reading, mut counting) = (Scratch::new(), Scratch::new());
    let mut few = Worker::few(&payload)?;
    few.age(&points);
    let cases = vec![
        Case::new("lookup and add, 1,000 streams only, all in the cache", u64::from(POINTS), || few.pass(&points)),
        Case::new("walk and identity", u64::from(POINTS), || {
            black_box(
                read(payload.bytes(), &mut reading, |found| {
                    black_box(found.point.stream);
                })
                .is_ok(),
            );
        }),
        Case::new("lookup and add", u64::from(POINTS), || worker.borrow_mut().pass(&points)),
        Case::new("walk, identity, lookup and add", u64::from(POINTS), || {
            let mut worker = worker.borrow_mut();
            let (variation, time) = worker.turn();
            black_box(
                read(payload.bytes(), &mut counting, |found| {
                    worker.gather(&at(found.point, variation, time));
                })
                .is_ok(),
            );
            worker.count_group();
        }),
    ];
    let budgets = [None, None, Some(BUDGET), None];
    let mut table = Table::new(&["1 M streams, ns a point", "median", "best", "M points/s a core", "budget"]);
    for (figure, budget) in side_by_side(cases, effort).into_iter().zip(budgets) {
        let numbers =
            [format!("{:.0}", figure.median), format!("{:.0}", figure.best), format!("{:.1}", 1e3 / figure.median)];
        table.row([figure.name].into_iter().chain(numbers).chain([against(budget, figure.median)]));
    }
    Ok(table)
}

/// What is timed must be what it says: every point of a pass counts.
fn check(worker: &RefCell<Worker>, points: &[Point<'static>]) -> anyhow::Result<()> {
    let mut worker = worker.borrow_mut();
    let (variation, time) = worker.turn();
    let counted = points.iter().filter(|point| worker.count(&at(**point, variation, time))).count();
    anyhow::ensure!(counted == points.len(), "only {counted} points count");
    Ok(())
}

/// Bytes a stream, by what the process has resident before and after.
pub(super) fn memory() -> anyhow::Result<Table> {
    let payload = standard_payload(POINTS, 1);
    let points = number_points(&payload)?;
    let before = resident_bytes("self")? as f64;
    let mut worker = Worker::filled(&payload)?;
    let filled = resident_bytes("self")? as f64;
    worker.age(&points);
    let counted = resident_bytes("self")? as f64;
    let translation = Translation::default();
    let all = (0..worker.streams.slots()).filter_map(|slot| worker.streams.get(slot));
    let labels: Vec<Labels> = all.map(|stream| Labels::of(stream.identity(), &translation)).collect();
    let labelled = resident_bytes("self")? as f64;
    anyhow::ensure!(labels.len() as f64 == STREAMS, "a stream has no labels");

    let mut table = Table::new(&["bytes a stream, 1 M sums of 8 attributes", "resident", "budget"]);
    let mut row = |name: &str, bytes: f64, budget| {
        table.row([name.to_owned(), format!("{:.0}", bytes / STREAMS), against(budget, bytes / STREAMS)]);
    };
    row("state and identity, after one point each", filled - before, None);
    row("more after seven points each, a minute apart", counted - filled, None);
    row("labels, encoded for export", labelled - counted, None);
    row("together", labelled - before, Some(BUDGET_BYTES));
    let own = worker.streams.memory_use();
    row("as the accumulator itself counts, without labels", own.total() as f64, None);
    Ok(table)
}
