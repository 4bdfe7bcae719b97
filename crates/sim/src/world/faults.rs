//! Faults, as they strike.

use std::collections::BTreeSet;

use shardset_handoff::members;
use shardset_journal::storage::faulty::{Fault as DiskFault, Moment};
use shardset_model::{Epoch, Membership, Phase, RoutingKey, ShardCount};

use super::World;
use crate::message::told;
use crate::node::{MS, Node, SECOND, Time};
use crate::queue::Event;
use crate::weather::Fault;
use crate::worker::Death;

impl World {
    pub(super) fn strike(&mut self, fault: Fault, mean: Time) {
        if self.scene.is_calm {
            return;
        }
        let delay = self.scene.random.between(1, 2 * mean);
        self.scene.after(delay, Event::Fault(fault, mean));
        match fault {
            Fault::Crash => self.any_worker_dies(Death::Crash),
            Fault::Kill => self.any_worker_dies(Death::Kill),
            // With every disk that remembers it, what was published last would be forgotten for good.
            Fault::LoseDisk if self.api.is_behind() => {}
            Fault::LoseDisk => {
                let at = self.any_worker();
                self.lose_disk(at);
            }
            Fault::DieWithin | Fault::DiskFull | Fault::DiskError => self.disk_fails(fault),
            Fault::Partition => self.partition(),
            Fault::Slow => {
                let node = self.any_node();
                self.scene.note(node, || "is slow");
                self.scene.network.slow_down(node);
                let delay = self.scene.random.between(100 * MS, 4 * SECOND);
                self.scene.after(delay, Event::Quicken { node });
            }
            Fault::Clock => {
                let (at, skew) = (self.any_worker(), self.scene.weather.skew);
                self.workers[at].ahead = self.scene.random.below(2 * skew + 1) as i64 - skew as i64;
            }
            Fault::Gateway => {
                let at = self.scene.random.below(self.gateways.len() as u64) as usize;
                self.gateways[at].restart(&mut self.scene);
            }
            Fault::Coordinator => self.coordinators[0].set_running(true, &mut self.scene),
            Fault::Rival => self.rival(),
            Fault::ApiAway => {
                self.scene.note(Node::Api, || "is away");
                self.api.is_away = true;
                let delay = self.scene.random.between(100 * MS, 3 * SECOND);
                self.scene.after(delay, Event::ApiBack);
            }
            Fault::Restore => self.restore(),
            Fault::Wish => self.wish(),
            Fault::Rekey => {
                let keys = [RoutingKey::StreamId, RoutingKey::Metric, RoutingKey::Resource];
                self.api.wish.routing = keys[self.scene.random.below(3) as usize].clone();
            }
            Fault::GiveUp => self.give_up(),
        }
    }

    fn any_worker(&mut self) -> usize {
        let within = self.api.replicas.max(1);
        self.scene.random.below(u64::from(within)) as usize
    }

    fn any_worker_dies(&mut self, death: Death) {
        let at = self.any_worker();
        self.workers[at].die(death, &mut self.scene);
    }

    fn any_node(&mut self) -> Node {
        let nodes = self.nodes();
        nodes[self.scene.random.below(nodes.len() as u64) as usize]
    }

    fn nodes(&self) -> Vec<Node> {
        let workers = self.workers.iter().map(|worker| worker.node());
        let gateways = self.gateways.iter().map(|gateway| gateway.node());
        workers.chain(gateways).chain([Node::Coordinator(0), Node::Coordinator(1), Node::Backend, Node::Api]).collect()
    }

    fn disk_fails(&mut self, fault: Fault) {
        let (at, random) = (self.any_worker(), &mut self.scene.random);
        let worker = &self.workers[at];
        let operation = worker.disk.operations() + random.below(30);
        match fault {
            Fault::DieWithin => {
                let moment = random.pick(&[Moment::Before, Moment::During, Moment::After]);
                worker.disk.die(operation, moment);
            }
            Fault::DiskError => worker.disk.fail(operation, random.pick(&[DiskFault::Device, DiskFault::NoSpace])),
            _ => {
                if random.chance(0.5) {
                    let used: u64 = worker.disk.files().iter().map(|(_, bytes)| bytes).sum();
                    worker.disk.set_capacity(Some(used + random.below(400)));
                } else {
                    worker.disk.set_read_only(true);
                }
                let (index, delay) = (worker.index, random.between(50 * MS, 3 * SECOND));
                self.scene.after(delay, Event::DiskHeals { worker: index });
                self.scene.note(Node::Worker(index), || "has a full disk");
            }
        }
    }

    fn partition(&mut self) {
        let nodes = self.nodes();
        let inside: BTreeSet<Node> = nodes.into_iter().filter(|_| self.scene.random.chance(0.3)).collect();
        let one_way = self.scene.random.chance(0.3);
        self.scene.note(Node::World, || {
            let names: Vec<String> = inside.iter().map(ToString::to_string).collect();
            format!("{} are cut off{}", names.join(" "), if one_way { ", one way" } else { "" })
        });
        let partition = self.scene.network.cut(inside, one_way);
        let delay = self.scene.random.between(100 * MS, 4 * SECOND);
        self.scene.after(delay, Event::Rejoin { partition });
    }

    fn rival(&mut self) {
        self.coordinators[1].set_running(true, &mut self.scene);
        let delay = self.scene.random.between(300 * MS, 3 * SECOND);
        self.scene.after(delay, Event::Coordinator { coordinator: 1, runs: false });
    }

    fn wish(&mut self) {
        let most = u64::from(self.scene.weather.workers);
        let shards = self.scene.random.between(1, most) as u32;
        self.scene.note(Node::World, || format!("{shards} shards are wished"));
        self.api.wish.shards = ShardCount::new(shards).expect("there are few workers and at least one");
    }

    /// What is published goes back. Only where the workers know what is published: a membership that nobody but a gateway has
    /// heard of can not be found again, and another would get its epoch.
    fn restore(&mut self) {
        let Some(published) = self.api.published.clone() else { return };
        let epoch =
            |worker: &crate::worker::Worker| worker.durable().and_then(|shard| Some(shard.membership()?.epoch()));
        let known = |epoch_of: Option<Epoch>| epoch_of.is_some_and(|known| known >= published.epoch());
        let all_know = members(&published).all(|member| known(epoch(&self.workers[member.position()])));
        let ahead = self.gateways.iter().filter_map(|gateway| gateway.membership()).map(Membership::epoch).max();
        if !all_know || ahead.is_some_and(|ahead| ahead > published.epoch()) {
            return;
        }
        let at = self.scene.random.below(self.api.history.len() as u64 + 1) as usize;
        let older = self.api.history.get(at).cloned();
        self.scene.note(Node::Api, || format!("goes back to {}", older.as_ref().map_or("nothing".to_owned(), told)));
        self.api.published = older;
        self.api.version += 1;
        self.announce();
    }

    /// A member is away in a move, and the user does not wait for it.
    fn give_up(&mut self) {
        let Some(published) = self.api.published.clone() else { return };
        if published.phase() != Phase::Moving {
            return;
        }
        let count = members(&published).len() as u64;
        let at = self.scene.random.below(count) as usize;
        if self.workers[at].runs() {
            self.workers[at].die(Death::Crash, &mut self.scene);
        }
        self.scene.note(self.workers[at].node(), || "is given up");
        self.api.given_up.insert(self.workers[at].index);
    }
}
