//! Export: tells the destinations what the streams have become, on the worker's clock.
//!
//! There is no queue of samples. Each destination has one task that, tick by tick, pulls a *pass* out of the shard piece by
//! piece and delivers each piece until it is taken; the next pass begins when the last one is delivered completely. While a
//! backend is away, ticks are left out and nothing piles up but the few pieces in flight: totals are cumulative, so the pass
//! that gets through tells everything (`moments`).
//!
//! Pieces of one pass hold different streams, so several may be in flight; two passes may not, since backends want the
//! samples of a series in order.
//!
//! At a stop every destination gets one last pass, as far as the grace period allows.

mod clock;
mod moments;
mod pass;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use shardset_export::{Delivered, Destination, Stopped};
use shardset_process::clock::now;
use thiserror::Error;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) use self::clock::TickClock;
use self::clock::until_next;
pub(crate) use self::pass::{Desk, LOOKS_MAX, View};
use crate::metrics::DestinationMetrics;
use crate::shard::{Chunk, Event, Gone, Mailbox, PassStamp, Telling};

/// Pieces of one pass that are under way at a time: one that the backend stores, one on the wire, one being made. A piece is
/// about 1 MiB, so this is also what a backend costs while it is away.
pub const CHUNKS_IN_FLIGHT_MAX: usize = 3;

/// A piece that takes longer than this many ticks to deliver may be refused for its age, and is made again then. A piece
/// that is refused at once would be refused again.
const OLD_AFTER_TICKS: u32 = 4;

/// How long to wait where nothing can be told because nothing can be made durable.
const WAIT: Duration = Duration::from_millis(250);

/// Where a worker exports to.
#[derive(Clone, Debug)]
pub struct ExportTo {
    /// What it is called in metrics, logs and the checkpoint: unique, and the same after a restart.
    pub name: String,
    /// How it is reached. Workers of one process may share it.
    pub destination: Arc<Destination>,
}

/// Asks exporters to stop: first to finish, then to give up.
#[derive(Clone, Debug, Default)]
pub(crate) struct StopExport {
    /// No more ticks: one last pass, then end.
    pub(crate) finish: CancellationToken,
    /// The grace period is over: what is not delivered yet stays undelivered.
    pub(crate) give_up: CancellationToken,
}

/// Why a pass came to no end.
#[derive(Debug, Error)]
pub(crate) enum Broken {
    /// The shard ended first.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// The process stops and the destination does not answer.
    #[error(transparent)]
    GaveUp(#[from] Stopped),
    /// A bug of ours.
    #[error("a delivery ended before its time")]
    Panicked(#[from] JoinError),
}

/// The way of one shard's streams to one destination.
#[derive(Debug)]
pub(crate) struct Exporter {
    pub(crate) index: usize,
    pub(crate) to: ExportTo,
    pub(crate) interval: Duration,
    pub(crate) mailbox: Mailbox,
    pub(crate) metrics: DestinationMetrics,
    pub(crate) stop: StopExport,
}

impl Exporter {
    /// Exports tick by tick until asked to stop, then once more.
    ///
    /// # Errors
    ///
    /// A panic of a delivery. A shard that is gone or a grace period that is over end it without an error: the one says so
    /// itself, the other is said here.
    pub(crate) async fn run(self) -> Result<(), JoinError> {
        match self.ticks().await {
            Ok(()) | Err(Broken::Gone(_)) => Ok(()),
            Err(Broken::GaveUp(_)) => {
                let destination = &self.to.name;
                tracing::warn!(
                    destination,
                    "the destination did not take everything before the stop; the rest goes out after the next start"
                );
                Ok(())
            }
            Err(Broken::Panicked(error)) => Err(error),
        }
    }

    async fn ticks(&self) -> Result<(), Broken> {
        loop {
            match self.stop.finish.run_until_cancelled(self.next_tick()).await {
                Some(()) => self.pass(PassStamp::Tick).await?,
                None => return self.pass(PassStamp::Now).await,
            }
        }
    }

    /// Waits for the next tick of the wall clock, which may run more slowly than the one that sleeps are measured by.
    async fn next_tick(&self) {
        tokio::time::sleep(until_next(self.interval, now())).await;
        let left = until_next(self.interval, now());
        if left < self.interval / 4 {
            tokio::time::sleep(left).await;
        }
    }

    /// One pass: pulls piece by piece, as fast as the destination takes them.
    async fn pass(&self, stamp: PassStamp) -> Result<(), Broken> {
        let destination = self.index;
        self.mailbox.ask(|reply| Event::OpenPass { destination, stamp, reply }).await?;
        let mut under_way = JoinSet::new();
        loop {
            let chunk = self.mailbox.ask(|reply| Event::NextChunk { destination, reply }).await?;
            if chunk.wait {
                if self.stop.give_up.run_until_cancelled(tokio::time::sleep(WAIT)).await.is_none() {
                    return Err(Stopped.into());
                }
                continue;
            }
            let last = chunk.last;
            if !chunk.batch.is_empty() {
                self.metrics.samples.inc_by(chunk.batch.samples() as u64);
                let (to, give_up) = (Arc::clone(&self.to.destination), self.stop.give_up.clone());
                under_way.spawn(deliver(to, chunk, self.interval * OLD_AFTER_TICKS, give_up));
            }
            let allowed = if last { 0 } else { CHUNKS_IN_FLIGHT_MAX - 1 };
            self.settle(&mut under_way, allowed).await?;
            if last && self.mailbox.ask(|reply| Event::ClosePass { destination, reply }).await? {
                break;
            }
        }
        self.metrics.passes.inc();
        Ok(())
    }

    /// Waits until no more than `allowed` pieces are under way.
    async fn settle(&self, under_way: &mut Deliveries, allowed: usize) -> Result<(), Broken> {
        while under_way.len() > allowed {
            let Some(delivered) = under_way.join_next().await else { break };
            let Piece { told, again } = delivered??;
            self.mailbox.send(Event::Delivered { destination: self.index, told, again }).await?;
            self.metrics.chunks.inc();
        }
        Ok(())
    }
}

/// Pieces under way.
type Deliveries = JoinSet<Result<Piece, Stopped>>;

/// A piece that came to its end.
struct Piece {
    /// What it told.
    told: Vec<Telling>,
    /// What it told too late, or with others that are refused.
    again: Vec<Telling>,
}

/// Delivers a piece. What takes longer than `old_after` is old.
async fn deliver(
    to: Arc<Destination>,
    chunk: Chunk,
    old_after: Duration,
    give_up: CancellationToken,
) -> Result<Piece, Stopped> {
    let made = Instant::now();
    let delivered = to.deliver(&chunk.batch, &give_up).await?;
    Ok(Piece::of(chunk.told, chunk.batch.entries(), &delivered, made.elapsed() >= old_after))
}

impl Piece {
    /// What became of a piece of so many entries. What an old piece is refused for its age was right when it was made; a zero that is
    /// refused for it may have been put too far back, and what is given up with others that are refused may be right: these get one
    /// more chance.
    fn of(all: Vec<Telling>, entries: usize, delivered: &Delivered, is_old: bool) -> Self {
        if delivered.aged.is_empty() && delivered.unproven.is_empty() {
            return Self { told: all, again: Vec::new() };
        }
        let ends = all.iter().skip(1).map(|next| next.entry).chain([entries]);
        let (mut told, mut again) = (Vec::new(), Vec::new());
        for (telling, end) in all.iter().zip(ends) {
            let is_in = |runs: &[Range<usize>]| runs.iter().any(|run| run.start < end && telling.entry < run.end);
            let is_first = !telling.is_again;
            let is_late = is_in(&delivered.aged) && (is_old || telling.is_zero && is_first);
            let is_unproven = is_in(&delivered.unproven) && is_first;
            if is_late || is_unproven { again.push(*telling) } else { told.push(*telling) }
        }
        Self { told, again }
    }
}

#[cfg(test)]
mod tests {
    use shardset_model::UnixMillis;

    use super::*;

    #[test]
    fn what_may_be_taken_as_it_is_later_is_told_again() {
        let telling = |slot, entry, is_zero, is_again| Telling { slot, time: UnixMillis(1), entry, is_zero, is_again };
        let all = vec![
            telling(0, 0, false, false),
            telling(1, 2, true, false),
            telling(2, 3, true, true),
            telling(3, 4, false, false),
            telling(4, 6, false, true),
        ];
        let again = |aged: Range<usize>, unproven: Range<usize>, is_old| {
            let delivered = Delivered { aged: vec![aged], unproven: vec![unproven], ..Delivered::default() };
            let piece = Piece::of(all.clone(), 7, &delivered, is_old);
            assert_eq!(piece.told.len() + piece.again.len(), all.len());
            piece.again.iter().map(|telling| telling.slot).collect::<Vec<_>>()
        };
        assert_eq!(again(0..4, 0..0, true), [0, 1, 2], "all that an old piece is refused for its age");
        assert_eq!(again(0..4, 0..0, false), [1], "a zero that may be nearer, once");
        assert_eq!(again(0..0, 1..7, false), [0, 1, 3], "what was given up with others, once");
        assert_eq!(again(0..0, 0..0, true), [0_u32; 0]);
    }
}
