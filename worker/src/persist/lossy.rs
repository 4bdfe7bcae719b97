//! A journal for tests: memory that forgets what was not committed, as a disk does.
//!
//! It outlives the shard that writes it: [`LossyMemory::crash`] is the moment at which the process dies, and the next
//! shard recovers from a clone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shardset_accumulate::Streams;
use shardset_model::UnixMillis;

use super::{Journal, PersistError, Receipt, Recovered};

/// Changes in memory. Clones share what is committed, each has its own changes that are not.
#[derive(Clone, Debug, Default)]
pub struct LossyMemory {
    committed: Arc<Mutex<Vec<u8>>>,
    changes: Vec<u8>,
}

impl LossyMemory {
    /// Loses what is not committed.
    pub fn crash(&mut self) {
        self.changes.clear();
    }

    /// How many bytes of changes are committed.
    pub fn committed_bytes(&self) -> usize {
        self.committed().len()
    }

    fn committed(&self) -> MutexGuard<'_, Vec<u8>> {
        // A commit is one append, so what a panicking thread leaves behind is whole.
        self.committed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for LossyMemory {
    fn recover(&mut self, streams: &mut Streams) -> Result<Recovered, PersistError> {
        streams.replay(&self.committed())?;
        Ok(Recovered::Whole { latest: UnixMillis(0) })
    }

    fn changes(&mut self) -> &mut Vec<u8> {
        &mut self.changes
    }

    fn commit(&mut self) -> Result<Receipt, PersistError> {
        let changes = std::mem::take(&mut self.changes);
        self.committed().extend_from_slice(&changes);
        Ok(Receipt(()))
    }

    fn close(&mut self, _: &Streams, _: UnixMillis) -> Result<(), PersistError> {
        self.commit().map(drop)
    }
}

#[cfg(test)]
mod tests;
