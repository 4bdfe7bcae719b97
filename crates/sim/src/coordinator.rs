//! A coordinator: looks, plans, does one thing after another, and begins again. It can die between any two.

use std::collections::{BTreeMap, VecDeque};

use shardset_handoff::{Observed, Report, Step, Wish, plan};
use shardset_model::{Membership, ShardIndex};

use crate::api::{Api, Sighting};
use crate::catalog::shard;
use crate::message::{Payload, told};
use crate::node::{MS, Node};
use crate::queue::Event;
use crate::scene::Scene;

/// A coordinator.
#[derive(Debug)]
pub(crate) struct Coordinator {
    pub(crate) number: usize,
    pub(crate) life: u64,
    pub(crate) runs: bool,
    round: u64,
    seen: Option<Seen>,
    reports: BTreeMap<ShardIndex, Report>,
    steps: Option<VecDeque<Step>>,
}

/// What it saw at the beginning of its round.
#[derive(Debug)]
struct Seen {
    published: Option<Membership>,
    version: u64,
    wish: Wish,
    sighting: Sighting,
}

/// What it does to the cluster.
#[derive(Debug)]
pub(crate) enum Deed {
    /// Publishes, if the version is still this one.
    Publish(Membership, u64, Sighting),
    /// Lets so many workers run.
    Run(u32),
    /// Stops the workers from here on.
    Stop(u32),
}

impl Coordinator {
    pub(crate) fn new(number: usize) -> Self {
        Self { number, life: 0, runs: false, round: 0, seen: None, reports: BTreeMap::new(), steps: None }
    }

    pub(crate) const fn node(&self) -> Node {
        Node::Coordinator(self.number)
    }

    /// Starts, or dies.
    pub(crate) fn set_running(&mut self, runs: bool, scene: &mut Scene) {
        scene.note(self.node(), || if runs { "begins" } else { "dies" });
        self.life += 1;
        self.runs = runs;
        self.steps = None;
        self.seen = None;
        if runs {
            self.again(50 * MS, scene);
        }
    }

    fn again(&self, mean: u64, scene: &mut Scene) {
        let delay = scene.around(mean);
        scene.after(delay, Event::Observe { coordinator: self.number, life: self.life });
    }

    /// Looks at what is published, and asks every worker.
    pub(crate) fn observe(&mut self, api: &Api, scene: &mut Scene) {
        if api.is_away {
            return self.again(300 * MS, scene);
        }
        self.round += 1;
        self.reports.clear();
        self.steps = None;
        let (published, wish, given_up) = (api.published.clone(), api.wish.clone(), api.given_up.clone());
        let sighting = Sighting { incarnations: BTreeMap::new(), given_up };
        self.seen = Some(Seen { published, version: api.version, wish, sighting });
        for number in 0..api.replicas {
            scene.send(self.node(), Node::Worker(shard(number)), Payload::Ask { round: self.ask_number() });
        }
        let delay = scene.random.between(20 * MS, 200 * MS);
        scene.after(delay, Event::Act { coordinator: self.number, life: self.life });
    }

    pub(crate) fn receive(&mut self, payload: Payload) {
        if let Payload::Report { round, report } = payload
            && round == self.ask_number()
        {
            self.reports.insert(report.shard, *report);
        }
    }

    /// Rounds of different lives are different.
    const fn ask_number(&self) -> u64 {
        self.life << 32 | self.round
    }

    /// Plans, or does the next thing. What concerns more than a message is given back.
    pub(crate) fn act(&mut self, api: &Api, scene: &mut Scene) -> Option<Deed> {
        if api.is_away {
            self.again(300 * MS, scene);
            return None;
        }
        let seen = self.seen.as_mut()?;
        let steps = self.steps.get_or_insert_with(|| {
            seen.sighting.incarnations =
                self.reports.iter().map(|(shard, report)| (*shard, report.incarnation)).collect();
            let (published, wish) = (seen.published.as_ref(), &seen.wish);
            plan(&Observed { published, wish, reports: &self.reports, given_up: &seen.sighting.given_up }).into()
        });
        let step = steps.pop_front();
        let Some(step) = step else {
            self.again(120 * MS, scene);
            return None;
        };
        let delay = scene.random.between(500, 20 * MS);
        scene.after(delay, Event::Act { coordinator: self.number, life: self.life });
        scene.note(Node::Coordinator(self.number), || shown(&step));
        match step {
            Step::Publish(membership) => Some(Deed::Publish(membership, seen.version, seen.sighting.clone())),
            Step::Run(shards) => Some(Deed::Run(shards.get())),
            Step::Stop(shards) => Some(Deed::Stop(shards.get())),
            Step::Tell(to, adopt) => {
                scene.send(Node::Coordinator(self.number), Node::Worker(to), Payload::Adopt(Box::new(adopt)));
                None
            }
            Step::Wait(_) => None,
        }
    }

    /// What it wanted to write was written by another: it looks again.
    pub(crate) fn was_overtaken(&mut self) {
        self.steps = Some(VecDeque::new());
    }
}

fn shown(step: &Step) -> String {
    match step {
        Step::Publish(membership) => format!("publishes {}", told(membership)),
        Step::Tell(to, _) => format!("tells w{to}"),
        Step::Run(shards) => format!("lets {shards} run"),
        Step::Stop(shards) => format!("stops from {shards}"),
        Step::Wait(waiting) => format!("waits: {waiting}"),
    }
}
