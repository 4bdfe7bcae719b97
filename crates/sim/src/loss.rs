//! What is lost with a disk, exactly: no more is excused than the protocol says.
//!
//! A lost disk takes what nobody else has. In a move the senders still have what they sent, and send it again to the new disk,
//! so that is not lost; unless the move's end is published by a coordinator that last saw the disk before it was lost. That
//! is known only when it publishes, so until then it is a *doubt*.
//!
//! A worker that the user gives up takes with it what it has not sent, and what was not sent to it.

use shardset_handoff::owner;
use shardset_model::{Epoch, Incarnation, Membership, Phase, ShardIndex};

use crate::api::{Api, Sighting};
use crate::catalog::{Points, shown};
use crate::node::Node;
use crate::scene::Scene;
use crate::worker::Worker;

/// Points that are lost if the end of a move is published by one who saw this disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doubt {
    epoch: Epoch,
    worker: ShardIndex,
    incarnation: Incarnation,
    stream: usize,
    points: Points,
}

/// Takes off what is owed what is lost with the disk of the worker at `at`; the rest is in doubt.
pub(crate) fn disk_lost(workers: &[Worker], at: usize, api: &Api, scene: &mut Scene) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    for stream in scene.catalog.numbers() {
        let held = workers[at].held(stream, scene).unwrap_or_default();
        let mine = held.all() | durably(&workers[at], stream, scene).all();
        let others = workers.iter().filter(|worker| worker.index.position() != at);
        let (mut safe, mut sent_again, mut waiting) = (0, 0, 0);
        for worker in others {
            let had = durably(worker, stream, scene);
            if had.is_away {
                sent_again |= if still_sends(worker, at, stream, api, scene) { had.total } else { 0 };
            } else if !worker.is_nobodys(stream, scene) {
                safe |= had.total;
            }
            waiting |= had.waiting;
        }
        let had_total = mine & !held.waiting != 0;
        lose(stream, mine & !(safe | waiting | sent_again), had_total && safe | sent_again == 0, scene);
        if sent_again != 0 && safe == 0 {
            let points = mine & !waiting & sent_again;
            doubts.extend(Doubt::of(&workers[at], stream, points));
        }
    }
    doubts
}

impl Doubt {
    /// Of a worker whose disk is about to be lost; none where it has no membership, and so nothing.
    fn of(worker: &Worker, stream: usize, points: Points) -> Option<Self> {
        let shard = worker.durable()?;
        let (epoch, incarnation) = (shard.membership()?.epoch(), shard.incarnation());
        Some(Self { epoch, worker: worker.index, incarnation, stream, points })
    }
}

/// The end of a move is published: what was in doubt is lost, or will be sent again.
pub(crate) fn settle_doubts(doubts: &mut Vec<Doubt>, ended: &Membership, sighting: &Sighting, scene: &mut Scene) {
    let settled = doubts.extract_if(.., |doubt| doubt.epoch <= ended.epoch());
    for doubt in settled.filter(|doubt| doubt.epoch == ended.epoch()).collect::<Vec<_>>() {
        if sighting.incarnations.get(&doubt.worker) == Some(&doubt.incarnation) {
            lose(doubt.stream, doubt.points, true, scene);
        }
    }
}

/// The end of a move is published without some workers: what is not at its owner is lost.
pub(crate) fn given_up(workers: &mut [Worker], ended: &Membership, sighting: &Sighting, scene: &mut Scene) {
    for stream in scene.catalog.numbers() {
        let series = scene.catalog.get(stream);
        let (owner, _) = owner(ended, series.id, &series.identity);
        let (mut kept, mut others) = (Durably::default(), Durably::default());
        for worker in workers.iter() {
            let had = durably(worker, stream, scene);
            // What an owner keeps as away is left of an earlier move.
            let side = if worker.index == owner && !had.is_away { &mut kept } else { &mut others };
            side.total |= had.total;
            side.waiting |= had.waiting;
        }
        lose(stream, others.all() & !kept.all(), others.total != 0 && kept.total == 0, scene);
    }
    let given_up = workers.iter_mut().filter(|worker| sighting.given_up.contains(&worker.index));
    given_up.for_each(|worker| worker.give_up(ended));
}

/// Some points of a stream are gone, or its total is, though its points wait elsewhere: then it begins anew with them.
fn lose(stream: usize, points: Points, total: bool, scene: &mut Scene) {
    if points != 0 || total {
        scene.note(Node::World, || format!("s{stream} loses {}", shown(points)));
        scene.ledger.lose(stream, points);
    }
}

/// What a worker has on its disk.
#[derive(Clone, Copy, Default)]
struct Durably {
    total: Points,
    is_away: bool,
    waiting: Points,
}

impl Durably {
    const fn all(self) -> Points {
        self.total | self.waiting
    }
}

fn durably(worker: &Worker, stream: usize, scene: &Scene) -> Durably {
    let waiting = worker.waits_durably(stream);
    let (total, is_away) = worker.durable().and_then(|shard| worker.total(shard, stream, scene)).unwrap_or_default();
    Durably { total: total.unwrap_or(0), is_away, waiting }
}

/// Whether a worker will send what it has of a stream to the one whose disk is lost.
fn still_sends(worker: &Worker, to: usize, stream: usize, api: &Api, scene: &Scene) -> bool {
    let Some(membership) = worker.durable().and_then(|shard| shard.membership()) else { return false };
    let series = scene.catalog.get(stream);
    membership.phase() == Phase::Moving
        && !api.has_ended(membership.epoch())
        && owner(membership, series.id, &series.identity).0.position() == to
}
