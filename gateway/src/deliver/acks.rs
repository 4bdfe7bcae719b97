//! The acknowledgements of one request: what has become of each of its parts, and which of them came back.
//!
//! One place for all parts, because the request has to hear two things only: that everything is settled, or that something came
//! back and must be split again. So it is woken once in the ordinary case, however many shards it has parts for, and at once
//! in the other, however long a slow worker keeps one of the parts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use shardset_model::Membership;
use tokio::sync::Notify;

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

/// The end of a part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settled {
    /// How many points were in it.
    pub points: u64,
    /// What became of them.
    pub answer: PartAnswer,
}

/// A part that came back because the membership it was split under is out of date for its shard. It is a request of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stale {
    /// An `ExportMetricsServiceRequest`.
    pub bytes: Bytes,
    /// Points in it.
    pub points: u64,
    /// Where its worker refused it: the worker's membership. Nothing of the part was applied then. Otherwise the gateway
    /// called it back, and it may have been applied.
    pub newer: Option<Arc<Membership>>,
}

/// What a request hears.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Every part has come to its end, in no particular order.
    Settled(Vec<Settled>),
    /// These came back; the others are on their way or at their end.
    Stale(Vec<Stale>),
}

/// The request's end. When it goes, nobody waits for the parts any more.
#[derive(Debug, Default)]
pub struct Acks(Arc<Slip>);

#[derive(Debug, Default)]
struct Slip {
    entries: Mutex<Entries>,
    wake: Notify,
    gone: AtomicBool,
}

#[derive(Debug, Default)]
struct Entries {
    open: usize,
    settled: Vec<Settled>,
    stale: Vec<Stale>,
}

impl Acks {
    /// The acknowledgement of one more part, of so many points.
    pub(super) fn part(&self, points: u64) -> Ack {
        self.0.entries().open += 1;
        Ack { points, slip: Arc::clone(&self.0), open: true }
    }

    /// Waits for one of the two things there are to hear. Not to be asked again after everything is settled.
    pub async fn next(&self) -> Progress {
        loop {
            if let Some(progress) = self.progress() {
                return progress;
            }
            // What happened since is kept as a permit, so nothing is missed in between.
            self.0.wake.notified().await;
        }
    }

    fn progress(&self) -> Option<Progress> {
        let mut entries = self.0.entries();
        if !entries.stale.is_empty() {
            return Some(Progress::Stale(std::mem::take(&mut entries.stale)));
        }
        (entries.open == 0).then(|| Progress::Settled(std::mem::take(&mut entries.settled)))
    }

    /// Settles a part that is not on its way.
    pub fn settle(&self, points: u64, answer: PartAnswer) {
        self.part(points).settle(answer);
    }
}

impl Drop for Acks {
    fn drop(&mut self) {
        self.0.gone.store(true, Ordering::Relaxed);
    }
}

impl Slip {
    fn entries(&self) -> std::sync::MutexGuard<'_, Entries> {
        // Each entry is made in one statement, so a panic elsewhere leaves nothing half done.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part's end. Dropped without a word it says that the gateway stops, because then its merger has gone.
#[derive(Debug)]
pub(super) struct Ack {
    points: u64,
    slip: Arc<Slip>,
    open: bool,
}

impl Ack {
    pub(super) const fn points(&self) -> u64 {
        self.points
    }

    /// Whether nobody waits any more.
    pub(super) fn is_gone(&self) -> bool {
        self.slip.gone.load(Ordering::Relaxed)
    }

    pub(super) fn settle(mut self, answer: PartAnswer) {
        self.close(|points, entries| entries.settled.push(Settled { points, answer }));
    }

    pub(super) fn stale(mut self, bytes: Bytes, newer: Option<Arc<Membership>>) {
        self.close(|points, entries| entries.stale.push(Stale { bytes, points, newer }));
    }

    fn close(&mut self, enter: impl FnOnce(u64, &mut Entries)) {
        self.open = false;
        let mut entries = self.slip.entries();
        entries.open -= 1;
        enter(self.points, &mut entries);
        let is_news = entries.open == 0 || !entries.stale.is_empty();
        drop(entries);
        if is_news {
            self.slip.wake.notify_one();
        }
    }
}

impl Drop for Ack {
    fn drop(&mut self) {
        if self.open {
            let answer = PartAnswer::unavailable("the gateway is stopping");
            self.close(|points, entries| entries.settled.push(Settled { points, answer }));
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Acks, PartAnswer, Progress, Settled, Stale};

    fn durable() -> PartAnswer {
        PartAnswer::Durable(Vec::new())
    }

    #[tokio::test]
    async fn what_comes_back_is_heard_before_the_others_are_settled() {
        let acks = Acks::default();
        let (slow, back) = (acks.part(1), acks.part(2));
        back.stale(Bytes::from_static(b"x"), None);
        let stale = Stale { bytes: Bytes::from_static(b"x"), points: 2, newer: None };
        assert_eq!(acks.next().await, Progress::Stale(vec![stale]));
        acks.part(2).settle(durable());
        assert_eq!(acks.progress(), None);
        slow.settle(durable());
        let settled = [2, 1].map(|points| Settled { points, answer: durable() });
        assert_eq!(acks.next().await, Progress::Settled(settled.to_vec()));
    }

    #[tokio::test]
    async fn a_request_without_parts_is_settled() {
        assert_eq!(Acks::default().next().await, Progress::Settled(Vec::new()));
    }

    #[tokio::test]
    async fn a_part_that_is_dropped_is_unavailable() {
        let acks = Acks::default();
        drop(acks.part(3));
        let answer = PartAnswer::unavailable("the gateway is stopping");
        assert_eq!(acks.next().await, Progress::Settled(vec![Settled { points: 3, answer }]));
    }

    #[test]
    fn a_part_knows_when_nobody_waits_for_it() {
        let acks = Acks::default();
        let part = acks.part(1);
        assert!(!part.is_gone());
        drop(acks);
        assert!(part.is_gone());
    }
}
