//! All series that must be shown, by what identifies them, each with what was found of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::ledger::{Ledger, Range};
use crate::metric::{Kind, Metric, SESSION_KEYS, STREAM_KEYS, canonical};

/// The series, first by session. A large fleet has millions; the label sets of a session are kept once.
#[derive(Debug)]
pub(super) struct Expected {
    sessions: HashMap<Arc<str>, HashMap<String, Series>>,
    /// Whether a label's name is a session's (true) or a stream's.
    labels: HashMap<String, bool>,
    /// The metrics, and how many series each has.
    metrics: BTreeMap<&'static Metric, usize>,
}

/// One series.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Series {
    pub(super) kind: Kind,
    /// Whether it is its stream's first number, which totals are made of.
    pub(super) is_first: bool,
    pub(super) range: Range,
    /// Whether nothing of its stream is known to be accepted, so that the stream need not be there: its zeros neither.
    pub(super) may_be_absent: bool,
    pub(super) found: Option<f64>,
}

impl Expected {
    pub(super) fn new(ledger: &Ledger) -> Self {
        let session = SESSION_KEYS.iter().map(|key| (key.replace('.', "_"), true));
        let stream = STREAM_KEYS.iter().map(|key| (key.replace('.', "_"), false));
        let mut expected =
            Self { sessions: HashMap::new(), labels: session.chain(stream).collect(), metrics: BTreeMap::new() };
        for (stream, ranges) in ledger.iter() {
            let series = expected.sessions.entry(Arc::clone(&stream.session)).or_default();
            let components = stream.metric.kind.components();
            *expected.metrics.entry(stream.metric).or_default() += components.len();
            let may_be_absent = may_be_absent(ranges);
            for (number, (component, range)) in components.into_iter().zip(ranges).enumerate() {
                let name = format!("{}{}", stream.metric.prometheus, component.suffix);
                let (kind, is_first) = (stream.metric.kind, number == 0);
                let entry = Series { kind, is_first, range: *range, may_be_absent, found: None };
                series.insert(key(&name, &stream.attributes, component.le), entry);
            }
        }
        expected
    }

    /// The metrics that something is expected of, and how many series each has.
    pub(super) fn metrics(&self) -> impl Iterator<Item = (&'static Metric, usize)> {
        self.metrics.iter().map(|(metric, series)| (*metric, *series))
    }

    /// Every series, as `(session, name and labels, series)`.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str, &Series)> {
        self.sessions.iter().flat_map(|(session, series)| {
            series.iter().map(move |(key, series)| (session.as_ref(), key.as_str(), series))
        })
    }

    /// Before the next look.
    pub(super) fn forget_what_was_found(&mut self) {
        self.sessions.values_mut().flat_map(HashMap::values_mut).for_each(|series| series.found = None);
    }

    /// Enters a sample that a server shows. Series that nothing is expected of are other people's.
    pub(super) fn observe<'a>(&mut self, name: &str, labels: impl Iterator<Item = (&'a str, &'a str)>, value: f64) {
        let (mut session, mut stream, mut le) = (Vec::new(), Vec::new(), None);
        for (label, value) in labels {
            match self.labels.get(label) {
                Some(true) => session.push((label, value)),
                Some(false) => stream.push((label, value)),
                None if label == "le" => le = value.parse().ok(),
                None => {}
            }
        }
        let Some(series) = self.sessions.get_mut(canonical(session.into_iter()).as_str()) else { return };
        let Some(series) = series.get_mut(&key(name, &canonical(stream.into_iter()), le)) else { return };
        series.found = Some(series.found.unwrap_or(0.0) + value);
    }
}

fn may_be_absent(ranges: &[Range]) -> bool {
    ranges.iter().all(|range| range.contains(0.0)) && ranges.iter().any(|range| !range.is_exact())
}

fn key(name: &str, labels: &str, le: Option<f64>) -> String {
    match le {
        Some(le) => format!("{name} {{{labels},le={le}}}"),
        None => format!("{name} {{{labels}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::may_be_absent;
    use crate::ledger::Range;

    #[test]
    fn a_stream_of_which_nothing_is_known_to_be_accepted_may_be_absent_with_its_zeros() {
        let range = |low, high| Range { low, high };
        let (zero, one, unknown) = (range(0.0, 0.0), range(1.0, 1.0), range(0.0, 1.0));
        assert!(may_be_absent(&[unknown, unknown, zero]));
        assert!(may_be_absent(&[unknown]));
        assert!(!may_be_absent(&[one, unknown, zero]), "a point of it was accepted");
        assert!(!may_be_absent(&[zero]), "it shows that nothing was added");
        assert!(!may_be_absent(&[]));
    }
}
