//! What must hold at the end, and what does not.

use std::fmt;
use std::time::Duration;

use shardset_e2e::prometheus::Prometheus;
use shardset_load::{Outcome, Verdict, VerifySettings, verify};

use crate::cluster::Cluster;
use crate::logs;
use crate::summary::Summary;

/// Totals show within a few ticks of the export clock, on a machine that is busy.
const SHOW_WITHIN: Duration = Duration::from_secs(120);
/// With lost disks they never show all of it; what is shown twice would show by then.
const SHOW_WITHIN_LOST: Duration = Duration::from_secs(15);
/// What a log may have: a line of 200 bytes a second for two days.
const LOG_BYTES_MAX: u64 = 32 << 20;
/// Series of a finding that are named.
const NAMED: usize = 5;

/// How a run went.
pub(crate) struct Judgement {
    pub(crate) verdict: Verdict,
    pub(crate) summary: Summary,
    /// What does not hold.
    findings: Vec<String>,
}

/// Compares every total with what clients were told.
pub(crate) async fn totals(outcome: &Outcome, prometheus: &Prometheus, lost_disks: bool) -> anyhow::Result<Judgement> {
    let patience = if lost_disks { SHOW_WITHIN_LOST } else { SHOW_WITHIN };
    let settings = VerifySettings { patience, ..VerifySettings::default() };
    let verdict = verify(outcome, &prometheus.url(), &settings).await?;
    let mut findings = Vec::new();
    if lost_disks && verdict.doubled > 0.0 {
        findings.push(format!("{} counted twice", verdict.doubled));
    }
    if !lost_disks && !verdict.passed() {
        findings.push("totals are not what was accepted".to_owned());
    }
    if !outcome.summary.complaints.is_empty() {
        findings.push(format!("clients were told for good: {:?}", outcome.summary.complaints));
    }
    Ok(Judgement { verdict, summary: Summary::default(), findings })
}

impl Judgement {
    /// Whether everything holds.
    pub(crate) fn passed(&self) -> bool {
        self.findings.is_empty()
    }

    /// Looks for counters that fell.
    pub(crate) async fn resets(
        &mut self,
        outcome: &Outcome,
        prometheus: &Prometheus,
        lost_disks: bool,
    ) -> anyhow::Result<()> {
        let window = outcome.summary.seconds as u64 + SHOW_WITHIN.as_secs();
        let fell = prometheus.fallen(window).await?;
        self.summary.resets = fell.iter().filter_map(|series| series.value()).sum::<f64>() as u64;
        if !fell.is_empty() && !lost_disks {
            let named: Vec<_> = fell.iter().take(NAMED).map(|series| &series.labels).collect();
            self.findings.push(format!("{} series fell: {named:?}", fell.len()));
        }
        Ok(())
    }

    /// Looks at what is left: processes, logs, disks.
    pub(crate) fn remains(&mut self, cluster: &mut Cluster, disk_bytes_max: u64) -> anyhow::Result<()> {
        cluster.look()?;
        if let Err(error) = cluster.settled() {
            self.findings.push(format!("not settled any more: {error:#}"));
        }
        for path in cluster.logs() {
            for (what, times) in logs::broken(&path)? {
                self.findings.push(format!("{}: {what} ({times} times)", path.display()));
            }
            let bytes = path.metadata()?.len();
            if bytes > LOG_BYTES_MAX {
                self.findings.push(format!("{} has {bytes} bytes", path.display()));
            }
        }
        for (number, bytes) in cluster.disk_bytes().into_iter().enumerate() {
            if bytes > disk_bytes_max {
                self.findings.push(format!("the disk of worker-{number} has {bytes} bytes"));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}", self.verdict, self.summary)?;
        for finding in &self.findings {
            writeln!(f, "FOUND     {finding}")?;
        }
        f.write_str(if self.passed() { "passed" } else { "FAILED" })
    }
}
