//! What must hold in every state of the small cluster.

use shardset_handoff::{Rule, holds, owner};
use shardset_model::{Membership, Phase, ShardIndex};

use super::cluster::{Cluster, Ground, NOW, STREAMS, empty};
use super::step::Broken;
use crate::api::Sighting;
use crate::catalog::{Points, points_of, shard, shown};

/// What a worker has of a stream in its total.
#[derive(Clone, Copy, Default)]
struct Total {
    points: Points,
    is_away: bool,
    /// The slot of a stream whose zero was not told yet.
    unborn: Option<u32>,
}

impl Cluster {
    /// Points that do not wait any more were decided on.
    pub(super) fn settle_waiting(&mut self, ground: &Ground) {
        for at in 0..self.waiting.len() {
            for stream in 0..STREAMS {
                if !self.shard(shard(at as u32)).streams().is_parked(ground.catalog.get(stream).id) {
                    self.waiting[at][stream] = 0;
                }
            }
        }
    }

    /// One owner, nothing twice, nothing gone.
    pub(super) fn holds(&self, ground: &Ground) -> Result<(), Broken> {
        for stream in 0..STREAMS {
            let (mut held, mut owners) = (0, Vec::new());
            for (at, shard) in self.shards().enumerate() {
                let total = self.total(at, stream, ground)?;
                held |= self.waiting[at][stream] | total.map_or(0, |total| total.points);
                let counts = total.is_some_and(|total| !total.is_away);
                if counts && !self.is_nobodys(shard.index(), stream, ground) {
                    owners.push(format!("w{at}"));
                }
                if counts && shard.streams().is_parked(ground.catalog.get(stream).id) {
                    return Err(format!("order: points of s{stream} wait at w{at}, which counts newer ones"));
                }
            }
            if owners.len() > 1 {
                return Err(format!("one owner: {} count s{stream}", owners.join(" and ")));
            }
            let gone = self.owed[stream] & !held;
            if gone != 0 {
                return Err(format!("conservation: nobody has {} of s{stream}", shown(gone)));
            }
        }
        Ok(())
    }

    fn total(&self, at: usize, stream: usize, ground: &Ground) -> Result<Option<Total>, Broken> {
        let streams = self.shard(shard(at as u32)).streams();
        let kept = streams.find(ground.catalog.get(stream).id).and_then(|slot| streams.get(slot));
        let Some(kept) = kept else { return Ok(None) };
        let points = points_of(&kept.value());
        let points = points.ok_or_else(|| format!("conservation: w{at} has points of s{stream} twice"))?;
        let unborn = if kept.is_birth_told() { None } else { streams.find(kept.id()) };
        Ok(Some(Total { points, is_away: kept.is_away(), unborn }))
    }

    /// Every worker that is not silent tells its totals whenever it can, and a zero before the first; within a life of a series they do not
    /// fall.
    pub(super) fn export(&mut self, ground: &Ground) -> Result<(), Broken> {
        for at in 0..self.waiting.len() {
            for stream in 0..STREAMS {
                let Some(total) = self.total(at, stream, ground)? else { continue };
                let is_told = !total.is_away || !holds(Rule::AwayIsSilent);
                let worker = shard(at as u32);
                let is_silent = ground.scope.silent == Some(worker.get());
                if !is_told || is_silent || self.is_nobodys(worker, stream, ground) {
                    continue;
                }
                let lowest = if total.unborn.is_some() { 0 } else { total.points };
                if lowest < self.told[stream] {
                    let (before, after) = (shown(self.told[stream]), shown(lowest));
                    return Err(format!("no going back: s{stream} falls from {before} to {after}"));
                }
                if let Some(slot) = total.unborn {
                    self.change(worker, |shard| shard.streams_mut().mark_zero(slot, NOW.millis(), true));
                }
                self.told[stream] = total.points;
            }
        }
        Ok(())
    }

    /// What is lost with a disk is what nobody else has; see `crate::loss`, which does the same for the simulator.
    pub(super) fn lose_disk(&mut self, worker: ShardIndex, ground: &Ground) {
        let (at, incarnation) = (worker.position(), self.shard(worker).incarnation());
        self.lost_disks -= 1;
        for stream in 0..STREAMS {
            let total = |at: usize| self.total(at, stream, ground).ok().flatten().unwrap_or_default();
            let mine = total(at).points | self.waiting[at][stream];
            let (mut safe, mut sent_again) = (0, 0);
            for other in (0..self.waiting.len()).filter(|other| *other != at) {
                let theirs = total(other);
                safe |= self.waiting[other][stream] | if theirs.is_away { 0 } else { theirs.points };
                let sends = theirs.is_away && self.still_sends(other, worker, stream, ground);
                sent_again |= if sends { theirs.points } else { 0 };
            }
            self.lose(stream, mine & !safe & !sent_again);
            if mine & !safe & sent_again != 0 {
                self.doubts.push((worker, incarnation, stream, mine & !safe & sent_again));
            }
        }
        self.waiting[at] = [0; STREAMS];
        self.change(worker, |shard| *shard = empty(worker, (incarnation.get() >> 8) + 1));
    }

    fn still_sends(&self, from: usize, to: ShardIndex, stream: usize, ground: &Ground) -> bool {
        let series = ground.catalog.get(stream);
        self.shard(shard(from as u32)).membership().is_some_and(|mine| {
            let has_ended = |m: &Membership| m.epoch() == mine.epoch() && m.phase() == Phase::Stable;
            let goes_there = owner(mine, series.id, &series.identity).0 == to;
            mine.phase() == Phase::Moving && goes_there && !self.published.iter().any(has_ended)
        })
    }

    /// The end of a move is published, by one who saw this.
    pub(super) fn ended(&mut self, membership: &Membership, sighting: &Sighting, ground: &Ground) {
        for (worker, incarnation, stream, points) in std::mem::take(&mut self.doubts) {
            if sighting.incarnations.get(&worker) == Some(&incarnation) {
                self.lose(stream, points);
            }
        }
        let Some(given_up) = sighting.given_up.first() else { return };
        for stream in 0..STREAMS {
            let series = ground.catalog.get(stream);
            let (owner, _) = owner(membership, series.id, &series.identity);
            let total = self.total(owner.position(), stream, ground).ok().flatten().unwrap_or_default();
            let kept = self.waiting[owner.position()][stream] | if total.is_away { 0 } else { total.points };
            self.lose(stream, !kept);
        }
        self.nobodys = Some((*given_up, membership.clone()));
    }

    /// Whether a worker that was given up, and has not heard of it, has something that another owns.
    pub(super) fn is_nobodys(&self, worker: ShardIndex, stream: usize, ground: &Ground) -> bool {
        let series = ground.catalog.get(stream);
        self.nobodys.as_ref().is_some_and(|(given_up, under)| {
            let known = self.shard(worker).membership().map(Membership::epoch);
            let has_heard = known.is_none_or(|known| known >= under.epoch());
            *given_up == worker && !has_heard && owner(under, series.id, &series.identity).0 != worker
        })
    }

    fn lose(&mut self, stream: usize, points: Points) {
        if points != 0 {
            self.owed[stream] &= !points;
            self.told[stream] = 0;
        }
    }
}
