//! Committing, and telling what may be told then.

use std::time::Duration;

use shardset_accumulate::Replay;
use shardset_handoff::{Message, Progress};
use shardset_model::{Receipt, Sealed, ShardIndex};

use super::rest::location;
use super::{Attempt, Death, Worker};
use crate::catalog::Delta;
use crate::message::{Answer, Payload, Sample};
use crate::mutation::Mutation;
use crate::node::{MS, Node, Time};
use crate::queue::Event;
use crate::scene::Scene;
use crate::violation::Invariant;

/// After this time a message is sent again.
const ANSWERED_WITHIN: Time = 150 * MS;

/// What waits to be told.
#[derive(Debug)]
pub(super) enum Pending {
    Exported {
        to: Node,
        request: u64,
        answer: Answer,
        points: Vec<Delta>,
    },
    Handoff {
        to: Node,
        reply: Sealed<shardset_handoff::Reply>,
    },
    /// Made when it is told, because it says how things stand durably.
    Report {
        to: Node,
        round: u64,
    },
    Samples {
        pass: u64,
        samples: Vec<Sample>,
    },
}

impl Worker {
    /// Lets what has changed be committed soon.
    pub(super) fn commit_soon(&mut self, scene: &mut Scene) {
        let Some(process) = &mut self.process else { return };
        if scene.mutation == Some(Mutation::SendBeforePersist) {
            // The receipt of an earlier commit opens it.
            let earlier = process.receipt.take();
            if let Some(earlier) = earlier {
                self.release(&earlier, scene);
                self.keep(earlier);
            }
        }
        let Some(process) = &mut self.process else { return };
        if !process.is_commit_due {
            process.is_commit_due = true;
            let delay = scene.random.between(100, scene.weather.commit);
            scene.after(delay, Event::Commit { worker: self.index, life: self.life });
        }
    }

    /// Commits. Whoever can not tries again.
    pub(super) fn commit(&mut self, scene: &mut Scene) {
        let Some(process) = &mut self.process else { return };
        process.is_commit_due = false;
        if !process.changes.is_empty() {
            let attempt = Attempt { changes: process.changes.clone(), waiting: self.waiting.memory.clone() };
            self.attempts.push(attempt);
        }
        match process.journal.commit(&process.changes, Duration::from_micros(scene.now)) {
            Ok(receipt) => self.committed(receipt, scene),
            Err(_) if self.disk.is_dead() => self.die(Death::Crash, scene),
            Err(error) => {
                process.is_failing = true;
                process.is_commit_due = true;
                scene.note(self.node(), || format!("can not commit: {error}"));
                let delay = scene.random.between(5 * MS, 300 * MS);
                scene.after(delay, Event::Commit { worker: self.index, life: self.life });
            }
        }
    }

    fn committed(&mut self, receipt: Receipt, scene: &mut Scene) {
        let Some(process) = &mut self.process else { return };
        process.is_failing = false;
        let durable = self.durable.as_mut().expect("a process has opened its disk");
        if let Err(error) = durable.replay(&process.changes, Replay::Whole) {
            let index = self.index;
            scene.violate(Invariant::Replay, || format!("w{index}: what it committed can not be replayed: {error}"));
        }
        process.changes.clear();
        self.attempts.clear();
        self.certain = None;
        self.waiting.durable.clone_from(&self.waiting.memory);
        self.clean(&receipt);
        self.release(&receipt, scene);
        self.forget_given_up();
        self.keep(receipt);
        self.begin_sending(scene);
    }

    fn keep(&mut self, receipt: Receipt) {
        if let Some(process) = &mut self.process {
            process.receipt = Some(receipt);
        }
    }

    fn release(&mut self, receipt: &Receipt, scene: &mut Scene) {
        let pending = self.process.as_mut().map(|process| std::mem::take(&mut process.pending));
        for pending in pending.unwrap_or_default() {
            match pending {
                Pending::Exported { to, request, answer, points } => {
                    self.acknowledge(&answer, &points, scene);
                    scene.send(self.node(), to, Payload::Exported { request, answer });
                }
                Pending::Handoff { to, reply } => {
                    scene.send(self.node(), to, Payload::Arrived(Box::new(reply.open(receipt))));
                }
                Pending::Report { to, round } => {
                    let Some(process) = &self.process else { return };
                    let report = Box::new(process.shard.report());
                    scene.send(self.node(), to, Payload::Report { round, report });
                }
                Pending::Samples { pass, samples } => {
                    scene.send(self.node(), Node::Backend, Payload::Samples { pass, samples });
                }
            }
        }
    }

    /// Points that are acknowledged are owed from now on, and are on the disk. A worker that was given up owes nothing of what is another's
    /// now: it may learn of that with the same commit, and drop what it had.
    fn acknowledge(&mut self, answer: &Answer, points: &[Delta], scene: &mut Scene) {
        let Answer::Done { refused } = answer else { return };
        for delta in points.iter().filter(|delta| refused.iter().all(|(other, _)| other != *delta)) {
            let is_owed = !self.is_nobodys(delta.stream, scene);
            scene.ledger.acknowledge(delta.stream, delta.bit(), is_owed);
            let is_too_old = scene.ledger.get(delta.stream).too_old & delta.bit() != 0;
            if is_owed && !is_too_old && !self.has_durably(delta, scene) {
                let what = || format!("w{} acknowledged s{}.{} too early", self.index, delta.stream, delta.ordinal);
                scene.violate(Invariant::Durable, what);
            }
        }
        if scene.random.chance(scene.weather.audits) {
            self.audit(scene);
        }
    }

    /// Sends what stands next for one receiver, and what was sent already only when that is long ago. Not while there is anything that a death would take back.
    pub(super) fn send_next(&mut self, to: ShardIndex, scene: &mut Scene) {
        let Some(process) = self.process.as_mut().filter(|process| process.changes.is_empty()) else { return };
        let Some(message) = process.shard.next_message(to, |place| process.cold.read(location(place)).ok()) else {
            return;
        };
        let is_under_way =
            |(since, sent): &(Time, Progress)| *sent == message.progress && scene.now < since + ANSWERED_WITHIN;
        if !process.sent.get(&to).is_some_and(is_under_way) {
            process.sent.insert(to, (scene.now, message.progress.clone()));
            check_chunk(&message, scene);
            scene.send(self.node(), Node::Worker(to), Payload::Handoff(Box::new(message)));
        }
    }

    /// Sends what stands next for every receiver.
    pub(super) fn send_all(&mut self, scene: &mut Scene) {
        let Some(process) = &self.process else { return };
        let unfinished: Vec<_> = process.shard.unfinished().collect();
        unfinished.into_iter().for_each(|to| self.send_next(to, scene));
    }

    /// Begins to send where a new move has begun.
    fn begin_sending(&mut self, scene: &mut Scene) {
        let Some(process) = &mut self.process else { return };
        let epoch = process.shard.membership().map(|membership| membership.epoch());
        if process.sends_for != epoch {
            process.sends_for = epoch;
            self.send_all(scene);
        }
    }
}

fn check_chunk(message: &Message, scene: &mut Scene) {
    /// Above what the largest stream of a run takes, and what is left of all forgotten ones.
    const LARGEST: usize = 1_500;
    let Progress::Chunk { items, .. } = &message.progress else { return };
    let limit = scene.weather.limits.chunk_bytes + LARGEST;
    if items.len() > limit {
        scene.violate(Invariant::Bounded, || format!("a chunk of {} bytes, above {limit}", items.len()));
    }
}
