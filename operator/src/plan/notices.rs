//! What is told as Events: the differences between how a set stood and how it stands.
//!
//! From one status to the next, so a new leader tells what happened while nobody looked, and tells nothing twice.

use shardset_crds::{MetricsShardSetStatus, RebalanceState};

/// One Event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// Whether it is a matter of concern.
    pub is_warning: bool,
    /// What happened, in one word.
    pub reason: &'static str,
    /// What happened, for people.
    pub note: String,
}

impl Notice {
    pub(crate) fn normal(reason: &'static str, note: impl Into<String>) -> Self {
        Self { is_warning: false, reason, note: note.into() }
    }

    pub(crate) fn warning(reason: &'static str, note: impl Into<String>) -> Self {
        Self { is_warning: true, reason, note: note.into() }
    }
}

/// What is different now.
pub fn notices(before: Option<&MetricsShardSetStatus>, now: &MetricsShardSetStatus) -> Vec<Notice> {
    let none = MetricsShardSetStatus::default();
    let before = before.unwrap_or(&none);
    let mut notices = Vec::new();
    let state = |status: &MetricsShardSetStatus| status.rebalance.as_ref().map(|rebalance| rebalance.state);
    if now.epoch > before.epoch {
        let note = match &now.rebalance {
            Some(move_) if move_.state == RebalanceState::Moving => {
                format!("epoch {}: streams move from {} to {} shards", now.epoch, move_.from, move_.to)
            }
            _ => format!("epoch {}: {} shards", now.epoch, now.shards),
        };
        notices.push(Notice::normal("MembershipPublished", note));
    }
    let was_moving = state(before) == Some(RebalanceState::Moving);
    if was_moving && state(now) != Some(RebalanceState::Moving) {
        let moved = before.rebalance.as_ref().map_or(0, |rebalance| rebalance.streams_to_move);
        let note = format!("epoch {}: {moved} streams are at their owners, {} shards", now.epoch, now.shards);
        notices.push(Notice::normal("RebalanceCompleted", note));
    }
    notices.extend(changed(before, now, "Degraded", |is_so, reason, message| match is_so {
        true => Notice::warning("Degraded", format!("{reason}: {message}")),
        false => Notice::normal("Recovered", message.to_owned()),
    }));
    notices.extend(changed(before, now, "Available", |is_so, _, message| match is_so {
        true => Notice::normal("Available", message.to_owned()),
        false => Notice::warning("Unavailable", message.to_owned()),
    }));
    notices
}

/// What to tell where a condition is another one now. What was not so before is not told as not being so any more.
fn changed(
    before: &MetricsShardSetStatus,
    now: &MetricsShardSetStatus,
    condition: &str,
    tell: impl Fn(bool, &str, &str) -> Notice,
) -> Option<Notice> {
    let found = |status: &MetricsShardSetStatus| {
        status.conditions.iter().find(|one| one.type_ == condition).map(|one| one.status == "True").unwrap_or(false)
    };
    let now_so = now.conditions.iter().find(|one| one.type_ == condition)?;
    let is_so = now_so.status == "True";
    (is_so != found(before)).then(|| tell(is_so, &now_so.reason, &now_so.message))
}
