//! The network: loses, repeats, delays and so reorders messages, and cuts nodes off.

use std::collections::BTreeSet;

use crate::node::{MS, Node, SECOND, Time};
use crate::random::Random;
use crate::weather::Weather;

/// What the network does at present.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    loss: f64,
    duplication: f64,
    delay: Time,
    stragglers: f64,
    partitions: Vec<Partition>,
    slow: BTreeSet<Node>,
    serial: u64,
}

/// Some nodes that can not reach the others.
#[derive(Clone, Debug)]
struct Partition {
    number: u64,
    inside: BTreeSet<Node>,
    /// Whether messages come out, and none go in.
    one_way: bool,
}

impl Network {
    pub(crate) fn new(weather: &Weather) -> Self {
        Self {
            loss: weather.loss,
            duplication: weather.duplication,
            delay: weather.delay,
            stragglers: weather.stragglers,
            partitions: Vec::new(),
            slow: BTreeSet::new(),
            serial: 0,
        }
    }

    /// Everything arrives soon and once from here on.
    pub(crate) fn calm(&mut self) {
        (self.loss, self.duplication, self.stragglers, self.delay) = (0.0, 0.0, 0.0, 5 * MS);
        self.partitions.clear();
        self.slow.clear();
    }

    /// After which times a message arrives.
    pub(crate) fn arrivals(&self, from: Node, to: Node, random: &mut Random) -> Vec<Time> {
        if self.is_cut(from, to) || random.chance(self.loss) {
            return Vec::new();
        }
        let copies = if random.chance(self.duplication) { 2 } else { 1 };
        (0..copies).map(|_| self.delay(from, to, random)).collect()
    }

    pub(crate) fn is_cut(&self, from: Node, to: Node) -> bool {
        self.partitions.iter().any(|partition| {
            let (out, into) = (partition.inside.contains(&from), partition.inside.contains(&to));
            out != into && !(partition.one_way && out)
        })
    }

    fn delay(&self, from: Node, to: Node, random: &mut Random) -> Time {
        let mut delay = random.between(100, self.delay);
        if random.chance(self.stragglers) {
            delay += random.below(3 * SECOND);
        }
        if self.slow.contains(&from) || self.slow.contains(&to) {
            delay += random.below(800 * MS);
        }
        delay
    }

    /// Cuts nodes off; the number of the cut.
    pub(crate) fn cut(&mut self, inside: BTreeSet<Node>, one_way: bool) -> u64 {
        self.serial += 1;
        self.partitions.push(Partition { number: self.serial, inside, one_way });
        self.serial
    }

    pub(crate) fn rejoin(&mut self, number: u64) {
        self.partitions.retain(|partition| partition.number != number);
    }

    pub(crate) fn slow_down(&mut self, node: Node) {
        self.slow.insert(node);
    }

    pub(crate) fn quicken(&mut self, node: Node) {
        self.slow.remove(&node);
    }
}
