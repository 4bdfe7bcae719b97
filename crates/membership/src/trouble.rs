//! Why a reader has no membership yet, in words, for whoever looks at it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What keeps the first membership away. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Trouble(Arc<Mutex<Option<String>>>);

impl Trouble {
    /// This is it, now.
    pub fn say(&self, what: impl Into<String>) {
        *self.lock() = Some(what.into());
    }

    /// There is none any more.
    pub fn clear(&self) {
        *self.lock() = None;
    }

    /// What it is, if there is any.
    pub fn now(&self) -> Option<String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        // A text is whole between any two statements, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
