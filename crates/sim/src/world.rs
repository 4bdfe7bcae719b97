//! The whole cluster in one thread: takes what happens next, lets the node do it, and asks the checkers.

mod faults;
mod finish;
mod operate;

use shardset_model::ShardCount;

use crate::api::Api;
use crate::backend::Backend;
use crate::catalog::shard;
use crate::check;
use crate::client::Client;
use crate::coordinator::Coordinator;
use crate::gateway::Gateway;
use crate::ledger::Counts;
use crate::loss::Doubt;
use crate::message::Payload;
use crate::mutation::Mutation;
use crate::node::{MS, Node, SECOND};
use crate::queue::Event;
use crate::scene::Scene;
use crate::violation::Violation;
use crate::worker::Worker;

/// How often what everybody has is looked through, in events: it costs as much as some of them.
const LOOK_EVERY: u64 = 64;

/// A cluster, and its world.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) scene: Scene,
    workers: Vec<Worker>,
    gateways: Vec<Gateway>,
    clients: Vec<Client>,
    coordinators: Vec<Coordinator>,
    api: Api,
    backend: Backend,
    /// Losses that depend on what a coordinator has seen.
    doubts: Vec<Doubt>,
}

/// What came of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// What did not hold.
    pub violation: Option<Violation>,
    /// The event log, where one was asked for.
    pub log: Vec<String>,
    /// What happened.
    pub counts: Counts,
}

impl World {
    pub(crate) fn new(seed: u64, mutation: Option<Mutation>, log: bool) -> Self {
        let mut scene = Scene::new(seed, mutation, log);
        let weather = scene.weather.clone();
        scene.note(Node::World, || format!("seed {seed}: {weather:?}"));
        let shards = ShardCount::new(scene.random.between(1, u64::from(weather.workers)) as u32);
        let api = Api::new(shards.expect("there are few workers and at least one"));
        let workers = (0..weather.workers).map(|number| Worker::new(shard(number), &mut scene)).collect();
        let backend = Backend::new(&scene);
        let gateways = (0..weather.gateways).map(Gateway::new).collect();
        let clients = (0..weather.clients).map(Client::new).collect();
        let coordinators = (0..2).map(Coordinator::new).collect();
        let mut world = Self { scene, workers, gateways, clients, coordinators, api, backend, doubts: Vec::new() };
        world.begin(&weather);
        world
    }

    fn begin(&mut self, weather: &crate::weather::Weather) {
        self.set_replicas(self.api.replicas);
        for gateway in 0..self.gateways.len() {
            self.scene.after(100 * MS, Event::Relist { gateway, life: 0 });
        }
        for client in 0..self.clients.len() {
            self.scene.after(300 * MS, Event::Make { client });
        }
        self.scene.after(0, Event::Coordinator { coordinator: 0, runs: true });
        for (fault, mean) in &weather.faults {
            let delay = 500 * MS + self.scene.random.below(2 * mean);
            self.scene.after(delay, Event::Fault(*fault, *mean));
        }
        self.scene.after(weather.length, Event::Calm);
    }

    /// Goes on until everything is done, or something does not hold.
    pub(crate) fn run(mut self) -> Outcome {
        while self.scene.violation.is_none() && self.step() {}
        let Scene { violation, log, ledger, .. } = self.scene;
        Outcome { violation, log: log.into_lines(), counts: ledger.counts }
    }

    fn step(&mut self) -> bool {
        let Some((at, event)) = self.scene.queue.next() else { return false };
        self.scene.now = at;
        self.scene.ledger.counts.events += 1;
        self.happen(event);
        if self.scene.ledger.counts.events.is_multiple_of(LOOK_EVERY) {
            check::everything_owed_is_held(&self.workers, &mut self.scene);
        }
        !self.is_over()
    }

    fn happen(&mut self, event: Event) {
        let scene = &mut self.scene;
        match event {
            Event::Deliver { from, to, payload } => self.deliver(from, to, *payload),
            Event::Start { worker }
            | Event::Commit { worker, .. }
            | Event::Background { worker, .. }
            | Event::Tick { worker, .. }
            | Event::DiskHeals { worker } => {
                self.workers[worker.position()].wake(&event, scene);
                check::worker(&self.workers, worker.position(), scene);
            }
            Event::Unanswered { gateway, life, request } if life == self.gateways[gateway].life => {
                self.gateways[gateway].unanswered(request, scene);
            }
            Event::Relist { gateway, life } if life == self.gateways[gateway].life => self.relist(gateway),
            Event::Unanswered { .. } | Event::Relist { .. } => {}
            Event::Make { client } => self.clients[client].make(scene),
            Event::Retry { client, batch, attempt } => self.clients[client].retry(batch, attempt, scene),
            Event::Observe { coordinator, life } => {
                if self.coordinators[coordinator].life == life {
                    self.coordinators[coordinator].observe(&self.api, scene);
                }
            }
            Event::Act { coordinator, life } => {
                if self.coordinators[coordinator].life == life {
                    let deed = self.coordinators[coordinator].act(&self.api, scene);
                    deed.into_iter().for_each(|deed| self.operate(coordinator, deed));
                }
            }
            Event::Coordinator { coordinator, runs } => self.coordinators[coordinator].set_running(runs, scene),
            Event::Rejoin { partition } => scene.network.rejoin(partition),
            Event::Quicken { node } => scene.network.quicken(node),
            Event::ApiBack => self.api.is_away = false,
            Event::Fault(fault, mean) => self.strike(fault, mean),
            Event::Calm => self.calm(),
        }
    }

    fn deliver(&mut self, from: Node, to: Node, payload: Payload) {
        let scene = &mut self.scene;
        if scene.network.is_cut(from, to) {
            return;
        }
        match to {
            Node::Worker(index) => {
                self.workers[index.position()].receive(from, &payload, scene);
                check::worker(&self.workers, index.position(), scene);
            }
            Node::Gateway(number) => self.gateways[number].receive(from, payload, scene),
            Node::Client(number) => self.clients[number].receive(&payload, scene),
            Node::Coordinator(number) => self.coordinators[number].receive(payload),
            Node::Backend => self.backend.receive(from, &payload, scene),
            Node::Api | Node::World => {}
        }
    }

    /// A gateway looks at what is published, now and from time to time. Without the API server it asks any worker.
    fn relist(&mut self, gateway: usize) {
        let (node, life) = (self.gateways[gateway].node(), self.gateways[gateway].life);
        let delay = self.scene.around(2 * SECOND);
        self.scene.after(delay, Event::Relist { gateway, life });
        match &self.api.published {
            Some(published) if !self.api.is_away => {
                self.scene.send(Node::Api, node, Payload::Watch(published.clone()));
            }
            _ if self.gateways[gateway].membership().is_none() => {
                let worker = self.scene.random.below(self.workers.len() as u64) as u32;
                self.scene.send(node, Node::Worker(shard(worker)), Payload::Ask { round: 0 });
            }
            _ => {}
        }
    }
}
