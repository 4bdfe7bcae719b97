//! The comparison, and how it is told.

use std::fmt;

use super::expected::{Expected, Series};
use crate::ledger::Range;
use crate::metric::Kind;
use crate::progress::Summary;

/// How many differences are kept and shown.
const SHOWN: usize = 20;

/// What the comparison came to. Totals are of the streams of deltas: values of sums, counts of histograms.
#[derive(Clone, PartialEq, Debug)]
pub struct Verdict {
    /// Series that were looked for.
    pub series: usize,
    /// Those that show exactly what was accepted.
    pub exact: usize,
    /// Those that show a number between that and what includes points of unknown fate.
    pub within_unknown: usize,
    /// What all accepted points add up to.
    pub expected: f64,
    /// What the server shows for them.
    pub found: f64,
    /// What is missing.
    pub lost: f64,
    /// What is too much.
    pub doubled: f64,
    /// Series that are not shown at all.
    pub missing: usize,
    /// How many series differ.
    pub differences_total: usize,
    /// The first of them, by name.
    pub differences: Vec<Difference>,
    /// Points that were refused or rejected although none should have been.
    pub refused: u64,
    /// Whether a sum shows too much, which waiting does not heal.
    pub(super) is_hopeless: bool,
}

/// A series that shows something else than it must.
#[derive(Clone, PartialEq, Debug)]
pub struct Difference {
    /// Name and labels.
    pub series: String,
    /// What it must show.
    pub expected: Range,
    /// What it shows; `None` where it is not shown.
    pub found: Option<f64>,
}

impl Verdict {
    pub(super) fn new(expected: &Expected, summary: &Summary, refusals_expected: bool) -> Self {
        let mut verdict = Self {
            series: 0,
            exact: 0,
            within_unknown: 0,
            expected: 0.0,
            found: 0.0,
            lost: 0.0,
            doubled: 0.0,
            missing: 0,
            differences_total: 0,
            differences: Vec::new(),
            refused: if refusals_expected { 0 } else { summary.points_rejected + summary.points_refused },
            is_hopeless: false,
        };
        let mut differing: Vec<(&str, &str, &Series)> = Vec::new();
        for (session, key, series) in expected.iter() {
            if !verdict.take(series) {
                differing.push((key, session, series));
            }
        }
        differing.sort_unstable_by_key(|(key, session, _)| (*key, *session));
        verdict.differences_total = differing.len();
        verdict.differences = differing.into_iter().take(SHOWN).map(Difference::of).collect();
        verdict
    }

    /// Whether everything that was accepted is shown once, and nothing was refused that should not have been.
    pub fn passed(&self) -> bool {
        self.differences_total == 0 && self.refused == 0 && self.series > 0
    }

    /// Counts a series; false where it differs.
    fn take(&mut self, series: &Series) -> bool {
        self.series += 1;
        let Series { kind, range, found, may_be_absent, .. } = *series;
        let is_total = series.is_first && !kind.is_latest();
        if is_total {
            self.expected += range.low;
            self.found += found.unwrap_or(0.0);
            self.lost += (range.low - found.unwrap_or(0.0)).max(0.0);
            self.doubled += (found.unwrap_or(0.0) - range.high).max(0.0);
        }
        match found {
            Some(found) if range.contains(found) => {
                *if range.is_exact() { &mut self.exact } else { &mut self.within_unknown } += 1;
                true
            }
            None if may_be_absent => {
                self.within_unknown += 1;
                true
            }
            None => {
                self.missing += 1;
                false
            }
            Some(found) => {
                let only_grows = matches!(kind, Kind::Counter | Kind::Histogram | Kind::Exponential);
                self.is_hopeless |= only_grows && found > range.high;
                false
            }
        }
    }
}

impl Difference {
    fn of((key, session, series): (&str, &str, &Series)) -> Self {
        Self { series: format!("{key} of {session}"), expected: series.range, found: series.found }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", if self.passed() { "verified" } else { "NOT verified" })?;
        writeln!(f, "series    {}: {} exact, {} within what is unknown", self.series, self.exact, self.within_unknown)?;
        write!(f, "totals    expected {}, found {}", self.expected, self.found)?;
        write!(f, ", lost {}, doubled {}", self.lost, self.doubled)?;
        if self.series == 0 {
            write!(f, "\nnothing was accepted, so there is nothing to verify")?;
        }
        if self.refused > 0 {
            write!(f, "\nrefused   {} points, none expected", self.refused)?;
        }
        if self.differences_total > 0 {
            write!(f, "\n{} series differ, {} of them are not shown", self.differences_total, self.missing)?;
            write!(f, "\n{:>16} {:>16}  series", "expected", "found")?;
        }
        for difference in &self.differences {
            let found = difference.found.map_or_else(|| "none".to_owned(), |found| found.to_string());
            write!(f, "\n{:>16} {found:>16}  {}", difference.expected.to_string(), difference.series)?;
        }
        Ok(())
    }
}
