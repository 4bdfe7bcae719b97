//! What the server was told and what it said: for every stream the numbers it must show.
//!
//! Each number is kept as a [`Range`]. A delta that the server accepted moves both ends; a delta whose fate stays unknown
//! (the client gave up) moves only the end it points to; a refused delta moves none. So a stream without unknown requests
//! has a range of one number, and the check is exact. The newest point of a gauge or of a cumulative sum replaces the
//! range instead; an unknown one opens it entirely until a newer point is accepted.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::Arc;

use crate::metric::Metric;

/// Which stream: its metric, and its attributes in canonical writing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StreamName {
    pub(crate) metric: &'static Metric,
    /// The session's attributes, shared by all of its streams.
    pub(crate) session: Arc<str>,
    /// The attributes that tell the session's streams apart.
    pub(crate) attributes: Box<str>,
}

/// What a number may be, both ends included.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Range {
    /// The least it may be: everything that was accepted.
    pub low: f64,
    /// The most it may be: with everything whose fate is unknown.
    pub high: f64,
}

/// What one request says about one stream.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Recorded {
    pub(crate) stream: Arc<StreamName>,
    /// The point's time, in ms.
    pub(crate) time: i64,
    /// One number per component of the metric's kind.
    pub(crate) numbers: Box<[f64]>,
}

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// The server said that it has all of it.
    Accepted,
    /// Nobody knows, in whole or in part.
    Unknown,
    /// The server said that it has none of it.
    Refused,
}

/// What must be found.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    streams: HashMap<Arc<StreamName>, Tally>,
}

#[derive(Clone, PartialEq, Debug)]
struct Tally {
    /// Time of the newest point, where that is what counts.
    newest: i64,
    ranges: Box<[Range]>,
}

impl Range {
    const ZERO: Self = Self { low: 0.0, high: 0.0 };
    const ANY: Self = Self { low: f64::NEG_INFINITY, high: f64::INFINITY };

    const fn exactly(number: f64) -> Self {
        Self { low: number, high: number }
    }

    /// Whether the number may be this one.
    pub fn contains(self, number: f64) -> bool {
        self.low <= number && number <= self.high
    }

    /// Whether there is only one number it may be.
    pub fn is_exact(self) -> bool {
        self.low == self.high
    }
}

impl Ledger {
    /// Enters what became of a request.
    pub(crate) fn record(&mut self, recorded: Vec<Recorded>, fate: Fate) {
        if fate == Fate::Refused {
            return;
        }
        for point in recorded {
            self.point(point, fate);
        }
    }

    fn point(&mut self, point: Recorded, fate: Fate) {
        let is_latest = point.stream.metric.kind.is_latest();
        let tally = self
            .streams
            .entry(point.stream)
            .or_insert_with(|| Tally { newest: i64::MIN, ranges: vec![Range::ZERO; point.numbers.len()].into() });
        if is_latest {
            tally.replace(point.time, &point.numbers, fate);
        } else {
            tally.add(&point.numbers, fate);
        }
    }

    /// Takes in the ledger of a part of the run. A stream of sums may stand in several parts.
    pub(crate) fn merge(&mut self, other: Self) {
        for (stream, tally) in other.streams {
            let is_latest = stream.metric.kind.is_latest();
            match self.streams.entry(stream) {
                Entry::Vacant(entry) => {
                    entry.insert(tally);
                }
                Entry::Occupied(mut entry) => entry.get_mut().merge(tally, is_latest),
            }
        }
    }

    /// The streams and what their numbers may be, in the order of the components of their kind.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&StreamName, &[Range])> {
        self.streams.iter().map(|(stream, tally)| (stream.as_ref(), tally.ranges.as_ref()))
    }

    /// How many streams something is expected of.
    pub fn streams(&self) -> usize {
        self.streams.len()
    }
}

impl Tally {
    fn add(&mut self, numbers: &[f64], fate: Fate) {
        for (range, number) in self.ranges.iter_mut().zip(numbers) {
            if fate == Fate::Accepted || *number < 0.0 {
                range.low += number;
            }
            if fate == Fate::Accepted || *number > 0.0 {
                range.high += number;
            }
        }
    }

    fn replace(&mut self, time: i64, numbers: &[f64], fate: Fate) {
        if time < self.newest {
            return;
        }
        self.newest = time;
        for (range, number) in self.ranges.iter_mut().zip(numbers) {
            *range = if fate == Fate::Accepted { Range::exactly(*number) } else { Range::ANY };
        }
    }

    fn merge(&mut self, other: Self, is_latest: bool) {
        if is_latest {
            if other.newest > self.newest {
                *self = other;
            }
            return;
        }
        for (range, more) in self.ranges.iter_mut().zip(&other.ranges) {
            range.low += more.low;
            range.high += more.high;
        }
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{{{}}}", self.metric.prometheus, self.session)?;
        if self.attributes.is_empty() { Ok(()) } else { write!(f, " {{{}}}", self.attributes) }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_exact() { write!(f, "{}", self.low) } else { write!(f, "{}..{}", self.low, self.high) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Fate, Ledger, Range, Recorded, StreamName};
    use crate::metric::{COST, Metric, QUEUE, TEMPERATURE};

    fn recorded(metric: &'static Metric, time: i64, number: f64) -> Recorded {
        let stream = StreamName { metric, session: "session_id=1".into(), attributes: "".into() };
        Recorded { stream: Arc::new(stream), time, numbers: [number].into() }
    }

    fn ranges(ledger: &Ledger) -> Vec<(f64, f64)> {
        ledger.iter().map(|(_, ranges)| (ranges[0].low, ranges[0].high)).collect()
    }

    #[test]
    fn accepted_deltas_move_both_ends_unknown_ones_one_and_refused_ones_none() {
        let mut ledger = Ledger::default();
        ledger.record(vec![recorded(&COST, 1, 2.0)], Fate::Accepted);
        ledger.record(vec![recorded(&COST, 2, 0.5)], Fate::Unknown);
        ledger.record(vec![recorded(&COST, 3, 9.0)], Fate::Refused);
        assert_eq!(ranges(&ledger), [(2.0, 2.5)]);
    }

    #[test]
    fn an_unknown_fall_moves_the_lower_end() {
        let mut ledger = Ledger::default();
        ledger.record(vec![recorded(&QUEUE, 1, 4.0)], Fate::Accepted);
        ledger.record(vec![recorded(&QUEUE, 2, -3.0)], Fate::Unknown);
        assert_eq!(ranges(&ledger), [(1.0, 4.0)]);
    }

    #[test]
    fn of_a_gauge_the_newest_accepted_point_counts_in_whatever_order_answers_come() {
        let mut ledger = Ledger::default();
        ledger.record(vec![recorded(&TEMPERATURE, 1, 10.0)], Fate::Accepted);
        ledger.record(vec![recorded(&TEMPERATURE, 2, 20.0)], Fate::Unknown);
        assert_eq!(ranges(&ledger), [(f64::NEG_INFINITY, f64::INFINITY)]);
        ledger.record(vec![recorded(&TEMPERATURE, 4, 40.0)], Fate::Accepted);
        ledger.record(vec![recorded(&TEMPERATURE, 3, 30.0)], Fate::Accepted);
        assert_eq!(ranges(&ledger), [(40.0, 40.0)]);
    }

    #[test]
    fn parts_of_a_run_add_up() {
        let mut ledger = Ledger::default();
        ledger.record(vec![recorded(&COST, 1, 2.0)], Fate::Accepted);
        let mut part = Ledger::default();
        part.record(vec![recorded(&COST, 2, 1.0)], Fate::Accepted);
        part.record(vec![recorded(&COST, 3, 4.0)], Fate::Unknown);
        ledger.merge(part);
        assert_eq!(ranges(&ledger), [(3.0, 7.0)]);
        assert_eq!(ledger.streams(), 1);
    }

    #[test]
    fn a_range_of_one_number_is_exact() {
        assert!(Range::exactly(2.0).is_exact() && Range::exactly(2.0).contains(2.0));
        assert!(!Range { low: 1.0, high: 2.0 }.is_exact());
    }
}
