//! A gateway: splits batches by the membership it knows, which may be old, and tries until everyone has answered.
//!
//! A request is bound to the membership that it was split by. It is sent again as it is, to its shard alone; only when a newer
//! membership is known are its points split afresh.

use std::collections::BTreeMap;

use shardset_handoff::{Fenced, owner};
use shardset_model::{Epoch, Membership, Phase, ShardIndex};

use crate::catalog::Delta;
use crate::message::{Answer, Payload};
use crate::node::{MS, Node};
use crate::queue::Event;
use crate::scene::Scene;

/// How often a request is sent before the client is told to try again.
const TRIES_MAX: u32 = 5;

/// A gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    number: usize,
    pub(crate) life: u64,
    membership: Option<Membership>,
    jobs: BTreeMap<u64, Job>,
    requests: BTreeMap<u64, Request>,
    serial: u64,
}

/// A batch on its way.
#[derive(Debug)]
struct Job {
    client: Node,
    batch: u64,
    accepted: Vec<Delta>,
    /// Requests that are not answered.
    open: usize,
    /// Points that wait for a membership later than this.
    waiting: Vec<(Epoch, Vec<Delta>)>,
}

/// A part of a batch on its way.
#[derive(Debug)]
struct Request {
    job: u64,
    to: ShardIndex,
    membership: Membership,
    points: Vec<Delta>,
    tries: u32,
}

impl Gateway {
    pub(crate) fn new(number: usize) -> Self {
        let (jobs, requests) = (BTreeMap::new(), BTreeMap::new());
        Self { number, life: 0, membership: None, jobs, requests, serial: 0 }
    }

    pub(crate) const fn node(&self) -> Node {
        Node::Gateway(self.number)
    }

    pub(crate) const fn membership(&self) -> Option<&Membership> {
        self.membership.as_ref()
    }

    /// It starts again, and knows nothing.
    pub(crate) fn restart(&mut self, scene: &mut Scene) {
        scene.note(self.node(), || "starts again");
        self.life += 1;
        self.membership = None;
        self.jobs.clear();
        self.requests.clear();
        let delay = scene.around(100 * MS);
        scene.after(delay, Event::Relist { gateway: self.number, life: self.life });
    }

    pub(crate) fn receive(&mut self, from: Node, payload: Payload, scene: &mut Scene) {
        match payload {
            Payload::Batch { batch, points } => self.batch(from, batch, points, scene),
            Payload::Exported { request, answer } => self.exported(request, answer, scene),
            Payload::Watch(membership) => self.learn(&membership, scene),
            Payload::Report { report, .. } => {
                if let (None, Some(membership)) = (&self.membership, &report.membership) {
                    self.learn(membership, scene);
                }
            }
            _ => {}
        }
    }

    fn batch(&mut self, client: Node, batch: u64, points: Vec<Delta>, scene: &mut Scene) {
        if self.membership.is_none() {
            scene.send(self.node(), client, Payload::Answered { batch, accepted: None });
            return;
        }
        let job = self.next();
        self.jobs.insert(job, Job { client, batch, accepted: Vec::new(), open: 0, waiting: Vec::new() });
        self.split(job, &points, scene);
    }

    /// Sends each point to its owner under the membership that is known.
    fn split(&mut self, job: u64, points: &[Delta], scene: &mut Scene) {
        let Some(membership) = self.membership.clone() else { return };
        let mut parts: BTreeMap<ShardIndex, Vec<Delta>> = BTreeMap::new();
        for point in points {
            let series = scene.catalog.get(point.stream);
            let (to, _) = owner(&membership, series.id, &series.identity);
            parts.entry(to).or_default().push(*point);
        }
        for (to, points) in parts {
            let number = self.next();
            let request = Request { job, to, membership: membership.clone(), points, tries: 0 };
            self.requests.insert(number, request);
            self.jobs.entry(job).and_modify(|job| job.open += 1);
            self.ask(number, scene);
        }
    }

    fn ask(&mut self, number: u64, scene: &mut Scene) {
        let node = self.node();
        let Some(request) = self.requests.get_mut(&number) else { return };
        request.tries += 1;
        let (membership, points) = (request.membership.clone(), request.points.clone());
        scene.send(node, Node::Worker(request.to), Payload::Export { request: number, membership, points });
        let delay = scene.around(400 * MS);
        scene.after(delay, Event::Unanswered { gateway: self.number, life: self.life, request: number });
    }

    /// A request was not answered in time: its fate is unknown.
    pub(crate) fn unanswered(&mut self, number: u64, scene: &mut Scene) {
        let Some(request) = self.requests.get(&number) else { return };
        let is_newer = self.membership.as_ref().is_some_and(|known| known.epoch() > request.membership.epoch());
        if request.tries >= TRIES_MAX {
            self.give_up(request.job, scene);
        } else if is_newer && scene.random.chance(0.5) {
            let Some((job, _, points)) = self.take(number) else { return };
            self.split(job, &points, scene);
        } else {
            self.ask(number, scene);
        }
    }

    fn exported(&mut self, number: u64, answer: Answer, scene: &mut Scene) {
        match answer {
            Answer::Busy | Answer::Fenced(Fenced::NoEpoch | Fenced::NoMembership | Fenced::Conflict { .. }) => {}
            Answer::Done { refused } => {
                let Some((job, _, points)) = self.take(number) else { return };
                let accepted = points.into_iter().filter(|point| refused.iter().all(|(other, _)| other != point));
                self.jobs.entry(job).and_modify(|job| job.accepted.extend(accepted));
                self.end(job, scene);
            }
            Answer::Fenced(Fenced::Stale { mine, .. }) => {
                let Some((job, epoch, points)) = self.take(number) else { return };
                self.jobs.entry(job).and_modify(|job| job.waiting.push((epoch, points)));
                // Whether it has addresses for the newer membership; if not it waits for its watch.
                if scene.random.chance(0.5) {
                    self.learn(&mine, scene);
                }
                self.go_on(scene);
            }
        }
    }

    /// A membership is heard of.
    fn learn(&mut self, heard: &Membership, scene: &mut Scene) {
        let is_news = self.membership.as_ref().is_none_or(|known| {
            let is_end = known.phase() == Phase::Moving && heard.phase() == Phase::Stable;
            heard.epoch() > known.epoch() || (heard.epoch() == known.epoch() && is_end)
        });
        let is_deaf = !scene.is_calm && self.membership.is_some() && scene.random.chance(scene.weather.deafness);
        if is_news && !is_deaf {
            scene.note(self.node(), || format!("knows of {} {:?}", heard.epoch(), heard.phase()));
            self.membership = Some(heard.clone());
            self.go_on(scene);
        }
    }

    /// Splits afresh what has waited for the membership that is known now.
    fn go_on(&mut self, scene: &mut Scene) {
        let Some(known) = self.membership.as_ref().map(Membership::epoch) else { return };
        let mut ready = Vec::new();
        for (number, job) in &mut self.jobs {
            ready.extend(job.waiting.extract_if(.., |(epoch, _)| *epoch < known).map(|(_, points)| (*number, points)));
        }
        ready.into_iter().for_each(|(job, points)| self.split(job, &points, scene));
    }

    /// Answers the client when everything is answered.
    fn end(&mut self, job: u64, scene: &mut Scene) {
        if self.jobs.get(&job).is_some_and(|job| job.open == 0 && job.waiting.is_empty())
            && let Some(Job { client, batch, accepted, .. }) = self.jobs.remove(&job)
        {
            scene.send(self.node(), client, Payload::Answered { batch, accepted: Some(accepted) });
        }
    }

    fn give_up(&mut self, number: u64, scene: &mut Scene) {
        self.requests.retain(|_, request| request.job != number);
        if let Some(job) = self.jobs.remove(&number) {
            scene.send(self.node(), job.client, Payload::Answered { batch: job.batch, accepted: None });
        }
    }

    fn take(&mut self, number: u64) -> Option<(u64, Epoch, Vec<Delta>)> {
        let request = self.requests.remove(&number)?;
        self.jobs.entry(request.job).and_modify(|job| job.open -= 1);
        Some((request.job, request.membership.epoch(), request.points))
    }

    const fn next(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }
}
