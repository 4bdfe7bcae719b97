//! Everything that a shard is asked besides counting: pieces of passes and of scrapes, and sweeps.

use shardset_accumulate::Change;
use shardset_export::{Exposition, FamilyType};
use shardset_journal::Storage;
use shardset_model::{Exemplar, UnixNanos, Value};

use super::catalog::FamilyKey;
use super::mailbox::{Chunk, Event, Telling, TextPart};
use super::{SWEEP_LOOKS, Shard, View};
use crate::export::LOOKS_MAX;

/// Families listed at a time.
const FAMILIES_MAX: usize = 512;
/// Streams told as text at a time, and bytes of text.
const TEXT_MEMBERS_MAX: usize = 1_000;
const TEXT_BYTES_MAX: usize = 128 * 1024;

impl<S: Storage> Shard<S> {
    /// Serves an event that is neither a request nor the end.
    pub(super) fn serve(&mut self, event: Event, now: UnixNanos) {
        match event {
            Event::OpenPass { destination, stamp, reply } => {
                let upto = self.core.streams_mut().begin_pass();
                self.desks[destination].open(upto, stamp, &mut self.clock, now);
                let _asker_gone = reply.send(());
            }
            Event::NextChunk { destination, reply } => {
                let _asker_gone = reply.send(self.chunk(destination, now));
            }
            Event::Delivered { destination, told, again } => {
                self.delivered(destination, &told);
                self.desks[destination].tell_again(&again, true);
            }
            Event::ClosePass { destination, reply } => {
                let _asker_gone = reply.send(self.desks[destination].close());
            }
            Event::Families { after, reply } => {
                let families = self.catalog.families_after(after.as_ref()).take(FAMILIES_MAX);
                let _asker_gone = reply.send(families.map(|(key, _)| key.clone()).collect());
            }
            Event::Text { family, from, exposition, reply } => {
                // What is not durable is not told: without an answer the scrape fails.
                if self.persist.is_able() {
                    let _asker_gone = reply.send(self.text(&family, from, exposition));
                }
            }
            Event::Sweep => self.sweep(now),
            Event::Limit { streams_max } => self.core.streams_mut().limit(streams_max),
            Event::Adopt { .. }
            | Event::Report { .. }
            | Event::Unfinished { .. }
            | Event::NextMessage { .. }
            | Event::Replied { .. } => self.serve_handoff(event),
            Event::Request(_) | Event::Receive { .. } | Event::Committed | Event::Stop { .. } => {
                unreachable!("served by the thread's loop")
            }
        }
    }

    /// The next piece of a destination's pass. What it tells is durable, and what a next life must know of it is too.
    fn chunk(&mut self, destination: usize, now: UnixNanos) -> Chunk {
        let wait = Chunk { wait: true, ..Chunk::empty(self.desks[destination].protocol()) };
        if !self.persist.is_able() {
            return wait;
        }
        let tick = self.clock.current(now);
        let mut view = View {
            alone: self.is_alone(),
            streams: self.core.streams(),
            catalog: &mut self.catalog,
            metrics: &self.metrics,
            looks_max: LOOKS_MAX,
            heartbeat_ticks: self.heartbeat_ticks,
        };
        let chunk = self.desks[destination].chunk(&mut view, tick);
        let changes = self.persist.changes();
        self.core.stamp(self.desks[destination].last(), changes);
        for &Telling { slot, time, .. } in chunk.told.iter().filter(|telling| telling.is_zero) {
            self.core.streams_mut().mark_zero(slot, time, false);
            Change::Zero { slot, time, is_told: false }.write(changes);
        }
        match self.persist.commit() {
            Some(_durable) => chunk,
            None => {
                self.desks[destination].tell_again(&chunk.told, false);
                wait
            }
        }
    }

    fn delivered(&mut self, destination: usize, told: &[Telling]) {
        let changes = self.persist.changes();
        self.desks[destination].delivered(told, self.core.streams_mut(), |Telling { slot, time, is_zero, .. }| {
            let zero = Change::Zero { slot, time, is_told: true };
            if is_zero { zero } else { Change::Told { slot, time } }.write(changes);
        });
    }

    /// Text of a family's members from `from` on, as far as one event may go.
    fn text(&mut self, family: &FamilyKey, from: u32, mut exposition: Exposition) -> TextPart {
        let members: Vec<u32> = self.catalog.members(family, from).take(TEXT_MEMBERS_MAX + 1).collect();
        for (told, &member) in members.iter().enumerate() {
            if told == TEXT_MEMBERS_MAX || exposition.len() >= TEXT_BYTES_MAX {
                return TextPart { exposition, next: Some(member) };
            }
            match family.1 {
                FamilyType::Info => self.resource_text(member, &mut exposition),
                _ => self.stream_text(member, &mut exposition),
            }
        }
        TextPart { exposition, next: None }
    }

    fn stream_text(&mut self, slot: u32, exposition: &mut Exposition) {
        let stream = self.core.streams().get(slot);
        let Some(stream) = stream.filter(|stream| stream.ended().is_none() && !stream.is_away()) else { return };
        let Some((family, labels)) = self.catalog.told(slot, stream.identity()) else { return };
        let exemplars: Vec<Exemplar<'_>> = stream.exemplars_since(0).collect();
        if let Err(reason) = exposition.append(family, labels, stream.value(), &exemplars) {
            self.metrics.not_encodable(reason.reason());
        }
    }

    fn resource_text(&mut self, id: u32, exposition: &mut Exposition) {
        let Some((_, resource)) = self.catalog.resources(id).next().filter(|(found, _)| *found == id) else { return };
        if resource.gone.is_some() {
            return;
        }
        let family = self.catalog.target_info();
        if let Err(reason) = exposition.append(family, &resource.labels, Value::Int(1), &[]) {
            self.metrics.not_encodable(reason.reason());
        }
    }

    /// Ends and forgets streams whose time it is, and learns which ones live.
    fn sweep(&mut self, now: UnixNanos) {
        self.persist.tick();
        if !self.persist.is_able() {
            return;
        }
        let mut forgotten = Vec::new();
        let changes = self.persist.changes();
        self.core.streams_mut().sweep(now, SWEEP_LOOKS, |change| {
            if let Change::Forgotten { slot } = change {
                forgotten.push(slot);
            }
            change.write(changes);
        });
        self.lay_down();
        self.tidy_idle(now);
        if self.persist.commit().is_some() {
            self.clean_idle();
        }
        let generation = self.streams().generation();
        self.metrics.forgotten.inc_by(forgotten.len() as u64);
        forgotten.into_iter().for_each(|slot| self.catalog.leave(slot, generation));
        self.look(generation);
        self.show();
        self.begin_checkpoint();
    }

    /// A stream ends by a sweep or by its sender's word and comes back with any point; the catalog is told here, some
    /// slots at a time, rather than at every point.
    fn look(&mut self, generation: u32) {
        let slots = self.streams().slots();
        for _ in 0..SWEEP_LOOKS.min(slots) {
            self.looked_at = (self.looked_at + 1) % slots;
            if let Some(stream) = self.core.streams().get(self.looked_at) {
                self.catalog.set_live(self.looked_at, stream.ended().is_none(), generation);
            }
        }
    }
}
