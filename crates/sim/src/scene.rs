//! What every node sees of the world: the time, chance, the network, the queue, and what the checkers keep.
//!
//! Nodes have no other way to do anything than to put something into the queue here.

use crate::catalog::Catalog;
use crate::ledger::Ledger;
use crate::log::Log;
use crate::message::Payload;
use crate::mutation::Mutation;
use crate::network::Network;
use crate::node::{Node, SECOND, Time};
use crate::queue::{Event, Queue};
use crate::random::Random;
use crate::violation::{Invariant, Violation};
use crate::weather::Weather;
use shardset_model::UnixNanos;

/// When runs begin.
const BEGIN: u64 = 1_700_000_000_000_000_000;

/// All but the nodes.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) now: Time,
    /// Whether faults are over.
    pub(crate) is_calm: bool,
    pub(crate) random: Random,
    pub(crate) weather: Weather,
    pub(crate) network: Network,
    pub(crate) catalog: Catalog,
    pub(crate) ledger: Ledger,
    pub(crate) mutation: Option<Mutation>,
    pub(crate) violation: Option<Violation>,
    pub(crate) queue: Queue,
    pub(crate) log: Log,
}

impl Scene {
    pub(crate) fn new(seed: u64, mutation: Option<Mutation>, log: bool) -> Self {
        let mut random = Random::new(seed);
        let weather = Weather::new(&mut random);
        let catalog = Catalog::new(weather.streams, &mut random);
        Self {
            now: 0,
            is_calm: false,
            network: Network::new(&weather),
            ledger: Ledger::new(&catalog),
            mutation,
            violation: None,
            queue: Queue::default(),
            log: Log::new(log),
            random,
            weather,
            catalog,
        }
    }

    /// Sends a message, which arrives as the network pleases.
    pub(crate) fn send(&mut self, from: Node, to: Node, payload: Payload) {
        let arrivals = self.network.arrivals(from, to, &mut self.random);
        self.log.line(self.now, from, || {
            let fate = match arrivals.len() {
                0 => " (lost)",
                1 => "",
                _ => " (twice)",
            };
            format!("-> {to:<4} {payload}{fate}")
        });
        for delay in arrivals {
            self.after(delay, Event::Deliver { from, to, payload: Box::new(payload.clone()) });
        }
    }

    /// Lets something happen later.
    pub(crate) fn after(&mut self, delay: Time, event: Event) {
        self.queue.put(self.now + delay, event);
    }

    /// Says what a node does.
    pub(crate) fn note<T: std::fmt::Display>(&mut self, node: Node, what: impl FnOnce() -> T) {
        self.log.line(self.now, node, what);
    }

    /// An invariant does not hold. The first one counts: the others follow from it.
    pub(crate) fn violate(&mut self, invariant: Invariant, what: impl FnOnce() -> String) {
        if self.violation.is_none() {
            let what = what();
            self.log.line(self.now, Node::World, || format!("VIOLATED {invariant}: {what}"));
            self.violation = Some(Violation { invariant, what });
        }
    }

    /// The time on a clock that is this far ahead, in µs, as points and samples have it.
    pub(crate) fn clock(&self, ahead: i64) -> UnixNanos {
        UnixNanos(BEGIN + ((self.now + 10 * SECOND) as i64 + ahead) as u64 * 1_000)
    }

    /// A time around `mean`.
    pub(crate) fn around(&mut self, mean: Time) -> Time {
        self.random.between(mean / 2, mean * 3 / 2)
    }
}
