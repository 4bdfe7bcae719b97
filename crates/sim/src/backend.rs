//! A backend by the rule of Prometheus: of each series it stores what is newer than the last sample, and drops the rest.

use std::collections::BTreeMap;

use shardset_model::{UnixMillis, UnixNanos};

use crate::catalog::Points;
use crate::message::{Payload, Sample};
use crate::node::Node;
use crate::scene::Scene;
use crate::violation::Invariant;

/// All series.
#[derive(Debug)]
pub(crate) struct Backend(Vec<Stored>);

/// One series.
#[derive(Clone, Default, Debug)]
struct Stored {
    last: Option<(UnixMillis, Points)>,
    /// The last value and the start of each life.
    lives: BTreeMap<u32, (Points, UnixNanos)>,
}

impl Backend {
    pub(crate) fn new(scene: &Scene) -> Self {
        Self(scene.catalog.numbers().map(|_| Stored::default()).collect())
    }

    /// The last value of a series.
    pub(crate) fn last(&self, stream: usize) -> Option<Points> {
        self.0[stream].last.map(|(_, total)| total)
    }

    pub(crate) fn receive(&mut self, from: Node, payload: &Payload, scene: &mut Scene) {
        let Payload::Samples { pass, samples } = payload else { return };
        for sample in samples {
            let stored = &mut self.0[sample.stream];
            if stored.last.is_none_or(|(time, _)| sample.time > time) {
                scene.ledger.counts.samples += 1;
                stored.check(sample, scene);
                stored.last = Some((sample.time, sample.total));
            }
        }
        scene.send(Node::Backend, from, Payload::Stored { pass: *pass });
    }
}

impl Stored {
    /// Within a life, values do not fall and the start does not change. What is told by one who was given up is nobody's.
    fn check(&mut self, sample: &Sample, scene: &mut Scene) {
        if sample.given_up {
            return;
        }
        let stream = sample.stream;
        let before = self.lives.insert(sample.life, (sample.total, sample.start));
        let Some((total, start)) = before else { return };
        if sample.total < total {
            let shown = |points| crate::catalog::shown(points);
            let what = || format!("s{stream} falls from {} to {}", shown(total), shown(sample.total));
            scene.violate(Invariant::NoGoingBack, what);
        }
        if sample.start != start {
            scene.violate(Invariant::NoGoingBack, || format!("the start of s{stream} changes"));
        }
    }
}
