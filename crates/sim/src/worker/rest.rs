//! Streams that are silent leave memory for the disk, and come back with their next point or when a membership needs to know
//! more of them; by the rules of the real shell.

use std::collections::BTreeMap;

use shardset_accumulate::{Place, Stream};
use shardset_journal::storage::faulty::MemoryDisk;
use shardset_journal::{ColdError, ColdStore, Location};
use shardset_model::{Membership, Receipt, StreamId};

use super::{Process, Worker};
use crate::catalog::{Points, points_of};
use crate::scene::Scene;
use crate::violation::Invariant;

/// What was put at a place last, by what the simulation knows.
pub(super) type Kept = BTreeMap<Place, Points>;

impl Process {
    /// Whether a membership can be taken; if what it needs to know can not be read, not.
    pub(super) fn is_ready_for(&mut self, told: &Membership) -> bool {
        let mut next = self.shard.to_wake_for(told, None);
        while let Some(stream) = next {
            if !self.wake(stream) {
                return false;
            }
            next = self.shard.to_wake_for(told, Some(stream));
        }
        true
    }

    /// Takes a stream back into memory, if it is not there; `false` where it can not be read.
    pub(super) fn wake(&mut self, stream: StreamId) -> bool {
        let Some(place) = self.shard.streams().place_of(stream) else { return true };
        let Ok(encoded) = self.cold.read(location(place)) else { return false };
        self.shard.wake(&encoded, &mut self.changes).is_ok()
    }

    /// Encodes the streams in some slots and keeps them durably.
    fn keep(&mut self, encoded: &[Vec<u8>]) -> Option<Vec<Place>> {
        let mut places = Vec::new();
        for stream in encoded {
            match self.cold.append(stream) {
                Ok(location) => places.push(place(location)),
                Err(_) => break,
            }
        }
        if places.len() == encoded.len() && self.cold.sync().is_ok() {
            return Some(places);
        }
        places.into_iter().for_each(|place| self.cold.release(location(place)));
        None
    }

    /// Slots of streams that have ended, whose last total the backend has, and which are told nothing that it may still get.
    fn choose(&self) -> Vec<u32> {
        let streams = self.shard.streams();
        let is_done = |slot: &u32| {
            streams.get(*slot).is_some_and(|stream| {
                let stored = self.stored.get(&stream.id()).copied();
                let is_known = stream.ended().is_some() && stored == points_of(&stream.value());
                is_known && !stream.is_away() && !self.is_under_way(stream)
            })
        };
        (0..streams.slots()).filter(is_done).take(2).collect()
    }

    /// Whether a sample of a stream is under way that is later than those that it is known to have been told with.
    fn is_under_way(&self, stream: Stream<'_>) -> bool {
        let mut tellings = self.told.values().flatten().filter(|telling| telling.id == stream.id());
        tellings.any(|telling| stream.told().is_none_or(|told| telling.time > told))
    }
}

impl Worker {
    /// Lets some streams leave memory, forgets what is kept for too long, and moves what is in the way.
    pub(super) fn rest(&mut self, scene: &mut Scene) {
        let Some(process) = &mut self.process else { return };
        if process.shard.may_lay_down() {
            let chosen = process.choose();
            let (mut encoded, mut totals) = (Vec::new(), Vec::new());
            for slot in &chosen {
                let mut bytes = Vec::new();
                process.shard.streams().encode_stream(*slot, &mut bytes);
                encoded.push(bytes);
                totals.push(process.shard.streams().get(*slot).and_then(|stream| points_of(&stream.value())));
            }
            let places = if chosen.is_empty() { None } else { process.keep(&encoded) };
            for ((slot, place), total) in chosen.into_iter().zip(places.unwrap_or_default()).zip(totals) {
                process.shard.lay_down(slot, place, &mut process.changes);
                self.kept.insert(place, total.unwrap_or(0));
                scene.ledger.counts.laid_down += 1;
            }
        }
        self.move_kept();
    }

    /// Moves what is kept in a file of which little is needed.
    fn move_kept(&mut self) {
        let Some(process) = self.process.as_mut().filter(|process| !process.shard.is_moving()) else { return };
        let Some(file) = process.cold.compaction_candidate() else { return };
        let mut found = Vec::new();
        let mut next = process.shard.streams().next_idle(None);
        while let Some((stream, place)) = next {
            found.extend((place.file == file).then_some((stream, place)));
            next = process.shard.streams().next_idle(Some(stream));
        }
        let read: Option<Vec<Vec<u8>>> =
            found.iter().map(|(_, place)| process.cold.read(location(*place)).ok()).collect();
        let places = read.and_then(|encoded| process.keep(&encoded)).unwrap_or_default();
        for ((stream, from), to) in found.into_iter().zip(places) {
            process.shard.streams_mut().move_idle(stream, to, &mut process.changes);
            let points = self.kept.get(&from).copied().unwrap_or(0);
            self.kept.insert(to, points);
        }
    }

    /// What is not needed any more by what is durable now goes.
    pub(super) fn clean(&mut self, receipt: &Receipt) {
        let Some(process) = &mut self.process else { return };
        let released = process.shard.streams_mut().take_released();
        if !released.is_empty() {
            released.into_iter().for_each(|place| process.cold.release(location(place)));
            // What can not be removed now is removed with the next one.
            drop(process.cold.delete_unreferenced(receipt));
        }
    }

    /// What a shard says is kept elsewhere is there, and is what was put there.
    pub(super) fn check_kept(
        &self,
        shard: &shardset_handoff::Shard,
        cold: &mut ColdStore<MemoryDisk>,
        scene: &mut Scene,
    ) {
        let mut next = shard.streams().next_idle(None);
        while let Some((stream, place)) = next {
            let is_damaged = matches!(cold.read(location(place)), Err(ColdError::Damaged(_)));
            if cold.mark_live(location(place)).is_err() || is_damaged || !self.kept.contains_key(&place) {
                scene.violate(Invariant::Durable, || format!("w{}: a stream is not at {place:?}", self.index));
            }
            next = shard.streams().next_idle(Some(stream));
        }
    }
}

pub(super) const fn location(place: Place) -> Location {
    Location { file: place.file, offset: place.offset, length: place.length }
}

const fn place(location: Location) -> Place {
    Place { file: location.file, offset: location.offset, length: location.length }
}
