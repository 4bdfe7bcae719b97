//! A state of the small cluster.

use std::rc::Rc;
use std::time::Duration;

use shardset_accumulate::{Settings, Streams};
use shardset_handoff::{Adopt, Checkpoint, Limits, Message, Progress, Shard, Source};
use shardset_journal::storage::faulty::MemoryDisk;
use shardset_journal::{Journal, Settings as JournalSettings};
use shardset_model::{Epoch, Incarnation, Membership, Phase, Receipt, ShardIndex, StreamId, UnixNanos};
use xxhash_rust::xxh3::xxh3_128;

use super::Scope;
use crate::api::Sighting;
use crate::catalog::{Catalog, Delta, Points, shard};

/// Streams of the cluster: the first moves with every wish, the second with none.
pub(super) const STREAMS: usize = 2;
/// Gateways: the second one may lag for ever.
pub(super) const GATEWAYS: usize = 2;
/// When every point arrives.
pub(super) const NOW: UnixNanos = UnixNanos(1_700_000_000_000_000_000);

/// What is the same in all states.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) scope: Scope,
    pub(super) catalog: Catalog,
    /// Points that are sent, by one gateway and the other in turn.
    pub(super) deltas: Vec<Delta>,
    /// Everything is durable at once: one receipt is as good as another.
    pub(super) receipt: Receipt,
}

/// A state. Workers that a step does not touch are not copied.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    workers: Vec<Rc<Worker>>,
    /// What was published, oldest first.
    pub(super) published: Vec<Membership>,
    /// Which of it each gateway knows.
    pub(super) views: [usize; GATEWAYS],
    /// Which wish is the present one.
    pub(super) wish: usize,
    /// What a coordinator has decided to publish, by what it saw and when so much was published; and what it still tells.
    pub(super) decided: Option<(Membership, Sighting, usize)>,
    pub(super) telling: Vec<(ShardIndex, Adopt)>,
    pub(super) late: Vec<Late>,
    pub(super) crashes: u32,
    pub(super) lost_disks: u32,
    /// Points that wait, by worker.
    pub(super) waiting: Vec<[Points; STREAMS]>,
    pub(super) owed: [Points; STREAMS],
    /// What could be exported last, in the present life of the series.
    pub(super) told: [Points; STREAMS],
    /// Points that are lost if the end of the move is published by one who has seen this disk.
    pub(super) doubts: Vec<(ShardIndex, Incarnation, usize, Points)>,
    /// Who was given up, under which epoch, and has not heard of it.
    pub(super) nobodys: Option<(ShardIndex, Membership)>,
}

#[derive(Clone, Debug)]
struct Worker {
    shard: Shard,
    mark: u128,
}

/// A message that may still arrive.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Late {
    Handoff(Box<Message>),
    Adopt(ShardIndex, Box<Adopt>),
    Export(Box<Membership>, Delta),
}

impl Ground {
    pub(super) fn new(scope: &Scope) -> Self {
        let mut catalog = Catalog::of(ids(scope));
        let time = |ordinal: u64| UnixNanos(NOW.0 - 1_000_000_000 + ordinal);
        catalog.make(1, time(0), time(0));
        let deltas =
            (0..=scope.points as u64).filter_map(|ordinal| catalog.make(0, time(0), time(ordinal))).skip(1).collect();
        Self { scope: scope.clone(), catalog, deltas, receipt: receipt() }
    }
}

/// The first id whose owner changes with every wish, and the first whose owner is always the first shard.
fn ids(scope: &Scope) -> [StreamId; STREAMS] {
    let owners = |id: StreamId| scope.counts().map(move |shards| shardset_placement::owner(id.low64(), shards));
    let all = || (1_u64..).map(|number| StreamId::from_digest(xxh3_128(&number.to_le_bytes())));
    let moves = all().find(|id| owners(*id).zip(owners(*id).skip(1)).all(|(before, after)| before != after));
    let stays = all().find(|id| owners(*id).all(|owner| owner.get() == 0));
    [moves, stays].map(|id| id.expect("among all ids there is one"))
}

fn receipt() -> Receipt {
    let incarnation = Incarnation::new(1).expect("1 is no 0");
    let opening = Journal::open(MemoryDisk::new(0), JournalSettings::new(shard(0)), incarnation);
    let replayed = opening.expect("an empty disk opens").replay(|_| Ok::<_, std::convert::Infallible>(()));
    replayed.expect("there is nothing on it").commit(&[], Duration::ZERO).expect("nothing is written")
}

impl Cluster {
    /// Everybody knows the first membership, and each stream has one point at its owner, unless it is to come from nowhere.
    pub(super) fn new(ground: &Ground) -> Self {
        let scope = &ground.scope;
        let first = scope.counts().next().expect("there is a first number");
        let number = scope.shards.iter().copied().max().unwrap_or(1);
        let membership = Membership::stable(Epoch::FIRST, first);
        let workers = (0..number).map(|number| Rc::new(Worker::new(empty(shard(number), 1))));
        let mut cluster = Self {
            workers: workers.collect(),
            published: vec![membership.clone()],
            views: [0; GATEWAYS],
            wish: 1,
            decided: None,
            telling: Vec::new(),
            late: Vec::new(),
            crashes: scope.crashes,
            lost_disks: scope.lost_disks,
            waiting: vec![[0; STREAMS]; number as usize],
            owed: [0; STREAMS],
            told: [0; STREAMS],
            doubts: Vec::new(),
            nobodys: None,
        };
        for worker in first.shards() {
            cluster.change(worker, |shard| shard.hear(&membership, Source::Coordinator, &mut Vec::new()));
        }
        let begun = if scope.begins_empty { 1..STREAMS } else { 0..STREAMS };
        for stream in begun {
            let delta = ground.catalog.get(stream).points[0];
            cluster.count(&membership, delta, ground).expect("the first points are counted");
        }
        cluster
    }

    pub(super) fn newest(&self) -> &Membership {
        self.published.last().expect("one is published from the beginning")
    }

    pub(super) fn shards(&self) -> impl ExactSizeIterator<Item = &Shard> {
        self.workers.iter().map(|worker| &worker.shard)
    }

    pub(super) fn shard(&self, worker: ShardIndex) -> &Shard {
        &self.workers[worker.position()].shard
    }

    /// Lets a worker do something.
    pub(super) fn change<T>(&mut self, worker: ShardIndex, change: impl FnOnce(&mut Shard) -> T) -> T {
        let worker = Rc::make_mut(&mut self.workers[worker.position()]);
        let changed = change(&mut worker.shard);
        worker.mark = mark(&worker.shard);
        changed
    }

    /// What makes it different from other states.
    pub(super) fn fingerprint(&self) -> u128 {
        let mut bytes = Vec::with_capacity(1024);
        self.workers.iter().for_each(|worker| bytes.extend(worker.mark.to_le_bytes()));
        bytes.extend(self.views.iter().chain([&self.wish]).flat_map(|number| number.to_le_bytes()));
        bytes.extend([self.published.len() as u8, self.crashes as u8, self.lost_disks as u8]);
        let books = self.waiting.iter().flatten().chain(&self.owed).chain(&self.told);
        bytes.extend(books.flat_map(|points| points.to_le_bytes()));
        write_membership(self.newest(), &mut bytes);
        if let Some((membership, sighting, version)) = &self.decided {
            write_membership(membership, &mut bytes);
            write_lives(sighting.incarnations.iter().map(|(shard, life)| (*shard, *life)), &mut bytes);
            bytes.extend([*version as u8, sighting.given_up.len() as u8]);
        }
        for (to, Adopt { incarnation, membership, incarnations }) in &self.telling {
            write_lives([(*to, *incarnation)].into_iter(), &mut bytes);
            write_membership(membership, &mut bytes);
            write_lives(incarnations.iter().copied(), &mut bytes);
        }
        // Rarely there, and the same text only where it is the same.
        let rare = (&self.late, &self.doubts, &self.nobodys);
        if !(self.late.is_empty() && self.doubts.is_empty() && self.nobodys.is_none()) {
            bytes.extend(format!("{rare:?}").into_bytes());
        }
        xxh3_128(&bytes)
    }
}

impl Worker {
    fn new(shard: Shard) -> Self {
        Self { mark: mark(&shard), shard }
    }
}

/// In these scopes the rest of a membership follows from its epoch, or from what was published.
fn write_membership(membership: &Membership, bytes: &mut Vec<u8>) {
    let is_moving = u8::from(membership.phase() == Phase::Moving);
    bytes.extend([b'm', membership.epoch().get() as u8, membership.shards().get() as u8, is_moving]);
}

fn write_lives(lives: impl Iterator<Item = (ShardIndex, Incarnation)>, bytes: &mut Vec<u8>) {
    bytes.push(b'l');
    bytes.extend(lives.flat_map(|(shard, life)| [shard.get() as u8, (life.get() >> 8) as u8]));
}

/// What makes a worker different from others: what is durable, and how far it has come with what is not.
fn mark(shard: &Shard) -> u128 {
    let mut bytes = image(shard);
    let report = shard.report();
    bytes.extend(report.incarnation.get().to_le_bytes());
    bytes.extend(report.leftovers.to_le_bytes());
    for sending in &report.sending {
        bytes.extend(sending.receiver.map_or(0, Incarnation::get).to_le_bytes());
        bytes.extend([sending.sent as u8, u8::from(sending.completed)]);
        let next = shard.next_message(sending.to, |_| None).map(|message| message.progress);
        bytes.push(match next {
            None => 0,
            Some(Progress::Ask) => 1,
            Some(Progress::Chunk { position, .. }) => 2 + position as u8,
            Some(Progress::Complete { position }) => 128 + position as u8,
        });
    }
    xxh3_128(&bytes)
}

/// A worker with an empty disk.
pub(super) fn empty(index: ShardIndex, life: u128) -> Shard {
    let incarnation = Incarnation::new(life << 8 | u128::from(index.get())).expect("lives are counted from 1");
    Shard::new(index, incarnation, Streams::new(Settings::default()), Limits { chunk_bytes: 1, ..Limits::default() })
}

/// What it is after a restart, as bytes.
pub(super) fn image(shard: &Shard) -> Vec<u8> {
    let (mut bytes, mut at) = (Vec::new(), Checkpoint::Begin);
    while at != Checkpoint::Complete {
        at = shard.write_checkpoint(at, usize::MAX, &mut bytes);
    }
    bytes
}
