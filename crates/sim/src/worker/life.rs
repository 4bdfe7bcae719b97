//! Starting, dying, and whether what is found after a death is what was durable before.

use std::collections::BTreeMap;
use std::time::Duration;

use shardset_accumulate::{Replay, Streams};
use shardset_handoff::{BadRecord, Checkpoint, Shard};
use shardset_journal::storage::faulty::MemoryDisk;
use shardset_journal::{ColdStore, Durability, Journal, OpenError, ReplayError, Settings};
use shardset_model::{Incarnation, ShardIndex, UnixNanos};

use super::{Attempt, Process, Worker};
use crate::mutation::Mutation;
use crate::node::{MS, SECOND};
use crate::queue::Event;
use crate::scene::Scene;
use crate::violation::Invariant;

/// How a process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Death {
    /// The power goes.
    Crash,
    /// The process dies, the system goes on.
    Kill,
}

impl Worker {
    /// Starts the process, if it is wanted and does not run.
    pub(super) fn start(&mut self, scene: &mut Scene) {
        if !self.is_wanted || self.process.is_some() {
            return;
        }
        self.life += 1;
        match open(&self.disk, self.index, self.disks, scene) {
            Ok(mut opened) => {
                self.check_recovery(&opened.shard, scene);
                self.check_kept(&opened.shard, &mut opened.cold, scene);
                self.begin(opened, scene);
            }
            Err(_) if self.disk.is_dead() => self.die(Death::Crash, scene),
            Err(ReplayError::Open(OpenError::File(error))) => {
                scene.note(self.node(), || format!("can not start: {error}"));
                let delay = scene.around(300 * MS);
                scene.after(delay, Event::Start { worker: self.index });
            }
            Err(error) => {
                let what =
                    || format!("w{} can not start: {error}: {:?}", self.index, std::error::Error::source(&error));
                scene.violate(Invariant::Replay, what);
            }
        }
    }

    fn begin(&mut self, Opened { shard, journal, cold }: Opened, scene: &mut Scene) {
        scene.note(self.node(), || format!("starts, as {}", shard.incarnation().get() as u64));
        self.durable = Some(shard.clone());
        self.attempts.clear();
        self.waiting.memory.clone_from(&self.waiting.durable);
        let (sends_for, ticked) = (shard.membership().map(|membership| membership.epoch()), shard.latest());
        self.process = Some(Process {
            shard,
            journal,
            cold,
            changes: Vec::new(),
            pending: Vec::new(),
            is_commit_due: false,
            is_failing: false,
            receipt: None,
            checkpoint: None,
            sent: BTreeMap::new(),
            sends_for,
            ticked,
            passes: self.life << 32,
            told: BTreeMap::new(),
            stored: BTreeMap::new(),
        });
        let (worker, life) = (self.index, self.life);
        let delay = scene.around(scene.weather.background);
        scene.after(delay, Event::Background { worker, life });
        let delay = scene.random.between(50 * MS, SECOND);
        scene.after(delay, Event::Tick { worker, life });
        self.commit_soon(scene);
    }

    /// The process died within an operation of its disk, whoever asked for that.
    pub(super) fn bury(&mut self, scene: &mut Scene) {
        if self.runs() && self.disk.is_dead() {
            self.die(Death::Crash, scene);
        }
    }

    /// The process dies, and starts again later.
    pub(crate) fn die(&mut self, death: Death, scene: &mut Scene) {
        scene.note(self.node(), || format!("dies ({death:?}){}", if self.runs() { "" } else { ", again" }));
        scene.ledger.counts.crashes += u64::from(self.runs());
        self.process = None;
        match death {
            Death::Crash => self.disk.crash(),
            Death::Kill => self.disk.kill(),
        }
        self.disk.calm();
        self.waiting.memory.clone_from(&self.waiting.durable);
        let longest = if scene.is_calm { 200 * MS } else { scene.random.pick(&[60 * MS, 400 * MS, 3 * SECOND]) };
        let delay = scene.random.between(10 * MS, longest);
        scene.after(delay, Event::Start { worker: self.index });
    }

    /// The disk is gone; another one is there.
    pub(crate) fn lose_disk(&mut self, scene: &mut Scene) {
        scene.note(self.node(), || "loses its disk");
        scene.ledger.counts.disks_lost += 1;
        self.die(Death::Crash, scene);
        self.disk = MemoryDisk::new(scene.random.bits());
        self.disks += 1;
        self.durable = None;
        self.attempts.clear();
        self.certain = None;
        self.given_up = None;
        self.kept.clear();
        self.waiting.memory.fill(0);
        self.waiting.durable.fill(0);
    }

    /// What was found is what was committed, or that and what was being committed. The latter is committed with the next.
    fn check_recovery(&mut self, found: &Shard, scene: &mut Scene) {
        let now = scene.clock(self.ahead);
        let Some(durable) = &self.durable else { return };
        let image = image(found, now);
        if image == self::image(durable, now) {
            return;
        }
        let with = |attempt: &Attempt| {
            let mut shard = durable.clone();
            shard.replay(&attempt.changes, Replay::Whole).is_ok() && self::image(&shard, now) == image
        };
        if let Some((_, waiting)) = self.certain.take_if(|(certain, _)| self::image(certain, now) == image) {
            self.waiting.durable = waiting;
            return;
        }
        match self.attempts.iter().find(|attempt| with(attempt)) {
            Some(attempt) => {
                let waiting = std::mem::replace(&mut self.waiting.durable, attempt.waiting.clone());
                self.certain.get_or_insert_with(|| (durable.clone(), waiting));
            }
            None => {
                let what = || format!("w{} is not as it was: {}", self.index, differ(durable, found));
                scene.violate(Invariant::Replay, what);
            }
        }
    }

    /// Takes the power from a copy of the disk, and looks whether everything that was committed is there.
    pub(super) fn audit(&mut self, scene: &mut Scene) {
        let (disk, now) = (self.disk.fork(), scene.clock(self.ahead));
        disk.crash();
        disk.set_capacity(None);
        disk.set_read_only(false);
        let Some(durable) = &self.durable else { return };
        match open(&disk, self.index, self.disks, scene) {
            Ok(mut opened) if image(&opened.shard, now) == image(durable, now) => {
                self.check_kept(&opened.shard, &mut opened.cold, scene);
            }
            Ok(Opened { shard, .. }) => {
                let what = || format!("w{}: a loss of power loses: {}", self.index, differ(durable, &shard));
                scene.violate(Invariant::Durable, what);
            }
            Err(error) => {
                let what = || format!("w{}: after a loss of power it could not start: {error}", self.index);
                scene.violate(Invariant::Durable, what);
            }
        }
        let Some(process) = self.process.as_ref().filter(|process| process.changes.is_empty()) else { return };
        if image(&process.shard, now) != image(durable, now) {
            let what = || format!("w{} lives on something else: {}", self.index, differ(&process.shard, durable));
            scene.violate(Invariant::Replay, what);
        }
    }
}

/// What stands on a disk.
struct Opened {
    shard: Shard,
    journal: Journal<MemoryDisk>,
    cold: ColdStore<MemoryDisk>,
}

/// Opens a disk, and does again what is on it.
fn open(disk: &MemoryDisk, index: ShardIndex, disks: u128, scene: &Scene) -> Result<Opened, ReplayError<BadRecord>> {
    let durability = match scene.mutation {
        Some(Mutation::AckWithoutSync) => Durability::Interval(Duration::from_secs(3600)),
        _ => Durability::Fsync,
    };
    let (segment_bytes, cold_file_bytes) = (scene.weather.segment_bytes, scene.weather.segment_bytes / 2);
    let settings = Settings { durability, segment_bytes, cold_file_bytes, ..Settings::new(index) };
    let incarnation = Incarnation::new((disks << 16) | (u128::from(index.get()) + 1)).expect("one is added");
    let opening = Journal::open(disk.clone(), settings, incarnation)?;
    let cold = opening.cold_store()?;
    let streams = Streams::new(scene.weather.settings);
    let mut shard = Shard::new(index, opening.incarnation(), streams, scene.weather.limits);
    let journal = opening.replay(|frame| {
        let replay = if frame.in_checkpoint { Replay::WithinCheckpoint } else { Replay::Whole };
        shard.replay(frame.payload, replay)
    })?;
    shard.recovered();
    Ok(Opened { shard, journal, cold })
}

/// Everything about a shard that outlives a process, as bytes.
fn image(shard: &Shard, now: UnixNanos) -> Vec<u8> {
    let mut shard = shard.clone();
    shard.recovered();
    // What is left of forgotten streams goes by time, which a journal need not tell.
    shard.streams_mut().sweep(now, 0, |_| {});
    let mut bytes = shard.incarnation().get().to_le_bytes().to_vec();
    let report = shard.report();
    for number in [report.streams, report.leftovers, report.parked_points, report.parked_bytes] {
        bytes.extend(number.to_le_bytes());
    }
    let mut at = Checkpoint::Begin;
    while at != Checkpoint::Complete {
        at = shard.write_checkpoint(at, usize::MAX, &mut bytes);
    }
    bytes
}

fn differ(before: &Shard, after: &Shard) -> String {
    // What is only replayed does not know what is left to do.
    let report = |shard: &Shard| {
        let mut shard = shard.clone();
        shard.recovered();
        shard.report()
    };
    format!("{:?} became {:?}", report(before), report(after))
}
