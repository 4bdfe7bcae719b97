//! A shard with its journal, as a worker has it, without the worker: what fills a data directory in a known way.

use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use shardset_accumulate::{Replay, Settings as StreamSettings, Streams};
use shardset_handoff::{Adopt, Checkpoint, Limits, Shard as Core, Taken};
use shardset_journal::{Disk, Durability, Journal, Settings};
use shardset_load::StandardPayload;
use shardset_model::{Epoch, Incarnation, Membership, ShardCount, ShardIndex, UnixNanos};
use shardset_otlp::read::{Scratch, read};
use tempfile::TempDir;

use crate::measure::thread_time;
use crate::million::identity;

/// A piece of a checkpoint, as of the worker.
const PIECE_BYTES: usize = 256 << 10;

/// Where the journal of shard 0 is in a data directory.
const DIRECTORY: &str = "shard-0";

/// Shard 0 of one.
pub(super) struct Shard {
    core: Core,
    journal: Journal<Disk>,
    scratch: Scratch,
    changes: Vec<u8>,
}

impl Shard {
    /// An empty one in this data directory, which was told that it is alone.
    pub(super) fn new(data: &Path, durability: Durability) -> anyhow::Result<Self> {
        let journal = journal(data, durability)?;
        let incarnation = journal.incarnation();
        let (mut core, mut changes) = (empty(incarnation), Vec::new());
        let adopt = Adopt { incarnation, membership: alone(), incarnations: Vec::new() };
        core.adopt(&adopt, &mut changes);
        Ok(Self { core, journal, scratch: Scratch::new(), changes })
    }

    /// Counts a request that arrived at `now`, and commits it.
    pub(super) fn count(&mut self, payload: &StandardPayload, now: UnixNanos) -> anyhow::Result<()> {
        let (core, changes) = (&mut self.core, &mut self.changes);
        let mut lost = 0;
        read(payload.bytes(), &mut self.scratch, |found| {
            let taken = core.take_point(&found.point, |contexts| identity(found, contexts), now, changes);
            lost += u64::from(!matches!(taken, Ok(Taken::Applied(_))));
        })?;
        anyhow::ensure!(lost == 0, "{lost} points were not counted");
        self.commit()
    }

    /// Writes a checkpoint, and says that it has ended.
    pub(super) fn checkpoint(&mut self) -> anyhow::Result<()> {
        self.all_but_a_checkpoint()?;
        Ok(self.journal.end_checkpoint()?)
    }

    /// Writes a checkpoint, and dies before its end.
    pub(super) fn all_but_a_checkpoint(&mut self) -> anyhow::Result<()> {
        self.journal.begin_checkpoint()?;
        let mut at = Checkpoint::Begin;
        while at != Checkpoint::Complete {
            at = self.core.write_checkpoint(at, PIECE_BYTES, &mut self.changes);
            self.commit()?;
        }
        Ok(())
    }

    /// Makes everything durable; the end of the log is not marked as that of a clean stop.
    pub(super) fn sync(&mut self) -> anyhow::Result<()> {
        self.journal.sync()?;
        Ok(())
    }

    pub(super) fn journal(&self) -> &Journal<Disk> {
        &self.journal
    }

    fn commit(&mut self) -> anyhow::Result<()> {
        self.journal.commit(&self.changes, Duration::ZERO)?;
        self.changes.clear();
        Ok(())
    }
}

/// An empty journal of shard 0 in this data directory.
pub(super) fn journal(data: &Path, durability: Durability) -> anyhow::Result<Journal<Disk>> {
    let settings = Settings { durability, ..Settings::new(index()) };
    let incarnation = Incarnation::new(1).context("1 is not 0")?;
    let opening = Journal::open(Disk::of_shard(data, index())?, settings, incarnation)?;
    Ok(opening.replay(|_| Ok::<_, Infallible>(()))?)
}

/// Shard 0.
pub(super) fn index() -> ShardIndex {
    ShardCount::ONE.shards().next().expect("there is one")
}

/// The membership of a single shard.
pub(super) fn alone() -> Membership {
    Membership::stable(Epoch::FIRST, ShardCount::ONE)
}

/// The data directory as it is now, once more, without the lock. Files are only ever appended to by whoever created them, so
/// links are copies of all but the newest, to which the shard goes on appending.
pub(super) fn copy(data: &Path) -> anyhow::Result<TempDir> {
    let copy = tempfile::tempdir()?;
    let (from, to) = (data.join(DIRECTORY), copy.path().join(DIRECTORY));
    fs::create_dir(&to)?;
    let names = fs::read_dir(&from)?.map(|entry| Ok(entry?.file_name())).collect::<anyhow::Result<Vec<_>>>()?;
    let newest = names.iter().filter(|name| name.to_string_lossy().starts_with("segment-")).max();
    for name in names.iter().filter(|name| *name != "lock") {
        let (from, to) = (from.join(name), to.join(name));
        if Some(name) == newest { fs::copy(from, to).map(drop)? } else { fs::hard_link(from, to)? }
    }
    Ok(copy)
}

/// How long the log in a data directory is, in bytes.
pub(super) fn log_bytes(data: &Path) -> anyhow::Result<u64> {
    let entries = fs::read_dir(data.join(DIRECTORY))?;
    entries.map(|entry| Ok(entry?.metadata()?.len())).sum()
}

/// CPU time that reading the log of a data directory takes: the frames alone, and with the streams that they make.
pub(super) fn replay_in_parts(data: &Path) -> anyhow::Result<[Duration; 2]> {
    let opening = |data: &TempDir| -> anyhow::Result<_> {
        let incarnation = Incarnation::new(1).context("1 is not 0")?;
        Ok(Journal::open(Disk::of_shard(data.path(), index())?, Settings::new(index()), incarnation)?)
    };
    let (copy, begun) = (self::copy(data)?, thread_time());
    drop(opening(&copy)?.replay(|_| Ok::<_, Infallible>(()))?);
    let frames = thread_time() - begun;
    let mut core = empty(Incarnation::new(1).context("1 is not 0")?);
    let (copy, begun) = (self::copy(data)?, thread_time());
    drop(opening(&copy)?.replay(|frame| {
        let how = if frame.in_checkpoint { Replay::WithinCheckpoint } else { Replay::Whole };
        core.replay(frame.payload, how)
    })?);
    core.recovered();
    Ok([frames, thread_time() - begun])
}

fn empty(incarnation: Incarnation) -> Core {
    Core::new(index(), incarnation, Streams::new(StreamSettings::default()), Limits::default())
}
