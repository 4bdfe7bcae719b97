//! The shard's thread: everything about the streams of one shard that changes.
//!
//! One thread owns it all, so nothing is locked per point and an event is whole before the next one begins. Requests that
//! wait are taken as a group ([`together`]): all are counted, one commit of the journal makes them durable, then all are
//! answered. An answer is made from the journal's receipt, so there is no way to answer first. While a group is committed the next one is
//! counted; whatever else is asked waits until all that was counted is durable.
//!
//! While the journal can not be written, nothing is counted and nothing is told: what is not durable may not be seen by a
//! backend, another worker or a scrape either. Requests are refused as retryable until it can be written again.
//!
//! The wall clock is read once an event or group and passed down.
//!
//! A panic here stops the process ([`shardset_process::Tasks`]): better down and restarted than up and lying.

mod catalog;
mod count;
mod events;
mod handoff;
mod keep;
mod mailbox;
mod refusals;
mod rest;
mod together;
mod unserved;

use std::sync::Arc;

use shardset_accumulate::{Group, Streams};
use shardset_export::Protocol;
use shardset_handoff::{BadRecord, Limits, Shard as Core, SlotChange};
use shardset_journal::{ColdError, CommitError, OpenError, Opening, ReplayError, Storage};
use shardset_model::{Phase, ShardCount, ShardIndex};
use shardset_otlp::read::Scratch;
use shardset_process::clock;
use thiserror::Error;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

pub(crate) use self::catalog::{Catalog, FamilyKey};
use self::count::Origin;
use self::keep::Keep;
pub(crate) use self::mailbox::{Chunk, Event, Gone, Mailbox, PassStamp, Telling};
use self::rest::Rest;
use self::together::Together;
pub(crate) use self::unserved::Unserved;
use crate::export::{Desk, TickClock, View};
use crate::metrics::ShardMetrics;
use crate::persist::{Committer, IdleStore, Persist};
use crate::settings::Settings;

/// Streams looked at by one sweep, 1 ms or so: a million are seen in 10 s.
const SWEEP_LOOKS: u32 = 25_000;

/// The state of one shard.
pub(crate) struct Shard<S: Storage> {
    core: Core,
    persist: Persist<S>,
    keep: Keep,
    idle: IdleStore<S>,
    rest: Rest,
    catalog: Catalog,
    clock: TickClock,
    desks: Vec<Desk>,
    heartbeat_ticks: u64,
    /// Where the look at which streams live goes on.
    looked_at: u32,
    /// Wakes whoever sends streams to other workers.
    moves: Arc<Notify>,
    scratch: Scratch,
    /// What is done and not committed yet.
    together: Together,
    /// Points that are counted together; empty between requests.
    group: Group<Origin>,
    metrics: ShardMetrics,
}

/// Why a shard can not be recovered.
#[derive(Debug, Error)]
pub enum RecoverError {
    /// The journal.
    #[error(transparent)]
    Replay(#[from] ReplayError<BadRecord>),
    /// The files next to it.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A stream that is not in memory.
    #[error("a silent stream is not where the journal says")]
    Idle(#[from] ColdError),
}

impl<S: Storage> Shard<S> {
    /// The shard as its journal has kept it, which exports by these protocols to as many destinations.
    ///
    /// # Errors
    ///
    /// The journal can not be replayed.
    pub(crate) fn recover(
        settings: &Settings,
        index: ShardIndex,
        opening: Opening<S>,
        destinations: &[Protocol],
        committer: Committer<S>,
        moves: Arc<Notify>,
        metrics: ShardMetrics,
    ) -> Result<Self, RecoverError> {
        let (began, is_new) = (Instant::now(), opening.is_new());
        let streams = Streams::new(settings.accumulate);
        let limits = Limits { parked_bytes: settings.parked_bytes_max, ..Limits::default() };
        let mut core = Core::new(index, opening.incarnation(), streams, limits);
        let mut idle = IdleStore::new(opening.cold_store()?);
        let journal = opening.replay_ahead(|frame| core.replay(frame.payload, keep::how(frame.in_checkpoint)))?;
        core.recovered();
        find_idle(&core, &mut idle)?;
        let mut shard = Self {
            persist: Persist::new(journal, committer, metrics.journal.clone()),
            keep: Keep::after_a_start(),
            idle,
            rest: Rest::default(),
            catalog: Catalog::new(settings.translation.clone()),
            clock: TickClock::new(settings.export_interval, core.latest()),
            desks: destinations.iter().map(|&protocol| Desk::new(protocol, core.latest())).collect(),
            heartbeat_ticks: settings.heartbeat_ticks(),
            looked_at: 0,
            moves,
            together: Together::default(),
            scratch: Scratch::new(),
            group: Group::default(),
            core,
            metrics,
        };
        (0..shard.streams().slots()).for_each(|slot| shard.enter(slot));
        shard.show();
        let (streams, took) = (shard.streams().len(), began.elapsed());
        let epoch = shard.core.membership().map_or(0, |membership| membership.epoch().get());
        let incarnation = shard.core.incarnation();
        tracing::info!(shard = %index, %incarnation, epoch, streams, ?took, "shard recovered");
        if is_new {
            shard.metrics.handoff.empty_disks.inc();
            tracing::info!(shard = %index, %incarnation, "the disk is empty: points are refused until whoever coordinates tells the membership");
        }
        Ok(shard)
    }

    /// Serves events until [`Event::Stop`], or until nobody can send any more.
    pub(crate) fn run(mut self, mut events: mpsc::Receiver<Event>) {
        while let Some(event) = self.next(&mut events) {
            match event {
                Event::Request(request) => self.join(|shard, now| shard.request(request, now)),
                Event::Receive { message, reply } => self.join(|shard, _| shard.message(&message, reply)),
                Event::Committed => {}
                Event::Stop { reply } => {
                    self.finish_group();
                    let _asker_gone = reply.send(self.close());
                    return;
                }
                event => {
                    self.finish_group();
                    self.serve(event, clock::now());
                }
            }
            self.metrics.mailbox.set(i64::try_from(events.len()).unwrap_or(i64::MAX));
        }
        self.finish_group();
    }

    /// The next event. While none waits, has what was counted committed, and goes on with what can be done bit by bit.
    fn next(&mut self, events: &mut mpsc::Receiver<Event>) -> Option<Event> {
        loop {
            if self.together.is_full() {
                self.commit_group();
            }
            match events.try_recv() {
                Ok(event) => return Some(event),
                Err(mpsc::error::TryRecvError::Disconnected) => return None,
                Err(mpsc::error::TryRecvError::Empty) if self.go_on() => {}
                Err(mpsc::error::TryRecvError::Empty) => return events.blocking_recv(),
            }
        }
    }

    /// Does what can be done while no event waits. Whether there may be more.
    fn go_on(&mut self) -> bool {
        // Its end wakes this thread again.
        if !self.persist.is_idle() {
            return false;
        }
        if self.together.is_empty() {
            return self.keep_on();
        }
        self.commit_group();
        true
    }

    fn streams(&self) -> &Streams {
        self.core.streams()
    }

    /// Slots that changed hands otherwise than by a point that was counted.
    fn follow_slots(&mut self) {
        let generation = self.streams().generation();
        for change in self.core.take_slot_changes() {
            match change {
                SlotChange::Entered(slot) => self.enter(slot),
                SlotChange::Left(slot) => self.catalog.leave(slot, generation),
            }
        }
    }

    fn enter(&mut self, slot: u32) {
        let Some(stream) = self.core.streams().get(slot) else { return };
        let generation = self.core.streams().generation();
        self.catalog.enter(slot, stream.identity(), generation);
        self.catalog.set_live(slot, stream.ended().is_none(), generation);
    }

    fn show(&mut self) {
        let count = self.catalog.count();
        self.metrics.live.set(i64::from(count.live));
        self.metrics.idle.set(i64::from(count.ended));
        self.metrics.handoff.show(&self.core.report(), self.core.is_moving());
    }

    fn is_alone(&self) -> bool {
        self.core.membership().is_none_or(|mine| mine.shards() == ShardCount::ONE && mine.phase() == Phase::Stable)
    }

    fn close(self) -> Result<(), CommitError> {
        self.persist.close()
    }
}

/// Finds what the journal says is kept on the disk.
fn find_idle<S: Storage>(core: &Core, idle: &mut IdleStore<S>) -> Result<(), ColdError> {
    let mut next = core.streams().next_idle(None);
    while let Some((stream, place)) = next {
        idle.found(place)?;
        next = core.streams().next_idle(Some(stream));
    }
    Ok(())
}
