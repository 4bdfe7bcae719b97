//! The method: every case is warmed up, then all cases take turns for several rounds, and a case's figure is the median of
//! its rounds, with the best beside it.
//!
//! Turns, because this kind of machine changes its speed from minute to minute: cases that are compared must have met the
//! same minutes. CPU time of the thread, because a core that does something else for a while is not the code's fault. The
//! best says what the code can do when the neighbours are quiet; the median what it did here.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

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

/// Nanoseconds of CPU time per unit.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) median: f64,
    pub(crate) best: f64,
}

impl<'a> Case<'a> {
    pub(crate) fn new(name: impl Into<String>, units: u64, pass: impl FnMut() + 'a) -> Self {
        Self { name: name.into(), units, pass: Box::new(pass) }
    }

    /// One turn: nanoseconds per unit.
    fn turn(&mut self, turn: Duration) -> f64 {
        let begun = thread_time();
        let mut passes = 0_u64;
        loop {
            (self.pass)();
            passes += 1;
            let spent = thread_time() - begun;
            if spent >= turn {
                return spent.as_nanos() as f64 / (passes * self.units) as f64;
            }
        }
    }
}

/// Measures the cases side by side.
pub(crate) fn side_by_side(mut cases: Vec<Case<'_>>, effort: Effort) -> Vec<Figure> {
    let mut rounds: Vec<Vec<f64>> = vec![Vec::new(); cases.len()];
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
    pub(crate) fn of(name: String, mut rounds: Vec<f64>) -> Self {
        rounds.sort_unstable_by(f64::total_cmp);
        Self { name, median: rounds[rounds.len() / 2], best: rounds[0] }
    }
}

/// CPU time of this thread, user and system.
pub(crate) fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).expect("below 10^9"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Case, Effort, Figure, side_by_side};

    #[test]
    fn a_figure_is_the_median_of_the_rounds_with_the_best_beside_it() {
        let figure = Figure::of("x".to_owned(), vec![3.0, 1.0, 9.0]);
        assert_eq!((figure.median, figure.best), (3.0, 1.0));
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
