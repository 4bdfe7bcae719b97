//! Counting, as plainly as the rules are written: all points that counted are kept for ever.

use std::collections::BTreeMap;

use shardset_accumulate::{Settings, Writers};
use shardset_model::{Refusal, StreamId, UnixNanos};

use super::script::{Body, Sent};

/// All streams.
#[derive(Debug)]
pub(crate) struct Fold {
    settings: Settings,
    streams: BTreeMap<StreamId, Stream>,
    /// Floor, and the second of forgetting.
    forgotten: BTreeMap<StreamId, (u64, u64)>,
}

#[derive(Debug)]
struct Stream {
    points: Vec<Sent>,
    /// With the second of arrival.
    memory: Vec<(Sent, u64)>,
    floor: u64,
    counted_at: UnixNanos,
    ended: bool,
}

impl Fold {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, streams: BTreeMap::new(), forgotten: BTreeMap::new() }
    }

    pub(crate) fn points(&self, id: StreamId) -> Vec<Sent> {
        self.streams.get(&id).map(|stream| stream.points.clone()).unwrap_or_default()
    }

    /// Whether the point counts (`false`: a duplicate), or why it is refused.
    pub(crate) fn apply(&mut self, sent: &Sent, now: UnixNanos) -> Result<bool, Refusal> {
        let (id, second, window) = (sent.id(), now.0 / 1_000_000_000, self.settings.dedupe_window.as_secs());
        let floor =
            self.forgotten.get(&id).filter(|(_, since)| second - since <= window).map_or(0, |(floor, _)| *floor);
        let known = self.streams.get(&id);
        let (memory, floor) = match known {
            Some(stream) => stream.memory_at(second, window),
            None => (Vec::new(), floor),
        };
        if memory.iter().any(|(kept, _)| kept == sent) {
            return Ok(false);
        }
        if sent.time <= floor {
            return Err(Refusal::TooOld);
        }
        if self.settings.writers == Writers::One && (covers(sent, floor) || known.is_some_and(|it| it.overlaps(sent))) {
            return Err(Refusal::Overlap);
        }
        if known.is_none() && self.streams.len() == self.settings.max_streams as usize {
            return Err(Refusal::StreamLimit);
        }
        self.forgotten.remove(&id);
        let mut points = self.points(id);
        points.push(sent.clone());
        let mut stream = Stream { points, memory, floor, counted_at: now, ended: false };
        stream.memory.push((sent.clone(), second));
        if stream.memory.len() > usize::from(self.settings.dedupe_points) {
            let oldest = stream.memory.iter().map(|(kept, _)| kept.time).min().unwrap_or(0);
            stream.memory.retain(|(kept, _)| kept.time > oldest);
            stream.floor = stream.floor.max(oldest);
        }
        self.streams.insert(id, stream);
        Ok(true)
    }

    pub(crate) fn sweep(&mut self, now: UnixNanos) {
        let silent = |stream: &Stream, limit| stream.counted_at.plus(limit) < now;
        let second = now.0 / 1_000_000_000;
        let (settings, forgotten) = (self.settings, &mut self.forgotten);
        self.streams.retain(|id, stream| {
            if !stream.ended {
                stream.ended = silent(stream, settings.max_stale);
                if stream.ended {
                    (stream.memory, stream.floor) = stream.memory_at(second, settings.dedupe_window.as_secs());
                }
                return true;
            }
            let forget = silent(stream, settings.forget_after);
            if forget {
                let newest = stream.memory.iter().map(|(sent, _)| sent.time).fold(stream.floor, u64::max);
                forgotten.insert(*id, (newest, second));
            }
            !forget
        });
    }
}

impl Stream {
    fn memory_at(&self, second: u64, window: u64) -> (Vec<(Sent, u64)>, u64) {
        let (kept, over): (Vec<_>, Vec<_>) =
            self.memory.iter().cloned().partition(|(_, arrival)| second - arrival <= window);
        (kept, over.iter().map(|(sent, _)| sent.time).fold(self.floor, u64::max))
    }

    /// Moments are counted one by one: half nanoseconds would tell nothing more.
    fn overlaps(&self, sent: &Sent) -> bool {
        self.memory.iter().any(|(kept, _)| {
            let moments: Vec<u64> = moments(kept).collect();
            self::moments(sent).any(|moment| moments.contains(&moment))
        })
    }
}

/// The nanoseconds of `(start, time]`; of the time alone where the start is unknown or the same.
fn moments(sent: &Sent) -> impl Iterator<Item = u64> {
    let first = if sent.start == 0 || sent.start == sent.time { sent.time } else { sent.start + 1 };
    first..=sent.time
}

/// Whether a point that lies above the floor begins before it.
fn covers(sent: &Sent, floor: u64) -> bool {
    sent.start != 0 && sent.start < floor
}

/// In units of 1/1024.
pub(crate) fn sum(points: &[Sent]) -> i128 {
    let units = |sent: &Sent| match sent.body {
        Body::Int(value) => i128::from(value) * 1024,
        Body::Double(units) => i128::from(units),
        Body::Histogram { .. } => 0,
    };
    points.iter().map(units).sum()
}

/// Bounds, counts and start since the bounds last changed.
pub(crate) fn histogram(points: &[Sent]) -> (Vec<f64>, Vec<u64>, UnixNanos) {
    let bounds = points.last().map(Sent::bounds).unwrap_or_default();
    let since = points.iter().rposition(|sent| sent.bounds() != bounds).map_or(0, |at| at + 1);
    let mut counts = vec![0; bounds.len() + 1];
    for sent in &points[since..] {
        if let Body::Histogram { counts: more, .. } = &sent.body {
            counts.iter_mut().zip(more).for_each(|(total, count)| *total += count);
        }
    }
    (bounds, counts, UnixNanos(points[since].start))
}
