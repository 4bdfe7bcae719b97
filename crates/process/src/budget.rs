//! Bytes in flight: how much memory all requests together may take, from the first byte that is read to the answer.
//!
//! A count of requests would bound nothing, since they are between 0 bytes and 64 MiB. So every buffer is charged before
//! it grows, and what does not fit is told to come back. Nobody waits for room: whoever holds a part of it while waiting
//! for more can dead-lock with a second one who does the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::metrics::gauge::Gauge;
use thiserror::Error;

/// The gauge on `/metrics` is the account itself, so that the two can not disagree.
pub type BytesGauge = Gauge<u64, AtomicU64>;

/// The account of bytes in flight. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget {
    used: BytesGauge,
    limit: u64,
}

/// A request needs more than is left. Temporary.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("{limit} bytes of requests are in flight already")]
pub struct OverBudget {
    limit: u64,
}

impl Budget {
    /// An account of at most `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self::shown_by(BytesGauge::default(), limit)
    }

    /// The same, with the gauge that shows it.
    pub fn shown_by(used: BytesGauge, limit: u64) -> Self {
        Self { used, limit }
    }

    /// Bytes in flight now.
    pub fn used(&self) -> u64 {
        self.used.get()
    }

    /// A reservation of nothing yet.
    pub fn open(&self) -> Reservation {
        Reservation { charge: Arc::new(Charge { budget: self.clone(), bytes: AtomicU64::new(0) }) }
    }

    fn take(&self, bytes: u64) -> Result<(), OverBudget> {
        // The account protects no other memory, so its order against anything else does not matter.
        let fits = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
        let taken = self.used.inner().fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        taken.map(drop).map_err(|_| OverBudget { limit: self.limit })
    }

    fn give(&self, bytes: u64) {
        self.used.dec_by(bytes);
    }
}

/// What one request takes of the [`Budget`]. Clones share it; the last one gives everything back.
#[derive(Clone, Debug)]
pub struct Reservation {
    charge: Arc<Charge>,
}

#[derive(Debug)]
struct Charge {
    budget: Budget,
    bytes: AtomicU64,
}

impl Reservation {
    /// Bytes that this request has taken.
    pub fn bytes(&self) -> u64 {
        self.charge.bytes.load(Ordering::Relaxed)
    }

    /// Takes so many bytes more.
    ///
    /// # Errors
    ///
    /// Where the budget has no room for them; nothing is taken then.
    pub fn grow(&self, bytes: usize) -> Result<(), OverBudget> {
        self.charge.budget.take(bytes as u64)?;
        self.charge.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Gives so many bytes back; at most what was taken.
    pub fn shrink(&self, bytes: usize) {
        let less = |held: u64| Some(held.saturating_sub(bytes as u64));
        let held = self.charge.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        let held = held.expect("the closure always answers");
        self.charge.budget.give(held.min(bytes as u64));
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.give(*self.bytes.get_mut());
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;

    #[test]
    fn what_does_not_fit_is_not_taken() {
        let budget = Budget::new(10);
        let (first, second) = (budget.open(), budget.open());
        assert!(first.grow(7).is_ok());
        assert!(second.grow(4).is_err());
        assert_eq!((first.bytes(), second.bytes(), budget.used()), (7, 0, 7));
        assert!(second.grow(3).is_ok());
        assert!(second.grow(usize::MAX).is_err());
    }

    #[test]
    fn the_last_clone_gives_everything_back() {
        let budget = Budget::new(10);
        let reservation = budget.open();
        let clone = reservation.clone();
        reservation.grow(8).unwrap();
        drop(reservation);
        assert_eq!(budget.used(), 8);
        drop(clone);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn never_more_is_given_back_than_was_taken() {
        let budget = Budget::new(10);
        let (one, other) = (budget.open(), budget.open());
        one.grow(5).unwrap();
        other.grow(5).unwrap();
        one.shrink(7);
        assert_eq!((one.bytes(), budget.used()), (0, 5));
    }
}
