//! Points, taken in groups.
//!
//! A million streams do not fit any cache, so counting a point waits for memory four times: for the index, the two lines of
//! the stream, and its memory of points. Taken one after another these waits add up to several times the work. So points are
//! gathered first; then all are looked up, then their streams are brought near, in loops that only load, whose loads a
//! processor makes side by side; what is counted afterwards finds everything in the cache.
//!
//! It is an order of work and nothing more: a gathered point is decided and counted by the same functions as any other.

use std::hint::black_box;

use shardset_model::{MetricKind, Point, Refusal, StreamId, UnixNanos, Value};

use super::{Streams, apply};
use crate::applied::Applied;
use crate::contexts::Contexts;
use crate::record::Record;

/// Points in a group: more than the loads that a core keeps in flight, few enough that their streams stay in its first cache
/// beside everything else (32 x 6 lines of 64 bytes are 12 KiB). Groups of 64 and 128 were as fast at best and less steady.
pub const GROUP: usize = 32;

/// A gathered point: a number without exemplars, in a cache line and not in the four of a [`Point`].
#[derive(Clone, Copy, Debug)]
pub struct Gathered<O> {
    stream: StreamId,
    start: UnixNanos,
    time: UnixNanos,
    number: Number,
    kind: MetricKind,
    no_recorded_value: bool,
    slot: u32,
    /// What the caller knows of it.
    pub origin: O,
}

#[derive(Clone, Copy, Debug)]
enum Number {
    Int(i64),
    Double(f64),
}

impl<O> Gathered<O> {
    /// The point.
    #[inline]
    pub fn point(&self) -> Point<'static> {
        let Self { stream, start, time, kind, no_recorded_value, .. } = *self;
        let value = match self.number {
            Number::Int(value) => Value::Int(value),
            Number::Double(value) => Value::Double(value),
        };
        Point { stream, kind, start, time, no_recorded_value, value, exemplars: &[] }
    }
}

/// Points that wait to be counted together.
#[derive(Debug)]
pub struct Group<O> {
    gathered: Vec<Gathered<O>>,
    /// How many of them were looked up.
    looked_up: usize,
}

/// Stands for no slot.
const STRANGER: u32 = u32::MAX;

impl<O> Default for Group<O> {
    fn default() -> Self {
        Self { gathered: Vec::new(), looked_up: 0 }
    }
}

impl<O: Copy> Group<O> {
    /// Gathers a number without exemplars; `false` for any other point, which must be applied on its own.
    #[inline]
    pub fn gather(&mut self, point: &Point<'_>, origin: O) -> bool {
        let number = match point.value {
            Value::Int(value) => Number::Int(value),
            Value::Double(value) => Number::Double(value),
            Value::Missing | Value::Histogram(_) | Value::Exponential(_) | Value::Summary(_) => return false,
        };
        if !point.exemplars.is_empty() {
            return false;
        }
        let Point { stream, kind, start, time, no_recorded_value, .. } = *point;
        let slot = STRANGER;
        self.gathered.push(Gathered { stream, start, time, number, kind, no_recorded_value, slot, origin });
        true
    }

    /// Whether it must be looked up and counted before another point can be gathered.
    pub fn is_full(&self) -> bool {
        self.gathered.len() >= GROUP
    }

    /// Takes out the points whose streams were looked up in vain: each must be applied on its own, with its identity.
    pub fn strangers(&mut self) -> impl Iterator<Item = Gathered<O>> {
        self.gathered.extract_if(.., |gathered| gathered.slot == STRANGER)
    }

    /// The points, in the order in which they were gathered; none are left.
    pub fn drain(&mut self) -> impl Iterator<Item = Gathered<O>> {
        self.looked_up = 0;
        self.gathered.drain(..)
    }
}

impl Streams {
    /// Looks up the streams of the points that were gathered since the last look-up; says whether there are
    /// [`Group::strangers`], which must be taken out next.
    pub fn look_up<O>(&self, group: &mut Group<O>) -> bool {
        let mut strangers = 0;
        for gathered in &mut group.gathered[group.looked_up..] {
            gathered.slot = self.index.candidate(gathered.stream).unwrap_or(STRANGER);
            strangers += usize::from(gathered.slot == STRANGER);
        }
        group.looked_up = group.gathered.len() - strangers;
        strangers > 0
    }

    /// Brings the streams of a group near. To be called before they are counted.
    pub fn draw_near<O>(&self, group: &Group<O>) {
        let mut touched = 0;
        for gathered in &group.gathered {
            touched ^= self.records.get(gathered.slot).map_or(0, Record::touch);
        }
        for gathered in &group.gathered {
            touched ^= self.records.get(gathered.slot).map_or(0, |record| record.memory.touch());
        }
        black_box(touched);
    }

    /// Counts a gathered point as [`Streams::apply`] does. `None` (and no change) where its stream is a stranger that has
    /// the tag of a known one, once in thousands of millions of new streams: it must be applied with its identity.
    #[inline]
    pub fn apply_gathered<O>(&mut self, gathered: &Gathered<O>, now: UnixNanos) -> Option<Result<Applied, Refusal>> {
        let slot = match self.records.get(gathered.slot) {
            Some(record) if record.id == gathered.stream => gathered.slot,
            _ => self.find(gathered.stream)?,
        };
        let known = |_: &mut Contexts| unreachable!("only a stream without a slot is asked for its identity");
        Some(apply::apply_to(self, Some(slot), &gathered.point(), known, now))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use shardset_model::{Context, Identity, MetricKind, Point, StreamId, Temporality, UnixNanos, Value};

    use super::{GROUP, Group};
    use crate::{Contexts, Settings, Streams};

    fn point(id: u128, time: u64) -> Point<'static> {
        let kind = MetricKind::Sum { temporality: Temporality::Delta, monotonic: true };
        let (stream, time) = (StreamId::from_digest(id), UnixNanos(time));
        let value = Value::Int(1);
        Point { stream, kind, start: UnixNanos(1), time, no_recorded_value: false, value, exemplars: &[] }
    }

    fn identity(_: &mut Contexts) -> Identity {
        let context = Context {
            resource_attributes: Box::default(),
            scope_name: "".into(),
            scope_version: "".into(),
            scope_attributes: Box::default(),
            name: "calls".into(),
            unit: "".into(),
            description: "".into(),
            kind: point(0, 0).kind,
        };
        Identity { context: Arc::new(context), attributes: Box::default() }
    }

    #[test]
    fn a_group_counts_like_single_points() {
        let mut streams = Streams::new(Settings::default());
        let mut group = Group::default();
        assert!(streams.apply(&point(1, 10), identity, UnixNanos(10)).is_ok());
        for time in 11..11 + GROUP as u64 {
            assert!(!group.is_full());
            assert!(group.gather(&point(1, time), ()));
        }
        assert!(group.is_full());
        assert!(!streams.look_up(&mut group));
        streams.draw_near(&group);
        for gathered in group.drain() {
            assert!(streams.apply_gathered(&gathered, UnixNanos(100)).is_some_and(|applied| applied.is_ok()));
        }
        let slot = streams.find(point(1, 0).stream).unwrap();
        assert_eq!(streams.get(slot).unwrap().value(), Value::Int(1 + GROUP as i64));
    }

    #[test]
    fn strangers_are_taken_out_and_the_others_stay_in_their_order() {
        let mut streams = Streams::new(Settings::default());
        let mut group = Group::default();
        let known = |number: u128| point(number << 64, 10);
        for number in [2, 4] {
            assert!(streams.apply(&known(number), identity, UnixNanos(10)).is_ok());
        }
        (1..=3).for_each(|number| assert!(group.gather(&known(number), number)));
        assert!(streams.look_up(&mut group));
        assert_eq!(group.strangers().map(|gathered| gathered.origin).collect::<Vec<_>>(), [1, 3]);
        (4..=5).for_each(|number| assert!(group.gather(&known(number), number)));
        assert!(streams.look_up(&mut group), "only those that came since");
        assert_eq!(group.strangers().map(|gathered| gathered.origin).collect::<Vec<_>>(), [5]);
        assert_eq!(group.drain().map(|gathered| gathered.origin).collect::<Vec<_>>(), [2, 4]);
        assert!(!streams.look_up(&mut group));
    }

    #[test]
    fn a_stranger_with_the_tag_of_a_known_stream_is_not_counted_for_it() {
        let mut streams = Streams::new(Settings::default());
        assert!(streams.apply(&point(7 << 64, 10), identity, UnixNanos(10)).is_ok());
        let mut group = Group::default();
        assert!(group.gather(&point(7 << 64 | 1, 10), ()));
        assert!(!streams.look_up(&mut group), "the tag is the same");
        let gathered = group.drain().next().unwrap();
        assert!(streams.apply_gathered(&gathered, UnixNanos(10)).is_none());
        assert_eq!(streams.len(), 1);
        assert!(streams.apply(&gathered.point(), identity, UnixNanos(10)).unwrap().created);
    }
}
