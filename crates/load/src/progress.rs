//! How far a run is, and how it went. Points of a request that is sent twice count once: they are the client's points.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde::Serialize;

use crate::latency::Latencies;

/// What all lanes count together.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) requests: AtomicU64,
    pub(crate) attempts: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) duplicates: AtomicU64,
    pub(crate) abandoned: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) accepted: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) undelivered: AtomicU64,
    pub(crate) unknown: AtomicU64,
    pub(crate) latencies: Latencies,
    complaints: Mutex<BTreeSet<String>>,
}

/// How many different complaints are kept.
const COMPLAINTS_MAX: usize = 10;

/// How far a run is, for a line a second.
#[derive(Clone, PartialEq, Debug)]
pub struct Progress {
    /// Since the run began.
    pub elapsed: Duration,
    /// Points accepted per second since the line before.
    pub rate: f64,
    /// Sessions alive.
    pub sessions: usize,
    /// How far the newest request was sent behind its time.
    pub behind: Duration,
    /// The sums so far.
    pub summary: Summary,
}

/// How a run went.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Summary {
    /// The seed that would send the same again.
    pub seed: u64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Sessions that lived.
    pub sessions: u64,
    /// Streams that something was sent for and not refused.
    pub streams: usize,
    /// Requests, each counted once.
    pub requests: u64,
    /// Times that a request was sent, deliberate repetitions included.
    pub attempts: u64,
    /// Attempts after a failed one.
    pub retries: u64,
    /// Requests sent twice, or over two connections, on purpose.
    pub duplicates: u64,
    /// Requests abandoned in flight on purpose.
    pub abandoned: u64,
    /// Points of all requests.
    pub points_sent: u64,
    /// Points of requests answered with full success.
    pub points_accepted: u64,
    /// Points rejected by partial success.
    pub points_rejected: u64,
    /// Points of requests refused whole.
    pub points_refused: u64,
    /// Points of requests that never reached a server.
    pub points_undelivered: u64,
    /// Points whose fate stayed unknown.
    pub points_unknown: u64,
    /// Median time from a request's attempt to its answer, in milliseconds.
    pub latency_p50_ms: f64,
    /// The same, 99th percentile.
    pub latency_p99_ms: f64,
    /// What servers said when they refused, up to ten different sayings.
    pub complaints: Vec<String>,
}

impl Counters {
    /// The sums as they are now.
    pub(crate) fn summary(&self) -> Summary {
        Summary {
            requests: self.requests.load(Relaxed),
            attempts: self.attempts.load(Relaxed),
            retries: self.retries.load(Relaxed),
            duplicates: self.duplicates.load(Relaxed),
            abandoned: self.abandoned.load(Relaxed),
            points_sent: self.sent.load(Relaxed),
            points_accepted: self.accepted.load(Relaxed),
            points_rejected: self.rejected.load(Relaxed),
            points_refused: self.refused.load(Relaxed),
            points_undelivered: self.undelivered.load(Relaxed),
            points_unknown: self.unknown.load(Relaxed),
            latency_p50_ms: self.latencies.quantile(0.5).as_secs_f64() * 1e3,
            latency_p99_ms: self.latencies.quantile(0.99).as_secs_f64() * 1e3,
            complaints: self.complaints.lock().expect("nobody panics with it").iter().cloned().collect(),
            ..Summary::default()
        }
    }

    /// Keeps what a server said.
    pub(crate) fn complain(&self, said: &str) {
        let mut complaints = self.complaints.lock().expect("nobody panics with it");
        if complaints.len() < COMPLAINTS_MAX && !complaints.contains(said) {
            complaints.insert(said.to_owned());
        }
    }
}

impl Summary {
    /// The summary as one JSON object.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("numbers and strings are always JSON")
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = &self.summary;
        write!(f, "{:>4}s  {:>7.0} points/s  {} sessions", self.elapsed.as_secs(), self.rate, self.sessions)?;
        write!(f, "  sent {} accepted {}", s.points_sent, s.points_accepted)?;
        write!(f, " refused {} unknown {}", s.points_refused + s.points_rejected, s.points_unknown)?;
        write!(f, "  retries {}  p50 {:.1} ms p99 {:.1} ms", s.retries, s.latency_p50_ms, s.latency_p99_ms)?;
        if self.behind >= Duration::from_secs(1) {
            write!(f, "  {} s behind", self.behind.as_secs())?;
        }
        Ok(())
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.points_accepted as f64 / self.seconds.max(1e-9);
        writeln!(f, "seed      {}", self.seed)?;
        writeln!(f, "time      {:.1} s, {rate:.0} points/s accepted", self.seconds)?;
        writeln!(f, "fleet     {} sessions, {} streams", self.sessions, self.streams)?;
        writeln!(f, "requests  {} in {} attempts: {} retries", self.requests, self.attempts, self.retries)?;
        writeln!(f, "mischief  {} sent twice, {} abandoned in flight", self.duplicates, self.abandoned)?;
        writeln!(f, "points    {} sent, {} accepted", self.points_sent, self.points_accepted)?;
        write!(f, "          {} rejected by partial success, ", self.points_rejected)?;
        write!(f, "{} refused, {} undelivered, ", self.points_refused, self.points_undelivered)?;
        writeln!(f, "{} of unknown fate", self.points_unknown)?;
        write!(f, "latency   p50 {:.1} ms, p99 {:.1} ms", self.latency_p50_ms, self.latency_p99_ms)?;
        self.complaints.iter().try_for_each(|complaint| write!(f, "\ncomplaint {complaint}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Summary;

    #[test]
    fn a_summary_reads_as_text_and_as_json() {
        let summary = Summary { points_sent: 12, seconds: 2.0, points_accepted: 10, ..Summary::default() };
        assert!(summary.to_string().contains("points    12 sent, 10 accepted"));
        let json: serde_json::Value = serde_json::from_str(&summary.to_json()).unwrap();
        assert_eq!(json["points_accepted"], 10);
    }
}
