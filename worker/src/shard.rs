//! The shard's thread: everything about the streams of one shard that changes.
//!
//! One thread owns it all, so nothing is locked per point and an event is whole before the next one begins. Requests that
//! wait are taken as a group: all are counted, one commit of the journal makes them durable, then all are answered. An
//! answer is made from the journal's [`crate::persist::Receipt`], so there is no way to answer first.
//!
//! The wall clock is read once an event or group and passed down.
//!
//! A failure of the journal leaves memory ahead of what is durable; nothing right can be told then, so the thread panics.
//! A panic here stops the process ([`shardset_process::Tasks`]): better down and restarted than up and lying.

mod catalog;
mod count;
mod events;
mod mailbox;
mod refusals;

use shardset_accumulate::{Group, Streams};
use shardset_model::{Membership, ShardCount, ShardIndex, UnixMillis, UnixNanos};
use shardset_otlp::read::Scratch;
use shardset_process::budget::Reservation;
use shardset_process::clock;
use shardset_wire::ExportAnswer;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

pub(crate) use self::catalog::{Catalog, FamilyKey};
use self::count::Origin;
pub(crate) use self::mailbox::{Chunk, Event, Gone, Mailbox, PassStamp, Telling};
use crate::admit::{Admitted, Fenced, Verdict, fence};
use crate::export::{Desk, TickClock, View};
use crate::metrics::ShardMetrics;
use crate::persist::{Answered, Journal, PersistError, Receipt, Recovered};
use crate::settings::Settings;

/// What is counted before a commit, at most: every request of a group waits for the last one, and this much takes some ms. A
/// larger request is a group of its own.
const GROUP_BYTES_MAX: usize = 4 << 20;

/// Streams looked at by one sweep, 1 ms or so: a million are seen in 10 s.
const SWEEP_LOOKS: u32 = 25_000;

/// The state of one shard.
#[derive(Debug)]
pub(crate) struct Shard {
    index: ShardIndex,
    membership: Membership,
    streams: Streams,
    catalog: Catalog,
    clock: TickClock,
    desks: Vec<Desk>,
    heartbeat_ticks: u64,
    /// Nothing new may be told to have been 0 at or before this time.
    floor: UnixMillis,
    /// Where the look at which streams live goes on.
    looked_at: u32,
    scratch: Scratch,
    /// Points that are counted together; empty between requests.
    group: Group<Origin>,
    metrics: ShardMetrics,
}

/// A request that is counted and not answered yet.
struct Counted {
    reply: oneshot::Sender<Result<Answered, Fenced>>,
    answer: ExportAnswer,
    reservation: Reservation,
}

impl Shard {
    /// A shard without streams, which exports to this many destinations.
    pub(crate) fn new(
        settings: &Settings,
        index: ShardIndex,
        membership: Membership,
        destinations: usize,
        metrics: ShardMetrics,
    ) -> Self {
        let never = UnixMillis(0);
        Self {
            index,
            membership,
            streams: Streams::new(settings.accumulate),
            catalog: Catalog::new(settings.translation.clone()),
            clock: TickClock::new(settings.export_interval, never),
            desks: (0..destinations).map(|_| Desk::new(never)).collect(),
            heartbeat_ticks: settings.heartbeat_ticks(),
            floor: never,
            looked_at: 0,
            scratch: Scratch::new(),
            group: Group::default(),
            metrics,
        }
    }

    /// Which shard it is.
    pub(crate) fn index(&self) -> ShardIndex {
        self.index
    }

    /// Takes up the state that `journal` has kept.
    pub(crate) fn recover(&mut self, journal: &mut impl Journal) -> Result<(), PersistError> {
        let latest = match journal.recover(&mut self.streams)? {
            Recovered::Whole { latest } => latest,
            Recovered::Lost => {
                self.floor = clock::now().millis();
                self.floor
            }
        };
        self.clock.not_before(latest);
        self.desks.iter_mut().for_each(|desk| *desk = Desk::new(latest));
        let generation = self.streams.generation();
        for slot in 0..self.streams.slots() {
            let Some(stream) = self.streams.get(slot) else { continue };
            self.catalog.enter(slot, stream.identity(), generation);
            self.catalog.set_live(slot, stream.ended().is_none(), generation);
        }
        self.show_streams();
        Ok(())
    }

    /// Serves events until [`Event::Stop`], or until nobody can send any more.
    pub(crate) fn run(mut self, journal: &mut impl Journal, mut events: mpsc::Receiver<Event>) {
        let mut next = events.blocking_recv();
        while let Some(event) = next {
            let after = match event {
                Event::Request(first) => self.requests(first, journal, &mut events),
                Event::Stop { reply } => {
                    let _asker_gone = reply.send(journal.close(&self.streams, self.clock.latest()));
                    return;
                }
                event => {
                    self.serve(event, journal, clock::now());
                    None
                }
            };
            self.metrics.mailbox.set(i64::try_from(events.len()).unwrap_or(i64::MAX));
            next = after.or_else(|| events.blocking_recv());
        }
    }

    /// Counts the requests that wait, commits, answers. Gives back the event that ended the group.
    fn requests(
        &mut self,
        first: Admitted,
        journal: &mut impl Journal,
        events: &mut mpsc::Receiver<Event>,
    ) -> Option<Event> {
        let (now, begun) = (clock::now(), Instant::now());
        let mut counted = Vec::new();
        let (mut bytes, mut next) = (0, Ok(Event::Request(first)));
        while let Ok(Event::Request(request)) = next {
            bytes += request.bytes.len();
            counted.extend(self.request(request, journal, now));
            next = if bytes < GROUP_BYTES_MAX { events.try_recv() } else { Err(mpsc::error::TryRecvError::Empty) };
        }
        let receipt = commit(journal);
        for Counted { reply, answer, reservation } in counted {
            drop(reservation);
            let _sender_gone = reply.send(Ok(Answered::new(&receipt, answer)));
        }
        self.metrics.apply.observe(begun.elapsed().as_secs_f64());
        next.ok()
    }

    /// Counts one request, if the fence lets it through.
    fn request(&mut self, request: Admitted, journal: &mut impl Journal, now: UnixNanos) -> Option<Counted> {
        let Admitted { bytes, theirs, reply, reservation } = request;
        match fence(&self.membership, theirs) {
            Verdict::Go => {}
            Verdict::Adopt(newer) => {
                let (from, to) = (self.membership.epoch(), newer.epoch());
                tracing::info!(shard = %self.index, %from, %to, "worker adopts a newer membership of as many shards");
                self.membership = newer;
            }
            Verdict::Refuse(fenced) => {
                let _sender_gone = reply.send(Err(fenced));
                return None;
            }
        }
        Some(Counted { reply, answer: self.count(&bytes, journal, now), reservation })
    }

    fn show_streams(&self) {
        let count = self.catalog.count();
        self.metrics.live.set(i64::from(count.live));
        self.metrics.idle.set(i64::from(count.ended));
    }

    fn is_alone(&self) -> bool {
        self.membership.shards() == ShardCount::ONE
    }
}

/// Makes what was changed durable.
///
/// # Panics
///
/// Where the journal can not: see the module's documentation.
fn commit(journal: &mut impl Journal) -> Receipt {
    match journal.commit() {
        Ok(receipt) => receipt,
        Err(error) => panic!("the journal failed: {}", shardset_process::logging::chain(&error)),
    }
}
