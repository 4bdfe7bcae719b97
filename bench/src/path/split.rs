//! The gateway's own work: a request's bytes walked, each point's stream named, its shard found, and the shard's part framed.
//!
//! *Hot*: two requests in turns, which stay in the core's cache as they do after the kernel copied them in. *Cold*: requests
//! of 20 MB together, so that each comes from memory.

use std::hint::black_box;

use anyhow::Context as _;
use shardset_load::{PayloadShape, StandardPayload};
use shardset_model::{RoutingKey, ShardCount};
use shardset_otlp::read::{Scratch, check};
use shardset_otlp::split::Splitter;

use crate::measure::{Case, Effort, side_by_side};
use crate::table::{Table, against};

/// Issue 2: at most this, hot, 8 shards, shape big.
const BUDGET: f64 = 200.0;

/// Bytes of the requests that are cold together: ten times a core's second-level cache.
const COLD: usize = 20 << 20;

pub(super) fn measure(effort: Effort) -> anyhow::Result<Table> {
    let mut cases = Vec::new();
    let mut budgets = Vec::new();
    for (shape, points) in PayloadShape::STANDARD {
        let name = shape.name();
        for (heat, requests) in [("hot", hot(shape, points)), ("cold", cold(shape, points))] {
            if heat == "hot" {
                cases.push(only_walked(format!("{name}, walked and checked only, hot"), requests.clone()));
                budgets.push(None);
            }
            for shards in [8, 64] {
                let is_standard = (shape, heat, shards) == (PayloadShape::Big, "hot", 8);
                budgets.push(is_standard.then_some(BUDGET));
                cases.push(split(format!("{name}, {shards} shards, {heat}"), requests.clone(), shards)?);
            }
        }
    }
    let mut table = Table::new(&["split, ns a point", "median", "best", "M points/s a core", "budget"]);
    for (figure, budget) in side_by_side(cases, effort).into_iter().zip(budgets) {
        let rate = 1000.0 / figure.median;
        let numbers = [format!("{:.0}", figure.median), format!("{:.0}", figure.best), format!("{rate:.1}")];
        table.row([figure.name].into_iter().chain(numbers).chain([against(budget, figure.median)]));
    }
    Ok(table)
}

fn hot(shape: PayloadShape, points: u32) -> Vec<StandardPayload> {
    // Requests of ten points are so small that the branch predictor would learn two of them by heart.
    let count = if shape == PayloadShape::Tiny { 128 } else { 2 };
    (0..count).map(|seed| StandardPayload::new(shape, points, seed)).collect()
}

fn cold(shape: PayloadShape, points: u32) -> Vec<StandardPayload> {
    let mut requests = Vec::new();
    let mut bytes = 0;
    while bytes < COLD {
        let request = StandardPayload::new(shape, points, requests.len() as u64);
        bytes += request.bytes().len();
        requests.push(request);
    }
    requests
}

fn split<'a>(name: String, requests: Vec<StandardPayload>, shards: u32) -> anyhow::Result<Case<'a>> {
    let shards = ShardCount::new(shards).context("a number of shards")?;
    let mut splitter = Splitter::new();
    let points = points_of(&requests);
    for request in &requests {
        let split = splitter.split(request.bytes(), &RoutingKey::StreamId, shards)?;
        anyhow::ensure!(split.points() == request.points() as u64, "the split has another number of points");
    }
    Ok(Case::new(name, points, move || {
        for request in &requests {
            black_box(splitter.split(request.bytes(), &RoutingKey::StreamId, shards).is_ok());
        }
    }))
}

/// A gateway of one shard checks the request and counts its points: the walk without identities and outputs.
fn only_walked<'a>(name: String, requests: Vec<StandardPayload>) -> Case<'a> {
    let mut scratch = Scratch::new();
    Case::new(name, points_of(&requests), move || {
        for request in &requests {
            black_box(check(request.bytes(), &mut scratch).is_ok());
        }
    })
}

fn points_of(requests: &[StandardPayload]) -> u64 {
    requests.iter().map(|request| request.points() as u64).sum()
}
