//! A worker: the shard's machine, its journal on a disk that fails, and the smallest shell that makes a process of them.
//!
//! What a message changes in memory is committed by a later event, and what follows from it leaves with the receipt; so a
//! worker can die at every place between. Beside it stands what only the simulation has: a shard that is made of committed
//! changes alone, which is what must be found after a death.

mod background;
mod commit;
mod export;
mod held;
mod life;
mod requests;
mod rest;

use std::collections::BTreeMap;

use shardset_handoff::{Checkpoint, Progress, Shard};
use shardset_journal::storage::faulty::MemoryDisk;
use shardset_journal::{ColdStore, Journal};
use shardset_model::{Epoch, Membership, Receipt, ShardIndex, StreamId, UnixMillis};

use self::commit::Pending;
pub(crate) use self::life::Death;
use self::rest::Kept;
use crate::catalog::Points;
use crate::node::{Node, Time};
use crate::queue::Event;
use crate::scene::Scene;

/// A worker, whether it runs or not.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) index: ShardIndex,
    pub(crate) disk: MemoryDisk,
    /// Whether it is to run.
    pub(crate) is_wanted: bool,
    process: Option<Process>,
    /// How often it was started.
    life: u64,
    /// How many disks it had before.
    disks: u128,
    /// How far ahead its clock is, in µs.
    pub(crate) ahead: i64,
    /// What is committed on this disk; none before it was opened.
    durable: Option<Shard>,
    /// What may be found committed though nobody was told so, each with the points that wait then.
    attempts: Vec<Attempt>,
    /// What was committed, and the points that waited, where more than that was found at the start: a loss of power before the next commit
    /// may take the rest.
    certain: Option<(Shard, Vec<Points>)>,
    waiting: Waiting,
    /// What streams that are not in memory hold.
    kept: Kept,
    /// The membership under which others took over what it did not send, while it has not heard of it.
    given_up: Option<Membership>,
}

/// Changes that were given to the journal.
#[derive(Clone, PartialEq, Debug)]
struct Attempt {
    changes: Vec<u8>,
    waiting: Vec<Points>,
}

/// Which points wait, by stream: what a shard does not tell.
#[derive(Clone, Debug)]
struct Waiting {
    memory: Vec<Points>,
    durable: Vec<Points>,
}

/// What dies with the process.
#[derive(Debug)]
struct Process {
    shard: Shard,
    journal: Journal<MemoryDisk>,
    cold: ColdStore<MemoryDisk>,
    /// What is not committed.
    changes: Vec<u8>,
    /// What is told when it is.
    pending: Vec<Pending>,
    is_commit_due: bool,
    /// Whether the last commit failed: nothing is taken until one succeeds.
    is_failing: bool,
    /// Of the last commit.
    receipt: Option<Receipt>,
    checkpoint: Option<Checkpoint>,
    /// What was sent to each receiver last, and when.
    sent: BTreeMap<ShardIndex, (Time, Progress)>,
    /// The epoch that sending was begun for.
    sends_for: Option<Epoch>,
    /// The newest time handed out for samples.
    ticked: UnixMillis,
    passes: u64,
    /// What passes under way tell, by pass.
    told: BTreeMap<u64, Vec<Telling>>,
    /// The totals that the backend is known to have.
    stored: BTreeMap<StreamId, Points>,
}

/// A stream whose total is on its way to the backend.
#[derive(Clone, Copy, Debug)]
struct Telling {
    slot: u32,
    id: StreamId,
    time: UnixMillis,
    total: Points,
}

impl Worker {
    pub(crate) fn new(index: ShardIndex, scene: &mut Scene) -> Self {
        let nothing = vec![0; scene.catalog.numbers().len()];
        Self {
            index,
            disk: MemoryDisk::new(scene.random.bits()),
            is_wanted: false,
            process: None,
            life: 0,
            disks: 0,
            ahead: 0,
            durable: None,
            attempts: Vec::new(),
            certain: None,
            waiting: Waiting { memory: nothing.clone(), durable: nothing },
            kept: Kept::new(),
            given_up: None,
        }
    }

    pub(crate) const fn node(&self) -> Node {
        Node::Worker(self.index)
    }

    /// Whether its process runs.
    pub(crate) const fn runs(&self) -> bool {
        self.process.is_some()
    }

    /// Does what was planned, unless it was planned by an earlier life.
    pub(crate) fn wake(&mut self, event: &Event, scene: &mut Scene) {
        match event {
            Event::Start { .. } => self.start(scene),
            Event::Commit { life, .. } if *life == self.life => self.commit(scene),
            Event::Background { life, .. } if *life == self.life => self.background(scene),
            Event::Tick { life, .. } if *life == self.life => self.tick(scene),
            Event::DiskHeals { .. } => {
                self.disk.set_capacity(None);
                self.disk.set_read_only(false);
            }
            _ => {}
        }
        self.bury(scene);
    }

    /// The shard as it is: in memory, or on the disk while the process is down.
    pub(crate) fn shard(&self) -> Option<&Shard> {
        self.process.as_ref().map(|process| &process.shard).or(self.durable.as_ref())
    }

    /// The shard as it is on the disk.
    pub(crate) const fn durable(&self) -> Option<&Shard> {
        self.durable.as_ref()
    }

    /// Whether everything in memory is on the disk.
    pub(crate) fn is_durable(&self) -> bool {
        self.process.as_ref().is_none_or(|process| process.changes.is_empty())
    }
}
