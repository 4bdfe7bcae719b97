//! How streams end and are forgotten.
//!
//! ```text
//! live ──max_stale──▶ ended ──forget_after──▶ forgotten (a tombstone for the window of the memory)
//!   ◀─── a point ───────┘
//! ```
//!
//! Both times run from the last point that counted. A stream is forgotten only after it ended, so its destinations had a
//! sweep's time to be told.

use shardset_model::UnixNanos;

use super::Streams;
use crate::applied::Swept;
use crate::codec::Change;
use crate::record::seconds;
use crate::tombstones::Tombstone;

impl Streams {
    /// Looks at up to `budget` slots, from where the last sweep stopped: ends and forgets the streams whose time it is.
    /// `changed` is told each change after it is made.
    pub fn sweep(&mut self, now: UnixNanos, budget: u32, mut changed: impl FnMut(Change<'_>)) -> Swept {
        let mut swept = Swept { looked_at: budget.min(self.slots()), ..Swept::default() };
        for _ in 0..swept.looked_at {
            let slot = self.swept;
            self.swept = (slot + 1) % self.slots();
            match self.due(slot, now) {
                Some(Due::End) => {
                    self.end(slot, now);
                    swept.ended += 1;
                    changed(Change::Ended { slot, now });
                }
                Some(Due::Forget) => {
                    let tombstone = self.forget(slot, now);
                    swept.forgotten += 1;
                    changed(Change::Forgotten { slot });
                    tombstone.iter().for_each(|tombstone| changed(tombstone.change()));
                }
                None => {}
            }
            if self.swept == 0 {
                self.contexts.forget_unused();
            }
        }
        self.tombstones.drop_expired(seconds(now), self.reach.window);
        swept
    }

    /// Ends a stream, and lets go of what an ended one does not need. `None` where the slot is vacant.
    pub(super) fn end(&mut self, slot: u32, now: UnixNanos) -> Option<()> {
        let (generation, window) = (self.generation, self.reach.window);
        let record = self.records.get_mut(slot)?;
        record.end(generation);
        record.memory.let_go(seconds(now), window);
        self.details.get_mut(slot)?.exemplars = None;
        Some(())
    }

    /// Forgets a stream but for its newest time. `None` where the slot is vacant.
    fn forget(&mut self, slot: u32, now: UnixNanos) -> Option<Tombstone> {
        let record = self.take(slot)?;
        let tombstone = Tombstone { stream: record.id, floor: record.memory.newest(), since: seconds(now) };
        self.tombstones.bury(tombstone);
        Some(tombstone)
    }

    fn due(&self, slot: u32, now: UnixNanos) -> Option<Due> {
        let record = self.records.get(slot).filter(|record| !record.away)?;
        let silent_after = |limit| record.counted_at.plus(limit) < now;
        match record.ended.generation() {
            None => silent_after(self.settings.max_stale).then_some(Due::End),
            Some(_) => silent_after(self.settings.forget_after).then_some(Due::Forget),
        }
    }
}

enum Due {
    End,
    Forget,
}
