//! The checkers: what must hold after every step, and what must hold at the end.
//!
//! They look at what workers have, and compare it with the ledger. After a step only the worker that did something is looked
//! at, since nothing else has changed.

use shardset_handoff::owner;
use shardset_model::Membership;

use crate::api::Api;
use crate::backend::Backend;
use crate::catalog::shown;
use crate::scene::Scene;
use crate::violation::Invariant;
use crate::worker::Worker;

/// Above what the largest batch makes wait: 5 points with their entries.
const REQUEST_BYTES_MAX: usize = 5 * 300;

/// What must hold of a worker after each of its steps.
pub(crate) fn worker(workers: &[Worker], at: usize, scene: &mut Scene) {
    let Some(shard) = workers[at].shard() else { return };
    for stream in scene.catalog.numbers() {
        match workers[at].held(stream, scene) {
            Err(twice) => scene.violate(Invariant::Conservation, || twice),
            Ok(held) => {
                if held.counted.is_some() {
                    nobody_else_counts(workers, at, stream, scene);
                }
            }
        }
    }
    let limit = scene.weather.limits.parked_bytes + REQUEST_BYTES_MAX;
    let parked = shard.streams().parked().bytes;
    if parked > limit {
        scene.violate(Invariant::Bounded, || format!("{parked} bytes wait at w{at}, above {limit}"));
    }
    streams_are_where_they_belong(&workers[at], scene);
}

/// A worker counts what it owns, and keeps as away what it does not: a change touched nothing else.
fn streams_are_where_they_belong(worker: &Worker, scene: &mut Scene) {
    let Some(shard) = worker.shard() else { return };
    let Some(membership) = shard.membership() else { return };
    for slot in 0..shard.streams().slots() {
        let Some(stream) = shard.streams().get(slot) else { continue };
        let (now, _) = owner(membership, stream.id(), stream.identity());
        if !stream.is_away() && shard.streams().is_parked(stream.id()) {
            let what = || format!("points of a stream wait at w{}, which counts newer ones", worker.index);
            scene.violate(Invariant::Order, what);
        }
        if stream.is_away() == (now == worker.index) {
            let state = if stream.is_away() { "sends away" } else { "keeps" };
            let what = || format!("w{} {state} a stream of w{now} at {}", worker.index, membership.epoch());
            scene.violate(Invariant::LeastMovement, what);
        }
    }
}

fn nobody_else_counts(workers: &[Worker], at: usize, stream: usize, scene: &mut Scene) {
    if workers[at].is_nobodys(stream, scene) {
        return;
    }
    for (other, worker) in workers.iter().enumerate().filter(|(other, _)| *other != at) {
        let counts = worker.held(stream, scene).is_ok_and(|held| held.counted.is_some());
        if counts && !worker.is_nobodys(stream, scene) {
            scene.violate(Invariant::OneOwner, || format!("w{at} and w{other} count s{stream}"));
        }
    }
}

/// Nothing that was acknowledged is gone: somebody has it, in one form or another.
pub(crate) fn everything_owed_is_held(workers: &[Worker], scene: &mut Scene) {
    for stream in scene.catalog.numbers() {
        let owed = scene.ledger.get(stream).owed;
        let held = workers.iter().filter_map(|worker| worker.held(stream, scene).ok());
        let held = held.fold(0, |all, held| all | held.all());
        if owed & !held != 0 {
            scene.violate(Invariant::Conservation, || format!("nobody has {} of s{stream}", shown(owed & !held)));
        }
    }
}

/// At the end the owner's total is what is owed, and nothing that nobody sent.
pub(crate) fn end(workers: &[Worker], api: &Api, scene: &mut Scene) {
    let Some(published) = &api.published else { return };
    for stream in scene.catalog.numbers() {
        let held = workers[owner_of(stream, published, scene)].held(stream, scene).unwrap_or_default();
        let (owed, made) = (scene.ledger.get(stream).owed, scene.catalog.get(stream).made());
        let total = held.counted.unwrap_or(0);
        if owed & !total != 0 {
            let what = || format!("s{stream} lacks {} of {}", shown(owed & !total), shown(owed));
            scene.violate(Invariant::Conservation, what);
        }
        if total & !made != 0 {
            scene.violate(Invariant::Conservation, || format!("s{stream} has {} too much", shown(total & !made)));
        }
    }
    everything_owed_is_held(workers, scene);
}

fn owner_of(stream: usize, membership: &Membership, scene: &Scene) -> usize {
    let series = scene.catalog.get(stream);
    owner(membership, series.id, &series.identity).0.position()
}

/// What the backend does not know yet.
pub(crate) fn not_exported(
    workers: &[Worker],
    backend: &Backend,
    published: &Membership,
    scene: &Scene,
) -> Option<String> {
    for stream in scene.catalog.numbers() {
        let counted = workers[owner_of(stream, published, scene)].held(stream, scene).ok()?.counted;
        if counted.is_some() && backend.last(stream) != counted && !backend.hides(stream, counted) {
            return Some(format!("s{stream} is {counted:?} and was told as {:?}", backend.last(stream)));
        }
    }
    None
}
