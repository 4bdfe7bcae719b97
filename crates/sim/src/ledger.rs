//! What must be true at the end: which points were acknowledged, and which of them were lost with a disk since.
//!
//! A point is owed from the moment in which a worker's acknowledgement leaves it. The loss of a disk takes away what that disk
//! alone held, and begins a new life of the series: its values may fall then, and its start may change.

use crate::catalog::{Catalog, Points};

/// One stream's account.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Account {
    /// Points that the total must hold.
    pub(crate) owed: Points,
    /// Points that were ever acknowledged by a worker.
    pub(crate) acknowledged: Points,
    /// Points that were acknowledged while they waited, and were too old for their stream when it came.
    pub(crate) too_old: Points,
    /// How often state of it was lost.
    pub(crate) life: u32,
}

/// All accounts, and what a run counted.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    accounts: Vec<Account>,
    pub(crate) counts: Counts,
}

/// What happened in a run, to see that runs are not idle.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    /// Events.
    pub events: u64,
    /// Points made.
    pub points: u64,
    /// Acknowledgements of points.
    pub acknowledged: u64,
    /// Points that waited for their stream.
    pub parked: u64,
    /// Moves that were published.
    pub moves: u64,
    /// Streams that arrived.
    pub arrived: u64,
    /// Deaths of workers.
    pub crashes: u64,
    /// Disks lost.
    pub disks_lost: u64,
    /// Checkpoints that ended.
    pub checkpoints: u64,
    /// Streams that left memory for the disk.
    pub laid_down: u64,
    /// Samples that the backend stored.
    pub samples: u64,
}

impl Ledger {
    pub(crate) fn new(catalog: &Catalog) -> Self {
        Self { accounts: catalog.numbers().map(|_| Account::default()).collect(), counts: Counts::default() }
    }

    pub(crate) fn get(&self, stream: usize) -> &Account {
        &self.accounts[stream]
    }

    /// A worker's acknowledgement of a point left it.
    pub(crate) fn acknowledge(&mut self, stream: usize, point: Points, is_owed: bool) {
        let account = &mut self.accounts[stream];
        account.acknowledged |= point;
        account.owed |= if is_owed { point & !account.too_old } else { 0 };
        self.counts.acknowledged += 1;
    }

    /// Points that waited were decided on, and were too old.
    pub(crate) fn too_old(&mut self, stream: usize, points: Points) {
        let account = &mut self.accounts[stream];
        account.too_old |= points;
        account.owed &= !points;
    }

    /// Points of a stream are gone with whoever had them.
    pub(crate) fn lose(&mut self, stream: usize, points: Points) {
        let account = &mut self.accounts[stream];
        account.owed &= !points;
        account.life += 1;
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.events += other.events;
        self.points += other.points;
        self.acknowledged += other.acknowledged;
        self.parked += other.parked;
        self.moves += other.moves;
        self.arrived += other.arrived;
        self.crashes += other.crashes;
        self.disks_lost += other.disks_lost;
        self.checkpoints += other.checkpoints;
        self.laid_down += other.laid_down;
        self.samples += other.samples;
    }
}
