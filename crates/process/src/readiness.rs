//! Whether the process may be sent work: true while every condition that its parts registered is met.
//!
//! A part holds the [`Condition`] it answers for; dropping it unmet (a panic, an early return) leaves the process
//! unready, which is the safe side.

use std::sync::{Arc, Mutex, PoisonError};

/// All conditions of one process. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    conditions: Arc<Mutex<Vec<(String, bool)>>>,
}

impl Readiness {
    /// A new condition, not met yet.
    pub fn condition(&self, name: impl Into<String>) -> Condition {
        let mut conditions = self.lock();
        conditions.push((name.into(), false));
        Condition { index: conditions.len() - 1, readiness: self.clone() }
    }

    /// The names of the conditions that are not met, in the order of their registration.
    pub fn unmet(&self) -> Vec<String> {
        self.lock().iter().filter(|(_, met)| !met).map(|(name, _)| name.clone()).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(String, bool)>> {
        // The list is whole between any two statements, so a panic elsewhere leaves nothing half done.
        self.conditions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One thing that must be true before the process takes work.
#[derive(Debug)]
pub struct Condition {
    index: usize,
    readiness: Readiness,
}

impl Condition {
    /// Says whether it is true now.
    pub fn set(&self, met: bool) {
        if let Some((_, state)) = self.readiness.lock().get_mut(self.index) {
            *state = met;
        }
    }
}

impl Drop for Condition {
    fn drop(&mut self) {
        self.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::Readiness;

    #[test]
    fn a_process_is_ready_when_every_condition_is_met() {
        let readiness = Readiness::default();
        assert!(readiness.unmet().is_empty());
        let (grpc, shard) = (readiness.condition("grpc"), readiness.condition("shard 0"));
        grpc.set(true);
        assert_eq!(readiness.unmet(), ["shard 0"]);
        shard.set(true);
        assert!(readiness.unmet().is_empty());
    }

    #[test]
    fn a_part_that_goes_away_takes_readiness_with_it() {
        let readiness = Readiness::default();
        let condition = readiness.condition("grpc");
        condition.set(true);
        drop(condition);
        assert_eq!(readiness.unmet(), ["grpc"]);
    }
}
