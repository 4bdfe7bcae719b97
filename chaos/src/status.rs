//! What `shardset status --json` says, and whether all is settled.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use serde::Deserialize;

/// A set of workers.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(crate) struct Status {
    membership: Option<Membership>,
    workers: Vec<Worker>,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
struct Membership {
    epoch: u64,
    shards: u32,
    phase: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Worker {
    shard: u32,
    answers: bool,
    epoch: u64,
    phase: String,
    leftovers: u64,
    parked_points: u64,
    waits_for: u64,
}

impl Status {
    /// Asks.
    pub(crate) fn ask(binary: &Path, membership: &Path) -> anyhow::Result<Self> {
        let output = Command::new(binary)
            .args(["status", "--json", "--membership"])
            .arg(membership)
            .output()
            .context("ask for the status")?;
        ensure!(output.status.success(), "no status: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).context("the status can not be read")
    }

    /// Whether the membership is Stable at so many shards, and its workers know and have nothing left to do.
    pub(crate) fn settled(&self, shards: u32) -> anyhow::Result<()> {
        let membership = self.membership.as_ref().context("no membership is published")?;
        ensure!(membership.phase == "Stable" && membership.shards == shards, "{membership:?}, wished: {shards}");
        let members: Vec<&Worker> = self.workers.iter().filter(|worker| worker.shard < shards).collect();
        ensure!(members.len() == shards as usize, "{} of {shards} workers are known", members.len());
        for worker in members {
            let knows = worker.answers && worker.epoch == membership.epoch && worker.phase == "Stable";
            let is_done = worker.leftovers == 0 && worker.parked_points == 0 && worker.waits_for == 0;
            ensure!(knows && is_done, "epoch {}: {worker:?}", membership.epoch);
        }
        Ok(())
    }

    /// Changes of the number of shards so far: each has an epoch, and the first membership has the first.
    pub(crate) fn moves(&self) -> u64 {
        self.membership.as_ref().map_or(0, |membership| membership.epoch.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::Status;

    fn status(worker: &str) -> Status {
        let text = r#"{"membership": {"epoch": 4, "shards": 1, "previousShards": 2, "phase": "Stable", "routing": "streamID"},
            "waiting": [], "workers": [{"shard": 0, "answers": true, "incarnation": "a", "epoch": 4, "phase": "Stable",
            "streams": 9, "leftovers": 0, "parkedPoints": 0, "parkedBytes": 0, "sent": 0, "toSend": 0, "waitsFor": 0}]}"#;
        serde_json::from_str(&text.replace("\"leftovers\": 0", worker)).expect("it is well formed")
    }

    #[test]
    fn settled_is_stable_at_what_was_wished_with_nothing_left() {
        assert!(status("\"leftovers\": 0").settled(1).is_ok());
        assert!(status("\"leftovers\": 0").settled(2).is_err());
        assert!(status("\"leftovers\": 3").settled(1).is_err());
        assert_eq!(status("\"leftovers\": 0").moves(), 3);
    }
}
