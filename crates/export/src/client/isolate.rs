//! Finds the series that a backend refuses, in few requests.
//!
//! A refused run of series is halved, and each half is sent on its own, the first one first: what stays pending is then one
//! run per halving, and the order of series is kept. A bad series among 2,000 costs 22 requests. Backends that refuse much
//! must not be flooded: after 64 extra requests a refused run is no longer halved but dropped whole. What was pending then is
//! still tried once, so the bound is 64 and one for each halving.
//!
//! Where the answer leaves open whether the data is at fault, a backend that took nothing of the first 12 is left alone: by then a
//! single bad entry among 2,000 would stand by itself, and others would have been taken.
//!
//! Sending a half again after the whole was refused may repeat samples that the backend stored already; backends take
//! the same value for the same time as done.
//!
//! Pure.

use std::ops::Range;

/// Extra requests after which nothing is halved any more.
const MAX_REQUESTS: usize = 64;

/// Extra requests that doubt is worth: 11 halvings, and one more.
const MAX_DOUBTFUL: usize = 12;

/// What is to be done next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Send this run of series.
    Try(Range<usize>),
    /// Give this one up.
    Drop(Range<usize>),
}

/// The search through one refused batch.
#[derive(Debug)]
pub(super) struct Isolation {
    pending: Vec<Step>,
    requests: usize,
    is_any_taken: bool,
}

impl Isolation {
    /// Begins after a batch of this many series was refused whole. If metadata was with it, that may be the offender, so
    /// that a single series gets a second chance without.
    pub(super) fn of_refused(series: usize, had_metadata: bool) -> Self {
        let mut isolation = Self { pending: Vec::new(), requests: 0, is_any_taken: false };
        if series == 1 && had_metadata {
            isolation.pending.push(Step::Try(0..1));
        } else {
            isolation.refused(0..series);
        }
        isolation
    }

    /// The next step; `None` when all is tried or dropped.
    pub(super) fn next(&mut self) -> Option<Step> {
        let step = self.pending.pop()?;
        self.requests += usize::from(matches!(step, Step::Try(_)));
        Some(step)
    }

    /// The backend took a run.
    pub(super) fn taken(&mut self) {
        self.is_any_taken = true;
    }

    /// The backend refused this run as well, and it may be that it refuses everything.
    pub(super) fn refused_doubtfully(&mut self, series: Range<usize>) {
        if self.is_any_taken || self.requests < MAX_DOUBTFUL {
            return self.refused(series);
        }
        for step in &mut self.pending {
            if let Step::Try(series) = step {
                *step = Step::Drop(series.clone());
            }
        }
        self.pending.push(Step::Drop(series));
    }

    /// The backend refused this run as well.
    pub(super) fn refused(&mut self, series: Range<usize>) {
        if series.len() <= 1 || self.requests >= MAX_REQUESTS {
            self.pending.push(Step::Drop(series));
            return;
        }
        let middle = series.start + series.len() / 2;
        self.pending.push(Step::Try(middle..series.end));
        self.pending.push(Step::Try(series.start..middle));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::{Isolation, Step};

    /// Runs the search against a backend that refuses what holds one of `bad`: what it took, what was dropped, requests.
    fn run(series: usize, bad: &BTreeSet<usize>) -> (Vec<usize>, Vec<usize>, usize) {
        let (mut taken, mut dropped, mut requests) = (Vec::new(), Vec::new(), 0);
        let mut isolation = Isolation::of_refused(series, false);
        while let Some(step) = isolation.next() {
            match step {
                Step::Drop(run) => dropped.extend(run),
                Step::Try(run) => {
                    requests += 1;
                    if bad.range(run.clone()).next().is_some() { isolation.refused(run) } else { taken.extend(run) }
                }
            }
        }
        (taken, dropped, requests)
    }

    #[test]
    fn one_bad_series_among_2000_costs_22_requests() {
        for bad in [0, 1_000, 1_999] {
            let (taken, dropped, requests) = run(2_000, &[bad].into());
            assert_eq!((taken.len(), dropped), (1_999, vec![bad]));
            assert!(requests <= 22, "{requests}");
        }
    }

    #[test]
    fn a_single_series_gets_a_second_chance_without_its_metadata() {
        assert_eq!(Isolation::of_refused(1, true).next(), Some(Step::Try(0..1)));
        assert_eq!(Isolation::of_refused(1, false).next(), Some(Step::Drop(0..1)));
    }

    #[test]
    fn a_backend_that_refuses_everything_is_not_flooded() {
        let (taken, dropped, requests) = run(2_000, &(0..2_000).collect());
        assert_eq!((taken.len(), dropped.len()), (0, 2_000));
        assert!(requests <= 64 + 11, "{requests}");
    }

    #[test]
    fn a_backend_that_fails_is_left_alone_soon_and_one_bad_series_is_found_all_the_same() {
        for (bad, dropped, most) in [(None, 2_000, 12), (Some(0), 1, 22), (Some(1_999), 1, 22)] {
            let (mut given_up, mut requests) = (0, 0);
            let mut isolation = Isolation::of_refused(2_000, false);
            while let Some(step) = isolation.next() {
                match step {
                    Step::Drop(run) => given_up += run.len(),
                    Step::Try(run) => {
                        requests += 1;
                        let is_refused = bad.is_none_or(|bad| run.contains(&bad));
                        if is_refused { isolation.refused_doubtfully(run) } else { isolation.taken() }
                    }
                }
            }
            assert_eq!(given_up, dropped, "{bad:?}");
            assert!(requests <= most, "{requests} for {bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_series_is_taken_or_dropped_once_and_in_order(
            series in 1usize..3_000,
            bad in prop::collection::btree_set(0usize..3_000, 1..6),
        ) {
            let bad: BTreeSet<usize> = bad.into_iter().map(|at| at % series).collect();
            let (taken, dropped, requests) = run(series, &bad);
            prop_assert!(taken.is_sorted() && dropped.is_sorted());
            prop_assert_eq!(taken.len() + dropped.len(), series);
            prop_assert!(bad.iter().all(|at| dropped.contains(at)));
            prop_assert!(requests <= 64 + 12);
            if bad.len() <= 2 {
                prop_assert_eq!(dropped, bad.into_iter().collect::<Vec<_>>());
            }
        }
    }
}
