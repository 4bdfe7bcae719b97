//! Parts of several requests, merged into one for their shard, and the answer taken apart again.
//!
//! Two `ExportMetricsServiceRequest` messages in a row are one message that holds the resources of both (protobuf merges
//! repeated fields by concatenation), so merging copies bytes and parses nothing, and the ordinal of a top-level resource
//! says whose part it was.

use bytes::{Bytes, BytesMut};
use shardset_wire::ExportAnswer;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// One request's part for one shard, and who waits for it.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) bytes: Bytes,
    pub(super) resources: u32,
    pub(super) points: u64,
    pub(super) deadline: Instant,
    pub(super) answer: oneshot::Sender<PartAnswer>,
}

/// What became of a part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PartAnswer {
    /// Every point is durable at its worker, but for these, which were refused for good.
    Durable(Vec<Refused>),
    /// Not delivered, or its fate is unknown. It may be sent again: a point is counted once.
    Unavailable(String),
    /// Its worker will never take it.
    Rejected(String),
}

impl PartAnswer {
    pub(super) fn unavailable(why: impl Into<String>) -> Self {
        Self::Unavailable(why.into())
    }
}

/// Points that were refused for one reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// How many.
    pub points: u64,
    /// Why, naming the metric.
    pub reason: String,
}

/// Parts that travel together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    parts: Vec<Part>,
    bytes: usize,
}

impl Batch {
    pub(super) fn push(&mut self, part: Part) {
        self.bytes += part.bytes.len();
        self.parts.push(part);
    }

    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn points(&self) -> u64 {
        self.parts.iter().map(|part| part.points).sum()
    }

    /// The parts as one request. One part alone is not copied.
    pub(super) fn request(&self) -> Bytes {
        if let [part] = self.parts.as_slice() {
            return part.bytes.clone();
        }
        let mut merged = BytesMut::with_capacity(self.bytes);
        self.parts.iter().for_each(|part| merged.extend_from_slice(&part.bytes));
        merged.freeze()
    }

    /// Answers those parts whose time is over, and forgets those whose client has gone.
    pub(super) fn expire(&mut self, now: Instant, why: &str) {
        let (alive, over): (Vec<Part>, Vec<Part>) =
            self.parts.drain(..).filter(|part| !part.answer.is_closed()).partition(|part| part.deadline > now);
        over.into_iter().for_each(|part| reply(part.answer, PartAnswer::unavailable(why)));
        self.bytes = alive.iter().map(|part| part.bytes.len()).sum();
        self.parts = alive;
    }

    /// Until when the last of the parts may wait; `None` where none is left.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.parts.iter().map(|part| part.deadline).max()
    }

    /// Each part on its own.
    pub(super) fn apart(self) -> impl Iterator<Item = Self> {
        self.parts.into_iter().map(|part| Self { bytes: part.bytes.len(), parts: vec![part] })
    }

    /// Tells every part what its worker said of it.
    pub(super) fn durable(self, answer: &ExportAnswer) {
        let mut first = 0;
        for part in self.parts {
            let next = first + part.resources;
            let mine = answer.refused.iter().filter(|refused| (first..next).contains(&refused.resource_index));
            let refused = mine.map(|refused| Refused { points: refused.points, reason: refused.reason.clone() });
            reply(part.answer, PartAnswer::Durable(refused.collect()));
            first = next;
        }
    }

    /// Tells every part that its worker will never take it.
    pub(super) fn rejected(self, why: &str) {
        self.parts.into_iter().for_each(|part| reply(part.answer, PartAnswer::Rejected(why.to_owned())));
    }
}

/// A client that has gone does not hear it, and needs not.
fn reply(answer: oneshot::Sender<PartAnswer>, what: PartAnswer) {
    drop(answer.send(what));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use shardset_wire::{ExportAnswer, RefusedPart};
    use tokio::sync::oneshot;
    use tokio::time::Instant;

    use super::{Batch, Part, PartAnswer, Refused};

    fn part(bytes: &'static [u8], resources: u32, deadline: Instant) -> (Part, oneshot::Receiver<PartAnswer>) {
        let (answer, answered) = oneshot::channel();
        (Part { bytes: Bytes::from_static(bytes), resources, points: 1, deadline, answer }, answered)
    }

    #[test]
    fn refusals_find_the_part_they_belong_to() {
        let now = Instant::now();
        let (mut batch, mut answers) = (Batch::default(), Vec::new());
        for resources in [2, 0, 3] {
            let (part, answered) = part(b"x", resources, now);
            batch.push(part);
            answers.push(answered);
        }
        let refused = |resource_index, points| RefusedPart { resource_index, points, reason: "no".into() };
        batch.durable(&ExportAnswer {
            refused: vec![refused(1, 5), refused(2, 7), refused(4, 9)],
            ..Default::default()
        });
        let got: Vec<_> = answers.iter_mut().map(|answer| answer.try_recv().unwrap()).collect();
        let of = |points| Refused { points, reason: "no".into() };
        let expected = [vec![of(5)], vec![], vec![of(7), of(9)]].map(PartAnswer::Durable);
        assert_eq!(got, expected);
    }

    #[test]
    fn parts_merge_by_concatenation_and_expire_one_by_one() {
        let now = Instant::now();
        let mut batch = Batch::default();
        let (first, mut over) = part(b"ab", 1, now);
        let (second, mut alive) = part(b"cd", 1, now + Duration::from_secs(1));
        let (third, gone) = part(b"ef", 1, now + Duration::from_secs(1));
        [first, second, third].into_iter().for_each(|part| batch.push(part));
        assert_eq!(batch.request(), Bytes::from_static(b"abcdef"));
        drop(gone);
        batch.expire(now, "no worker");
        assert_eq!((batch.request(), batch.bytes(), batch.len()), (Bytes::from_static(b"cd"), 2, 1));
        assert_eq!(over.try_recv(), Ok(PartAnswer::unavailable("no worker")));
        assert!(alive.try_recv().is_err());
    }
}
