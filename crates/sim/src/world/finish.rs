//! The end of a run: faults stop, everything heals, and then what is wished must become true.

use shardset_model::Phase;

use super::World;
use crate::check;
use crate::node::{Node, SECOND, Time};
use crate::queue::Event;
use crate::violation::Invariant;

/// How long a cluster without faults may take to come to rest, in simulated time: what clients, gateways and coordinators
/// wait for one after another is far below it.
const PATIENCE: Time = 90 * SECOND;

impl World {
    pub(super) fn calm(&mut self) {
        let scene = &mut self.scene;
        scene.note(Node::World, || "faults end");
        scene.is_calm = true;
        scene.network.calm();
        self.api.is_away = false;
        for worker in &mut self.workers {
            worker.ahead = 0;
            worker.disk.set_capacity(None);
            worker.disk.set_read_only(false);
            worker.disk.calm();
            scene.after(100, Event::Start { worker: worker.index });
        }
        self.coordinators[1].set_running(false, scene);
        self.coordinators[0].set_running(true, scene);
    }

    /// Whether a run is over: everything is at rest and right, or it takes too long to be.
    pub(super) fn is_over(&mut self) -> bool {
        if !self.scene.is_calm || !self.scene.ledger.counts.events.is_multiple_of(16) {
            return false;
        }
        match self.unrest() {
            None => {
                check::end(&self.workers, &self.api, &mut self.scene);
                true
            }
            Some(unrest) if self.scene.now > self.scene.weather.length + PATIENCE => {
                self.scene.violate(Invariant::Progress, || unrest);
                true
            }
            Some(_) => false,
        }
    }

    /// What is not as it is wished; none where all is.
    fn unrest(&self) -> Option<String> {
        let Some(published) = self.api.published.as_ref().filter(|published| published.phase() == Phase::Stable) else {
            return Some(format!("published is {:?}", self.api.published));
        };
        let wish = &self.api.wish;
        if published.shards() != wish.shards || *published.routing() != wish.routing {
            return Some(format!("published is {published:?}, wished is {wish:?}"));
        }
        if self.api.replicas != wish.shards.get() {
            return Some(format!("{} workers are to run, wished are {}", self.api.replicas, wish.shards));
        }
        if let Some(client) = self.clients.iter().position(|client| !client.is_idle()) {
            return Some(format!("c{client} waits for an answer"));
        }
        let members = &self.workers[..self.api.replicas as usize];
        let restless = |worker: &crate::worker::Worker| {
            let report = worker.shard().filter(|_| worker.runs()).map(|shard| shard.report());
            let at_rest = |report: &shardset_handoff::Report| report.membership.as_ref() == Some(published);
            !report.as_ref().is_some_and(|report| at_rest(report) && report.is_settled()) || !worker.is_durable()
        };
        if let Some(worker) = members.iter().find(|worker| restless(worker)) {
            let running = worker.shard().filter(|_| worker.runs());
            return Some(format!("w{}: {:?}", worker.index, running.map(|shard| shard.report())));
        }
        check::not_exported(&self.workers, &self.backend, published, &self.scene)
    }
}
