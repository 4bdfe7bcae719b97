//! What happens when: decided by the seed alone, before anything runs.
//!
//! Each kind of fault has a track of its own with its own draws, so that leaving one kind out (no right to mount a disk, say)
//! changes nothing of the others. Every fault has its end in the schedule as well, except where time is up before it; those
//! ends come when the faults stop.

mod tracks;

use std::fmt;
use std::time::Duration;

use crate::chance::Chance;
use crate::fault::{Event, WORKERS};

/// Something that happens, and when.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Planned {
    /// Since the load began.
    pub(crate) at: Duration,
    pub(crate) event: Event,
}

/// Everything that happens, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Schedule(pub(crate) Vec<Planned>);

/// Which faults there are beside those that need nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kinds {
    /// The small disk becomes full.
    pub(crate) full_disks: bool,
    /// Workers lose their disks.
    pub(crate) lost_disks: bool,
}

impl Schedule {
    /// The schedule of a seed.
    pub(crate) fn new(seed: u64, length: Duration, kinds: Kinds) -> Self {
        let mut part = 0;
        let mut chance = || {
            part += 1;
            Chance::new(seed, part)
        };
        let mut all = tracks::workers(chance(), length);
        all.extend(tracks::gateways(chance(), length));
        all.extend(tracks::coordinator(chance(), length));
        all.extend(tracks::wishes(chance(), length));
        all.extend(tracks::front(chance(), length));
        all.extend(tracks::backend(chance(), length));
        let (disk, lost) = (chance(), chance());
        for number in 0..WORKERS {
            all.extend(tracks::before(chance(), length, number));
        }
        if kinds.full_disks {
            all.extend(tracks::disk(disk, length));
        }
        if kinds.lost_disks {
            tracks::lose_disks(lost, &mut all);
        }
        all.retain(|planned| planned.at < length);
        // Stable: what a track plans for one moment stays in its order.
        all.sort_by_key(|planned| planned.at);
        Self(all)
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8.3}s  {}", self.at.as_secs_f64(), self.event)
    }
}

/// A line for each ten seconds.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for decade in self.0.chunk_by(|one, next| one.at.as_secs() / 10 == next.at.as_secs() / 10) {
            let events: Vec<String> =
                decade.iter().map(|planned| format!("{:.1} {}", planned.at.as_secs_f64(), planned.event)).collect();
            writeln!(f, "{}", events.join(" | "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::{Kinds, Schedule};
    use crate::fault::{Event, Node, WORKERS};

    const LENGTH: Duration = Duration::from_secs(600);
    const ALL: Kinds = Kinds { full_disks: true, lost_disks: true };

    #[test]
    fn one_seed_is_one_schedule_and_another_seed_another() {
        assert_eq!(Schedule::new(1, LENGTH, ALL), Schedule::new(1, LENGTH, ALL));
        assert_ne!(Schedule::new(1, LENGTH, ALL), Schedule::new(2, LENGTH, ALL));
    }

    #[test]
    fn a_kind_that_is_left_out_changes_nothing_of_the_others() {
        let mut all = Schedule::new(1, LENGTH, Kinds { full_disks: true, lost_disks: false });
        all.0.retain(|planned| !matches!(planned.event, Event::FillDisk | Event::FreeDisk));
        assert_eq!(all, Schedule::new(1, LENGTH, Kinds { full_disks: false, lost_disks: false }));
    }

    #[test]
    fn whoever_is_killed_was_alive_and_whoever_is_started_was_not() {
        for seed in 0..50 {
            let mut away = BTreeSet::new();
            for planned in Schedule::new(seed, LENGTH, ALL).0 {
                let fits = match planned.event {
                    Event::Kill(node) | Event::Terminate(node) | Event::Pause(node) => away.insert(node),
                    Event::Start(node) | Event::Resume(node) => away.remove(&node),
                    Event::LoseDisk(number) => away.contains(&Node::Worker(number)),
                    Event::Scale { shards, .. } => (1..=WORKERS).contains(&shards),
                    _ => true,
                };
                assert!(fits, "seed {seed}: {planned}");
            }
        }
    }
}
