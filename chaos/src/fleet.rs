//! The clients: a fleet that misbehaves, over all protocols, and that insists for as long as any outage lasts.

use std::time::Duration;

use shardset_load::{Endpoints, Extras, MischiefRates, Progress, Retry, Settings};

use crate::arguments::Arguments;

/// No attempt begins later than this after the first. Above the sum of all outages that can follow on each other, so that
/// nothing is of unknown fate, and below the time for which workers remember what they counted.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// What the fleet does. It ends when it is told to.
pub(crate) fn settings(endpoints: Endpoints, arguments: &Arguments) -> Settings {
    // What falls on its own can not be told from what was lost with a disk.
    let up_down = if arguments.lose_disks { 0.0 } else { 0.05 };
    Settings {
        endpoints,
        rate: Some(arguments.rate),
        interval: Duration::from_secs(1),
        // Sessions of half a minute: old enough to live through moves and kills, and new streams come all the time.
        lifetime: 30,
        duration: Some(Duration::MAX),
        gzip: 0.2,
        retry: Retry {
            timeout: Duration::from_secs(10),
            attempts: u32::MAX,
            pause: Duration::from_millis(250),
            pause_max: Duration::from_secs(2),
            patience: PATIENCE,
        },
        mischief: MischiefRates { send_twice: 0.05, race: 0.05, abandon: 0.05 },
        extras: Extras { histograms: 0.05, exponential: 0.05, up_down, ..Extras::default() },
        seed: arguments.seed,
        ..Settings::default()
    }
}

/// The longest time in which nothing was accepted, as a line a second tells it.
#[derive(Debug, Default)]
pub(crate) struct Gap {
    accepted: u64,
    since: Duration,
    longest: Duration,
}

impl Gap {
    /// Takes in a second.
    pub(crate) fn see(&mut self, progress: &Progress) {
        self.longest = self.longest.max(progress.elapsed.saturating_sub(self.since));
        if progress.summary.points_accepted > self.accepted {
            (self.accepted, self.since) = (progress.summary.points_accepted, progress.elapsed);
        }
    }

    /// The longest so far.
    pub(crate) fn longest(&self) -> Duration {
        self.longest
    }
}
