//! Exporting: a simple pass over all streams at each tick, by the rules of the real one.
//!
//! A sample is later than every sample that any owner of its stream may have told, which the stream and the stamp remember;
//! both are durable before the sample leaves. The first value of a stream has a zero right before it.

use shardset_accumulate::{Change, Stream};
use shardset_handoff::{Rule, holds};
use shardset_model::{UnixMillis, UnixNanos};

use super::commit::Pending;
use super::{Telling, Worker};
use crate::catalog::points_of;
use crate::message::Sample;
use crate::node::SECOND;
use crate::queue::Event;
use crate::scene::Scene;

/// Ticks lie on multiples of this, in ns.
const TICK: u64 = 1_000_000_000;

/// Samples under way, and whom to note as told when they are stored.
#[derive(Default)]
struct Pass {
    samples: Vec<Sample>,
    told: Vec<Telling>,
}

impl Worker {
    pub(super) fn tick(&mut self, scene: &mut Scene) {
        let Some(process) = &mut self.process else { return };
        let delay = scene.around(SECOND);
        scene.after(delay, Event::Tick { worker: self.index, life: self.life });
        if process.is_failing {
            return;
        }
        let earlier = process.ticked.max(process.shard.latest());
        // As the real ticks these lie on multiples of the interval, so that workers stamp alike.
        let now = scene.clock(self.ahead);
        let time = UnixNanos(now.0 - now.0 % TICK).millis().max(earlier.plus_millis(1));
        let mut pass = Pass::default();
        for slot in 0..self.slots() {
            self.tell(slot, time, earlier, &mut pass, scene);
        }
        let Some(process) = &mut self.process else { return };
        let latest = pass.told.iter().map(|telling| telling.time).fold(time, UnixMillis::max);
        process.ticked = latest;
        if pass.samples.is_empty() {
            return;
        }
        process.shard.stamp(latest, &mut process.changes);
        process.passes += 1;
        let number = process.passes;
        process.told.insert(number, pass.told);
        process.pending.push(Pending::Samples { pass: number, samples: pass.samples });
        self.commit_soon(scene);
    }

    fn slots(&self) -> u32 {
        self.process.as_ref().map_or(0, |process| process.shard.streams().slots())
    }

    fn tell(&mut self, slot: u32, tick: UnixMillis, earlier: UnixMillis, pass: &mut Pass, scene: &mut Scene) {
        let Some(process) = &mut self.process else { return };
        let Some(stream) = process.shard.streams().get(slot).filter(|stream| is_exported(*stream)) else { return };
        let (id, start, told) = (stream.id(), stream.start(), stream.told());
        let teller = (self.index, process.shard.incarnation());
        let Some(total) = points_of(&stream.value()) else { return };
        let Some(number) = scene.catalog.numbers().find(|number| scene.catalog.get(*number).id == id) else { return };
        let time = told.filter(|told| *told > tick).map_or(tick, |told| told.plus_millis(1));
        let (life, given_up) = (scene.ledger.get(number).life, self.is_nobodys(number, scene));
        let sample = Sample { stream: number, time, total, start, life, given_up, teller };
        let Some(process) = &mut self.process else { return };
        if told.is_none() {
            process.shard.streams_mut().mark_zero(slot, time, false);
            Change::Zero { slot, time, is_told: false }.write(&mut process.changes);
            let before = time.minus_millis(1);
            if before > earlier {
                pass.samples.push(Sample { time: before, total: 0, ..sample });
            }
        }
        pass.samples.push(sample);
        pass.told.push(Telling { slot, id, time, total });
    }
}

fn is_exported(stream: Stream<'_>) -> bool {
    !stream.is_away() || !holds(Rule::AwayIsSilent)
}
