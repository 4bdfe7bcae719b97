//! What a worker does with messages.

use shardset_handoff::{Adopted, Fenced, Progress, SlotChange, Source, Taken, Verdict, owner};
use shardset_model::{Membership, ShardIndex};

use super::commit::Pending;
use super::{Process, Telling, Worker};
use crate::catalog::Delta;
use crate::message::{Answer, Payload};
use crate::node::Node;
use crate::scene::Scene;
use crate::violation::Invariant;

impl Worker {
    /// A message arrives. A process that can not commit takes nothing.
    pub(crate) fn receive(&mut self, from: Node, payload: &Payload, scene: &mut Scene) {
        let Some(process) = &mut self.process else { return };
        match payload {
            Payload::Export { request, .. } if process.is_failing => {
                scene.send(self.node(), from, Payload::Exported { request: *request, answer: Answer::Busy });
                return;
            }
            _ if process.is_failing => return,
            Payload::Export { request, membership, points } => {
                self.export(from, *request, membership, points, scene);
            }
            Payload::Arrived(reply) => {
                let Node::Worker(to) = from else { return };
                process.shard.replied(to, reply, &mut process.changes);
                if process.changes.is_empty() {
                    self.send_next(to, scene);
                    return;
                }
                process.sends_for = None;
            }
            Payload::Adopt(adopt) if !process.is_ready_for(&adopt.membership) => {}
            Payload::Handoff(message) if !process.is_ready_for(&message.membership) => {}
            Payload::Handoff(message) => self.handoff(from, message, scene),
            Payload::Adopt(adopt) => {
                let adopted = process.shard.adopt(adopt, &mut process.changes);
                scene.note(self.node(), || format!("told {}: {adopted:?}", adopt.membership.epoch()));
                conflicts(adopted, &adopt.membership, scene);
            }
            Payload::Ask { round } => process.pending.push(Pending::Report { to: from, round: *round }),
            Payload::Stored { pass } => self.stored(*pass),
            _ => return,
        }
        self.settle_waiting(scene);
        self.commit_soon(scene);
        self.bury(scene);
    }

    fn export(&mut self, from: Node, request: u64, theirs: &Membership, points: &[Delta], scene: &mut Scene) {
        let now = scene.clock(self.ahead);
        let Some(process) = &mut self.process else { return };
        let ids: Vec<_> = points.iter().map(|delta| scene.catalog.get(delta.stream).id).collect();
        let answer = match process.fence(theirs, scene) {
            None => Answer::Busy,
            Some(Err(fenced)) => Answer::Fenced(fenced),
            Some(Ok(())) if !process.shard.has_room_to_park() => Answer::Busy,
            Some(Ok(())) if !ids.into_iter().all(|id| process.wake(id)) => Answer::Busy,
            Some(Ok(())) => {
                let mut refused = Vec::new();
                for delta in points {
                    let series = scene.catalog.get(delta.stream);
                    let (point, identity) = (delta.point(&scene.catalog), series.identity.clone());
                    match process.shard.take_point(&point, |_| identity, now, &mut process.changes) {
                        Ok(Taken::Applied(_)) => {}
                        Ok(Taken::Parked) => {
                            self.waiting.memory[delta.stream] |= delta.bit();
                            scene.ledger.counts.parked += 1;
                        }
                        Ok(Taken::Foreign) => {
                            let what = || format!("w{}: s{} came through and is not its own", self.index, delta.stream);
                            scene.violate(Invariant::Fence, what);
                        }
                        Err(refusal) => refused.push((*delta, refusal)),
                    }
                }
                Answer::Done { refused }
            }
        };
        process.pending.push(Pending::Exported { to: from, request, answer, points: points.to_vec() });
    }

    fn handoff(&mut self, from: Node, message: &shardset_handoff::Message, scene: &mut Scene) {
        let Some(process) = &mut self.process else { return };
        let epoch = |process: &Process| process.shard.membership().map(Membership::epoch);
        let before = epoch(process);
        process.shard.take_slot_changes();
        match process.shard.receive(message, &mut process.changes) {
            Ok(reply) => process.pending.push(Pending::Handoff { to: from, reply }),
            Err(error) => scene.violate(Invariant::Replay, || format!("w{}: a chunk: {error}", self.index)),
        }
        if matches!(message.progress, Progress::Chunk { .. }) && before == epoch(process) {
            self.check_arrivals(message.from, scene);
        }
    }

    /// Who came in a chunk came from its owner before, and to its owner now.
    fn check_arrivals(&mut self, from: ShardIndex, scene: &mut Scene) {
        let Some(process) = &mut self.process else { return };
        for change in process.shard.take_slot_changes() {
            let (SlotChange::Entered(slot), Some(membership)) = (change, process.shard.membership()) else { continue };
            let Some(stream) = process.shard.streams().get(slot) else { continue };
            scene.ledger.counts.arrived += 1;
            let owners = owner(membership, stream.id(), stream.identity());
            if owners != (self.index, from) {
                let what =
                    || format!("w{from} sent w{} a stream that goes from w{} to w{}", self.index, owners.1, owners.0);
                scene.violate(Invariant::LeastMovement, what);
            }
        }
    }

    /// Points that do not wait any more were decided on. Where a stream's memory does not reach back, one that was acknowledged
    /// while it waited may be older than what the memory knows when it comes: then it can not count. The protocol has no
    /// answer to that, so it is not owed; nowhere else.
    pub(super) fn settle_waiting(&mut self, scene: &mut Scene) {
        for stream in scene.catalog.numbers() {
            let id = scene.catalog.get(stream).id;
            let waits = |process: &Process| process.shard.streams().is_parked(id);
            if self.waiting.memory[stream] == 0 || self.process.as_ref().is_none_or(waits) {
                continue;
            }
            let waited = std::mem::take(&mut self.waiting.memory[stream]);
            let held = self.held(stream, scene).unwrap_or_default();
            if scene.weather.is_forgetful() {
                scene.ledger.too_old(stream, waited & !held.all());
            }
        }
    }

    /// Some samples are stored: their streams are told.
    fn stored(&mut self, pass: u64) {
        let Some(process) = &mut self.process else { return };
        for Telling { slot, id, time, total } in process.told.remove(&pass).unwrap_or_default() {
            process.stored.insert(id, total);
            let streams = process.shard.streams_mut();
            if streams.get(slot).is_some_and(|stream| stream.id() == id) {
                streams.mark_told(slot, time);
                shardset_accumulate::Change::Told { slot, time }.write(&mut process.changes);
            }
        }
    }
}

impl Process {
    /// Whether a request may be counted; none where that can not be known now.
    fn fence(&mut self, theirs: &Membership, scene: &mut Scene) -> Option<Result<(), Fenced>> {
        match self.shard.fence(Some(theirs)) {
            Verdict::Go => Some(Ok(())),
            Verdict::Adopt(newer) if !self.is_ready_for(&newer) => None,
            Verdict::Adopt(newer) => {
                let adopted = self.shard.hear(&newer, Source::Peer, &mut self.changes);
                scene.note(Node::Worker(self.shard.index()), || format!("hears {}: {adopted:?}", newer.epoch()));
                conflicts(adopted, &newer, scene);
                Some(Ok(()))
            }
            Verdict::Refuse(fenced) => {
                if let Fenced::Conflict { mine, .. } = &fenced {
                    conflicts(Adopted::Conflict, mine, scene);
                }
                Some(Err(fenced))
            }
        }
    }
}

fn conflicts(adopted: Adopted, membership: &Membership, scene: &mut Scene) {
    if adopted == Adopted::Conflict {
        scene.violate(Invariant::Fence, || format!("two memberships are called {}", membership.epoch()));
    }
}
