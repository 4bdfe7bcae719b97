//! The rules that the protocol stands on, by name.
//!
//! In a product build every rule holds and asking costs nothing. With the feature `mutations` the simulator takes out one rule
//! at a time, for the thread that asks, and must notice: a rule whose loss nobody notices is not tested.

/// One rule of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Rule {
    /// A request that was routed by an older membership is refused whole.
    Fence,
    /// A point of a stream whose state is on its way waits for it.
    Park,
    /// A stream's memory of counted points moves with it.
    MemoryMoves,
    /// What was received is not installed again: neither a chunk nor a stream. Either check would do.
    InstallOnce,
    /// A sender completes only what its receiver has all of.
    CompleteIsLast,
    /// A move is over when every worker has sent and received everything.
    StableIsLast,
    /// Who sent a stream tells no samples of it any more.
    AwayIsSilent,
    /// A worker without an epoch learns its first one from the coordinator alone.
    FirstEpochIsTold,
    /// A worker that missed a whole move drops what it had.
    LateWorkerDrops,
    /// A checkpoint holds the points that wait.
    CheckpointHoldsParked,
    /// A receiver that lost its disk is sent everything again.
    NewIncarnationStartsAgain,
    /// A stream that is sent again to a disk whose former life is lost counts as told.
    LostDiskMayHaveTold,
    /// Points that waited are decided on before newer ones of their stream.
    ParkedFirst,
}

#[cfg(not(feature = "mutations"))]
/// Whether the rule holds: always.
#[inline]
pub const fn holds(_: Rule) -> bool {
    true
}

#[cfg(feature = "mutations")]
mod switch {
    use std::cell::Cell;

    use super::Rule;

    thread_local! {
        static WITHOUT: Cell<Option<Rule>> = const { Cell::new(None) };
    }

    /// Whether the rule holds on this thread; see [`without`].
    #[inline]
    pub fn holds(rule: Rule) -> bool {
        WITHOUT.get() != Some(rule)
    }

    /// Does `work` where `rule` does not hold.
    pub fn without<T>(rule: Rule, work: impl FnOnce() -> T) -> T {
        struct Restore(Option<Rule>);
        impl Drop for Restore {
            fn drop(&mut self) {
                WITHOUT.set(self.0);
            }
        }
        let _restore = Restore(WITHOUT.replace(Some(rule)));
        work()
    }
}

#[cfg(feature = "mutations")]
pub use switch::{holds, without};
