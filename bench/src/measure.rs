//! The method: every case is warmed up, then all cases take turns for several rounds, and a case's figure is the median of
//! its rounds, with the best beside it.
//!
//! Turns, because this kind of machine changes its speed from minute to minute: cases that are compared must have met the
//! same minutes. CPU time of the thread, because a core that does something else for a while is not the code's fault. The
//! best says what the code can do when the neighbours are quiet; the median what it did here.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

/// How many rounds, and how much CPU time a case takes in each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    pub(crate) turn: Duration,
}

/// Something to be measured: `pass` does `units` units of work.
pub(crate) struct Case<'a> {
    pub(crate) name: String,
    pub(crate) units: u64,
    pub(crate) pass: Box<dyn FnMut() + 'a>,
}

/// Nanoseconds per unit.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Figure {
    pub(crate) name: String,
    /// Of CPU time.
    pub(crate) median: f64,
    pub(crate) best: f64,
    /// Of time that passed, with what was waited for: the median.
    pub(crate) elapsed: f64,
}

impl<'a> Case<'a> {
    pub(crate) fn new(name: impl Into<String>, units: u64, pass: impl FnMut() + 'a) -> Self {
        Self { name: name.into(), units, pass: Box::new(pass) }
    }

    /// One turn: nanoseconds per unit, of CPU time and of time.
    fn turn(&mut self, turn: Duration) -> [f64; 2] {
        let (begun, from) = (thread_time(), Instant::now());
        let mut passes = 0_u64;
        loop {
            (self.pass)();
            passes += 1;
            let spent = thread_time() - begun;
            if spent >= turn {
                return [spent, from.elapsed()].map(|time| time.as_nanos() as f64 / (passes * self.units) as f64);
            }
        }
    }
}

/// Measures the cases side by side.
pub(crate) fn side_by_side(mut cases: Vec<Case<'_>>, effort: Effort) -> Vec<Figure> {
    let mut rounds: Vec<Vec<[f64; 2]>> = vec![Vec::new(); cases.len()];
    for round in 0..=effort.rounds {
        for (case, figures) in cases.iter_mut().zip(&mut rounds) {
            let figure = case.turn(effort.turn);
            // The first round is the warm-up.
            if round > 0 {
                figures.push(figure);
            }
        }
    }
    cases.into_iter().zip(rounds).map(|(case, figures)| Figure::of(case.name, figures)).collect()
}

impl Figure {
    /// The figure that these rounds make.
    pub(crate) fn of(name: String, rounds: Vec<[f64; 2]>) -> Self {
        let [spent, elapsed] = [0, 1].map(|which| {
            let mut rounds: Vec<f64> = rounds.iter().map(|round| round[which]).collect();
            rounds.sort_unstable_by(f64::total_cmp);
            rounds
        });
        Self { name, median: spent[spent.len() / 2], best: spent[0], elapsed: elapsed[elapsed.len() / 2] }
    }
}

/// The time, in seconds, that `percent` of these are not above; 0 of none.
pub(crate) fn percentile(times: &[Duration], percent: f64) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let place = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(place.saturating_sub(1)).map_or(0.0, Duration::as_secs_f64)
}

/// CPU time of this thread, user and system.
pub(crate) fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).expect("below 10^9"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Case, Effort, Figure, percentile, side_by_side};

    #[test]
    fn a_figure_is_the_median_of_the_rounds_with_the_best_beside_it() {
        let figure = Figure::of("x".to_owned(), vec![[3.0, 4.0], [1.0, 10.0], [9.0, 11.0]]);
        assert_eq!((figure.median, figure.best, figure.elapsed), (3.0, 1.0, 10.0));
    }

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let times: Vec<Duration> = (1..=200).rev().map(Duration::from_secs).collect();
        assert_eq!([50.0, 99.0, 100.0].map(|percent| percentile(&times, percent)), [100.0, 198.0, 200.0]);
        assert_eq!(percentile(&[], 99.0), 0.0);
    }

    #[test]
    fn cases_take_turns() {
        let (first, second) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
        let count = |cell: &std::cell::Cell<u64>| cell.set(cell.get() + 1);
        let cases = vec![Case::new("a", 1, || count(&first)), Case::new("b", 1, || count(&second))];
        let figures = side_by_side(cases, Effort { rounds: 2, turn: Duration::ZERO });
        assert_eq!((first.get(), second.get(), figures.len()), (3, 3, 2));
    }
}
