//! A backend by the rule of Prometheus: of each series it stores what is newer than the last sample, and drops the rest.

use std::collections::BTreeMap;

use shardset_model::UnixNanos;

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
    last: Option<Sample>,
    /// The newest sample that was dropped because the series had been told at a later time before a disk was lost.
    hidden: Option<Sample>,
    /// The last value and the start of each life.
    lives: BTreeMap<u32, (Points, UnixNanos)>,
}

impl Backend {
    pub(crate) fn new(scene: &Scene) -> Self {
        Self(scene.catalog.numbers().map(|_| Stored::default()).collect())
    }

    /// The last value of a series.
    pub(crate) fn last(&self, stream: usize) -> Option<Points> {
        self.0[stream].last.as_ref().map(|last| last.total)
    }

    /// Whether a series was told with this total and is hidden by what was told before a disk was lost, by a worker whose clock was ahead or
    /// by the one that had the disk: what it had told, and when, is lost with it. A real backend says so, and the real client tells it again
    /// later; here nobody hears of it. Or whether one who was given up told the last value, which a real worker tells again from time to time.
    pub(crate) fn hides(&self, stream: usize, total: Option<Points>) -> bool {
        let Stored { last, hidden, .. } = &self.0[stream];
        let is_hidden = |last: &Sample, hidden: &Sample| last.is_of_before(hidden) && Some(hidden.total) == total;
        last.as_ref().is_some_and(|last| last.given_up || hidden.as_ref().is_some_and(|hidden| is_hidden(last, hidden)))
    }

    pub(crate) fn receive(&mut self, from: Node, payload: &Payload, scene: &mut Scene) {
        let Payload::Samples { pass, samples } = payload else { return };
        for sample in samples {
            let stored = &mut self.0[sample.stream];
            if stored.last.as_ref().is_none_or(|last| sample.time > last.time) {
                scene.ledger.counts.samples += 1;
                stored.check(sample, scene);
                stored.last = Some(*sample);
            } else if stored.last.as_ref().is_some_and(|last| last.is_of_before(sample)) {
                stored.hidden = Some(*sample);
            } else if stored.last.as_ref().is_some_and(|last| last.hides(sample)) {
                let what = || format!("s{} has two values at {}", sample.stream, sample.time.0);
                scene.violate(Invariant::NoGoingBack, what);
            }
        }
        scene.send(Node::Backend, from, Payload::Stored { pass: *pass });
    }
}

impl Sample {
    /// Whether whoever told the later one can not know of this one, because a disk was lost in between.
    fn is_of_before(&self, later: &Self) -> bool {
        let ((worker, disk), (other, another)) = (self.teller, later.teller);
        self.life < later.life || (worker == other && disk != another)
    }

    /// Whether a later value is dropped because of this one.
    fn hides(&self, later: &Self) -> bool {
        let is_counted = !self.given_up && !later.given_up && self.life <= later.life;
        is_counted && later.time == self.time && later.total > self.total
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
