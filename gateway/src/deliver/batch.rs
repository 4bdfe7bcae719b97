//! Parts of several requests, merged into one for their shard, and the answer taken apart again.
//!
//! Two `ExportMetricsServiceRequest` messages in a row are one message that holds the resources of both (protobuf merges
//! repeated fields by concatenation), so merging copies bytes and parses nothing, and the ordinal of a top-level resource
//! says whose part it was.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use shardset_model::{Epoch, Membership};
use shardset_wire::ExportAnswer;
use tokio::time::Instant;

use super::acks::{Ack, PartAnswer, Refused};

/// One request's part for one shard, and who waits for it.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) bytes: Bytes,
    pub(super) resources: u32,
    /// What it was split under.
    pub(super) membership: Arc<Membership>,
    pub(super) deadline: Instant,
    pub(super) ack: Ack,
}

/// Parts that travel together, all of them split under one membership: the request names it, and its worker takes it or
/// refuses it as a whole.
#[derive(Debug)]
pub(super) struct Batch {
    parts: Vec<Part>,
    bytes: usize,
    membership: Arc<Membership>,
}

impl Batch {
    pub(super) fn new(first: Part) -> Self {
        let (bytes, membership) = (first.bytes.len(), Arc::clone(&first.membership));
        Self { parts: vec![first], bytes, membership }
    }

    /// Takes the part along, or gives it back where it was split under another membership.
    pub(super) fn push(&mut self, part: Part) -> Result<(), Part> {
        if self.membership != part.membership {
            return Err(part);
        }
        self.bytes += part.bytes.len();
        self.parts.push(part);
        Ok(())
    }

    pub(super) fn membership(&self) -> &Membership {
        &self.membership
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.membership.epoch()
    }

    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn points(&self) -> u64 {
        self.parts.iter().map(|part| part.ack.points()).sum()
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
            self.parts.drain(..).filter(|part| !part.ack.is_gone()).partition(|part| part.deadline > now);
        over.into_iter().for_each(|part| part.ack.settle(PartAnswer::unavailable(why)));
        self.bytes = alive.iter().map(|part| part.bytes.len()).sum();
        self.parts = alive;
    }

    /// Until when the last of the parts may wait; `None` where none is left.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.parts.iter().map(|part| part.deadline).max()
    }

    /// Each part on its own.
    pub(super) fn apart(self) -> impl Iterator<Item = Self> {
        self.parts.into_iter().map(Self::new)
    }

    /// Tells every part what its worker said of it.
    pub(super) fn durable(self, answer: &ExportAnswer) {
        let mut first = 0;
        for part in self.parts {
            let next = first + part.resources;
            let mine = answer.refused.iter().filter(|refused| (first..next).contains(&refused.resource_index));
            let refused = mine.map(|refused| Refused { points: refused.points, reason: refused.reason.clone() });
            part.ack.settle(PartAnswer::Durable(refused.collect()));
            first = next;
        }
    }

    /// Tells every part that its worker will never take it.
    pub(super) fn rejected(self, why: &str) {
        self.parts.into_iter().for_each(|part| part.ack.settle(PartAnswer::Rejected(why.to_owned())));
    }

    /// Gives every part back, to be split again; `newer` is what its worker refused it for.
    pub(super) fn hand_back(self, newer: Option<Arc<Membership>>) {
        self.parts.into_iter().for_each(|part| part.ack.stale(part.bytes, newer.clone()));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;
    use shardset_model::{Epoch, Membership, ShardCount};
    use shardset_wire::{ExportAnswer, RefusedPart};
    use tokio::time::Instant;

    use super::{Batch, Part, PartAnswer, Refused};
    use crate::deliver::{Acks, Progress, Settled, Stale};

    fn at(epoch: u64) -> Arc<Membership> {
        Arc::new(Membership::stable(Epoch::new(epoch).unwrap(), ShardCount::ONE))
    }

    fn part(bytes: &'static [u8], resources: u32, deadline: Instant) -> (Part, Acks) {
        let acks = Acks::default();
        let part = Part { bytes: Bytes::from_static(bytes), resources, membership: at(1), deadline, ack: acks.part(1) };
        (part, acks)
    }

    async fn settled(acks: &Acks) -> PartAnswer {
        match acks.next().await {
            Progress::Settled(mut all) if all.len() == 1 => all.remove(0).answer,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn refusals_find_the_part_they_belong_to() {
        let now = Instant::now();
        let parts = [2, 0, 3].map(|resources| part(b"x", resources, now));
        let (parts, acks): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        let mut parts = parts.into_iter();
        let mut batch = Batch::new(parts.next().unwrap());
        parts.for_each(|part| batch.push(part).unwrap());
        let refused = |resource_index, points| RefusedPart { resource_index, points, reason: "no".into() };
        batch.durable(&ExportAnswer {
            refused: vec![refused(1, 5), refused(2, 7), refused(4, 9)],
            ..Default::default()
        });
        let of = |points| Refused { points, reason: "no".into() };
        for (acks, expected) in acks.iter().zip([vec![of(5)], vec![], vec![of(7), of(9)]]) {
            assert_eq!(settled(acks).await, PartAnswer::Durable(expected));
        }
    }

    #[tokio::test]
    async fn parts_merge_by_concatenation_and_expire_one_by_one() {
        let now = Instant::now();
        let (first, over) = part(b"ab", 1, now);
        let (second, alive) = part(b"cd", 1, now + Duration::from_secs(1));
        let (third, gone) = part(b"ef", 1, now + Duration::from_secs(1));
        let mut batch = Batch::new(first);
        [second, third].into_iter().for_each(|part| batch.push(part).unwrap());
        assert_eq!(batch.request(), Bytes::from_static(b"abcdef"));
        drop(gone);
        batch.expire(now, "no worker");
        assert_eq!((batch.request(), batch.bytes(), batch.len()), (Bytes::from_static(b"cd"), 2, 1));
        assert_eq!(settled(&over).await, PartAnswer::unavailable("no worker"));
        batch.durable(&ExportAnswer::default());
        let durable = Settled { points: 1, answer: PartAnswer::Durable(Vec::new()) };
        assert_eq!(alive.next().await, Progress::Settled(vec![durable]));
    }

    #[tokio::test]
    async fn parts_of_two_memberships_do_not_travel_together_and_come_back_as_they_were() {
        let (first, acks) = part(b"ab", 1, Instant::now());
        let (second, _other) = part(b"cd", 1, Instant::now());
        let mut batch = Batch::new(first);
        assert!(batch.push(Part { membership: at(2), ..second }).is_err());
        assert_eq!((batch.len(), batch.epoch().get()), (1, 1));
        batch.hand_back(Some(at(2)));
        let stale = Stale { bytes: Bytes::from_static(b"ab"), points: 1, newer: Some(at(2)) };
        assert_eq!(acks.next().await, Progress::Stale(vec![stale]));
    }
}
