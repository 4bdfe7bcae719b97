//! A client: makes points, sends them in batches, and sends a batch again, as it is, while nobody has accepted it.

use std::collections::BTreeMap;

use shardset_model::UnixNanos;

use crate::catalog::Delta;
use crate::message::Payload;
use crate::node::{MS, Node, SECOND, Time};
use crate::queue::Event;
use crate::scene::Scene;
use crate::violation::Invariant;

/// A client.
#[derive(Debug)]
pub(crate) struct Client {
    number: usize,
    /// Batches that nobody has accepted.
    open: BTreeMap<u64, Open>,
    serial: u64,
}

#[derive(Debug)]
struct Open {
    points: Vec<Delta>,
    until: Time,
    attempt: u32,
}

impl Client {
    pub(crate) const fn new(number: usize) -> Self {
        Self { number, open: BTreeMap::new(), serial: 0 }
    }

    /// Whether it waits for nothing.
    pub(crate) fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// Makes a batch of points, some of which are late and some of which were made before.
    pub(crate) fn make(&mut self, scene: &mut Scene) {
        if scene.is_calm {
            return;
        }
        let delay = scene.around(scene.weather.pause);
        scene.after(delay, Event::Make { client: self.number });
        let number = scene.random.between(1, 5);
        let points: Vec<Delta> = (0..number).filter_map(|_| point(scene)).collect();
        if !points.is_empty() {
            self.open(points, scene);
        }
    }

    fn open(&mut self, points: Vec<Delta>, scene: &mut Scene) {
        self.serial += 1;
        let until = scene.now + scene.weather.patience;
        self.open.insert(self.serial, Open { points, until, attempt: 0 });
        self.send(self.serial, scene);
    }

    fn send(&mut self, batch: u64, scene: &mut Scene) {
        let Some(open) = self.open.get_mut(&batch) else { return };
        open.attempt += 1;
        let (attempt, points) = (open.attempt, open.points.clone());
        let gateway = scene.random.below(scene.weather.gateways as u64) as usize;
        scene.send(Node::Client(self.number), Node::Gateway(gateway), Payload::Batch { batch, points });
        let delay = scene.around(900 * MS);
        scene.after(delay, Event::Retry { client: self.number, batch, attempt });
    }

    /// Sends a batch again, by any gateway, unless it is answered or its time is over.
    pub(crate) fn retry(&mut self, batch: u64, attempt: u32, scene: &mut Scene) {
        let Some(open) = self.open.get(&batch).filter(|open| open.attempt == attempt) else { return };
        if open.until < scene.now {
            self.open.remove(&batch);
        } else {
            self.send(batch, scene);
        }
    }

    pub(crate) fn receive(&mut self, payload: &Payload, scene: &mut Scene) {
        let Payload::Answered { batch, accepted } = payload else { return };
        let Some(accepted) = accepted else {
            if let Some(open) = self.open.get(batch) {
                let event = Event::Retry { client: self.number, batch: *batch, attempt: open.attempt };
                let delay = scene.around(200 * MS);
                scene.after(delay, event);
            }
            return;
        };
        for delta in accepted {
            if scene.ledger.get(delta.stream).acknowledged & delta.bit() == 0 {
                let what = || format!("a client was told that s{}.{} counts", delta.stream, delta.ordinal);
                scene.violate(Invariant::Durable, what);
            }
        }
        let Some(open) = self.open.remove(batch) else { return };
        if scene.random.chance(0.1) && !scene.is_calm {
            self.open(open.points, scene);
        }
    }
}

/// A point of any stream: a new one, or one that was sent before.
fn point(scene: &mut Scene) -> Option<Delta> {
    let stream = scene.random.below(scene.weather.streams) as usize;
    let made = scene.catalog.get(stream).points.len() as u64;
    if made > 0 && scene.random.chance(0.15) {
        let again = scene.random.below(made) as usize;
        return Some(scene.catalog.get(stream).points[again]);
    }
    let late = if scene.random.chance(0.3) { scene.random.below(4 * SECOND) } else { scene.random.below(20 * MS) };
    let time = UnixNanos(scene.clock(-(late as i64)).0 + scene.random.below(1_000));
    let start = UnixNanos(time.0 - scene.random.below(5_000_000_000));
    let made = scene.catalog.make(stream, start, time);
    scene.ledger.counts.points += u64::from(made.is_some());
    made
}
