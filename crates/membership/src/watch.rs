//! Follows the record in a file.
//!
//! A change of the file's directory makes it be read again ([`notices`]), and so does a slow clock, because a notice can be
//! missed: the file may be a link to elsewhere, the directory may be replaced, the system may be out of watches. What can
//! not be read or not be admitted leaves the last good record in force, and is logged and counted once per change.
//!
//! Boundary: knows nothing of gateways; what is published goes into a channel that keeps the latest.

mod notices;

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use shardset_process::Tasks;
use shardset_process::logging::chain;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};

use self::notices::Notices;
use crate::file::{directory, parse};
use crate::{Record, Refusals, Refused, Trouble, admit};

/// Without a notice the file is read this often: a few KiB every 2 s cost nothing, and gateways that lag so long are
/// corrected by the workers' fence before.
const READ_AGAIN: Duration = Duration::from_secs(2);

/// After a notice, what else changes at the same time is waited for: a directory in which much happens is read 100 times a
/// second at most, and a membership is known well within the 100 ms of its budget.
const SETTLE: Duration = Duration::from_millis(10);

/// Memberships as they are published.
#[derive(Clone, Debug)]
pub struct Published {
    /// Where they come from, for whoever waits for the first one.
    pub from: String,
    /// The latest that was admitted; `None` before the first.
    pub records: watch::Receiver<Option<Arc<Record>>>,
    /// Why there is none yet, while there is none.
    pub trouble: Trouble,
}

impl Published {
    /// What comes out of this channel.
    pub fn new(from: impl Into<String>, records: watch::Receiver<Option<Arc<Record>>>) -> Self {
        Self { from: from.into(), records, trouble: Trouble::default() }
    }

    /// One membership that never changes.
    pub fn constant(record: Record) -> Self {
        let (_, records) = watch::channel(Some(Arc::new(record)));
        Self::new("the settings", records)
    }
}

/// Follows the record in the file at `path`, until the tasks stop or nobody listens any more. What it holds now is there
/// when this comes back.
pub fn watch(path: &Path, refusals: &Refusals, tasks: &Tasks) -> Published {
    watch_every(READ_AGAIN, path, refusals, tasks)
}

fn watch_every(read_again: Duration, path: &Path, refusals: &Refusals, tasks: &Tasks) -> Published {
    // Before the first read, so that no change falls between the two.
    let notices = Notices::new(directory(path));
    let (sender, records) = watch::channel(None);
    let published = Published::new(format!("the file {}", path.display()), records);
    let (refusals, trouble) = (refusals.clone(), published.trouble.clone());
    let mut follow = Follow { path: path.to_owned(), last: None, records: sender, refusals, trouble };
    follow.take(std::fs::read(path));
    let stop = tasks.stop();
    tasks.spawn("membership-file", async move {
        stop.run_until_cancelled(follow.run(notices, read_again)).await;
        Ok::<(), Infallible>(())
    });
    published
}

struct Follow {
    path: PathBuf,
    /// What was read last, so that nothing is said twice of the same.
    last: Option<Result<Vec<u8>, io::ErrorKind>>,
    records: watch::Sender<Option<Arc<Record>>>,
    refusals: Refusals,
    trouble: Trouble,
}

impl Follow {
    async fn run(mut self, mut notices: Notices, read_again: Duration) {
        let mut clock = interval(read_again);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = notices.changed() => sleep(SETTLE).await,
                _ = clock.tick() => notices.renew(),
                () = self.records.closed() => return,
            }
            let path = self.path.clone();
            let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
            self.take(read.unwrap_or_else(|error| Err(io::Error::other(error))));
        }
    }

    fn take(&mut self, read: io::Result<Vec<u8>>) {
        let now = read.as_ref().map(Vec::clone).map_err(io::Error::kind);
        if self.last.as_ref() == Some(&now) {
            return;
        }
        self.last = Some(now);
        match self.admitted(read) {
            Ok(record) => {
                let membership = record.membership();
                let (epoch, shards) = (membership.epoch().get(), membership.shards().get());
                tracing::debug!(epoch, shards, path = %self.path.display(), "a membership is published");
                self.trouble.clear();
                self.records.send_replace(Some(Arc::new(record)));
            }
            Err(refused) => {
                self.refusals.count(&refused);
                if self.records.borrow().is_none() {
                    self.trouble.say(chain(&refused));
                }
                tracing::warn!(error = chain(&refused), "a published membership is refused; the last good one stays");
            }
        }
    }

    fn admitted(&self, read: io::Result<Vec<u8>>) -> Result<Record, Refused> {
        let new = parse(&self.path, read)?;
        admit(self.records.borrow().as_deref(), new)
    }
}

#[cfg(test)]
mod tests;
