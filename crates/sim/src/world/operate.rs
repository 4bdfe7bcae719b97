//! What a coordinator does to the cluster, and what follows from it for what is owed.

use shardset_model::{Membership, Phase};

use super::World;
use crate::api::Sighting;
use crate::coordinator::Deed;
use crate::loss;
use crate::message::{Payload, told};
use crate::node::{MS, Node};
use crate::queue::Event;
use crate::worker::Death;

impl World {
    pub(super) fn operate(&mut self, coordinator: usize, deed: Deed) {
        match deed {
            Deed::Publish(membership, version, sighting) if version == self.api.version => {
                self.publish(&membership, &sighting);
            }
            Deed::Publish(..) => self.coordinators[coordinator].was_overtaken(),
            Deed::Run(shards) => self.set_replicas(shards.max(self.api.replicas)),
            Deed::Stop(shards) => self.set_replicas(shards.min(self.api.replicas)),
        }
    }

    fn publish(&mut self, membership: &Membership, sighting: &Sighting) {
        self.scene.note(Node::Api, || format!("is told {}", told(membership)));
        self.scene.ledger.counts.moves += u64::from(membership.phase() == Phase::Moving);
        if membership.phase() == Phase::Stable {
            loss::settle_doubts(&mut self.doubts, membership, sighting, &mut self.scene);
            if !sighting.given_up.is_empty() {
                loss::given_up(&mut self.workers, membership, sighting, &mut self.scene);
            }
        }
        self.api.publish(membership);
        self.announce();
    }

    /// Tells the gateways what is published, each as late as it likes.
    pub(super) fn announce(&mut self) {
        let Some(published) = self.api.published.clone() else { return };
        if self.api.is_away {
            return;
        }
        for gateway in &self.gateways {
            let lag = self.scene.random.between(1, self.scene.weather.lag);
            let (from, to, payload) = (Node::Api, gateway.node(), Box::new(Payload::Watch(published.clone())));
            self.scene.after(lag, Event::Deliver { from, to, payload });
        }
    }

    /// So many workers run.
    pub(super) fn set_replicas(&mut self, replicas: u32) {
        self.api.replicas = replicas;
        for worker in &mut self.workers {
            let is_wanted = worker.index.get() < replicas;
            if is_wanted && !worker.is_wanted {
                let delay = self.scene.random.between(10 * MS, 600 * MS);
                self.scene.after(delay, Event::Start { worker: worker.index });
            }
            worker.is_wanted = is_wanted;
        }
        let stopped = |worker: &crate::worker::Worker| !worker.is_wanted && worker.runs();
        let stopped: Vec<usize> = (0..self.workers.len()).filter(|at| stopped(&self.workers[*at])).collect();
        for at in stopped {
            let death = self.scene.random.pick(&[Death::Kill, Death::Crash]);
            if self.scene.random.chance(self.scene.weather.disks_go) && !self.api.is_behind() {
                self.lose_disk(at);
            } else {
                self.workers[at].die(death, &mut self.scene);
            }
        }
    }

    pub(super) fn lose_disk(&mut self, at: usize) {
        let doubts = loss::disk_lost(&self.workers, at, &self.api, &mut self.scene);
        self.doubts.extend(doubts);
        self.workers[at].lose_disk(&mut self.scene);
    }
}
