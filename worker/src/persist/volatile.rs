//! A journal that keeps state over clean stops only.
//!
//! Commits keep nothing. A clean stop writes the streams into `shard-N.checkpoint`, which the next start goes on from. A
//! process that dies takes with it what was counted since it started, though senders were told that it counts.
//!
//! After such a death a checkpoint, if there is one, is *older* than what destinations were told: going on from it would make
//! counters step back by what is missing, which Prometheus takes for a reset and then counts the old total once more. So
//! it is put aside as `shard-N.checkpoint.stale` and the shard starts empty, with a warning: every stream begins anew, at 0,
//! after anything told before. That is a true reset, and `rate()` and `increase()` treat it as one. What was lost stays lost.
//! How the last process ended is known from its claim ([`super::claim`]).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use shardset_accumulate::{Change, Streams};
use shardset_model::{ShardIndex, UnixMillis};

use super::claim::{Claim, LastEnd};
use super::file::{FileError, Reader, Writer, io_error, sync_directory};
use super::{Journal, PersistError, Receipt, Recovered};

/// See the module's documentation: nothing is durable while the process runs.
#[derive(Debug)]
pub struct Volatile {
    shard: ShardIndex,
    checkpoint: PathBuf,
    claim: Claim,
    last_end: LastEnd,
    changes: Vec<u8>,
}

impl Volatile {
    /// The state of `shard` in `data_dir`, which is made where it does not exist. Locks it until this is dropped.
    ///
    /// # Errors
    ///
    /// The directory can not be made, or another process works with this shard's files.
    pub fn open(data_dir: &Path, shard: ShardIndex) -> Result<Self, PersistError> {
        fs::create_dir_all(data_dir).map_err(io_error("create", data_dir))?;
        let (claim, last_end) = Claim::take(&data_dir.join(format!("shard-{shard}.claim")))?;
        let checkpoint = data_dir.join(format!("shard-{shard}.checkpoint"));
        Ok(Self { shard, checkpoint, claim, last_end, changes: Vec::new() })
    }

    fn put_stale_aside(&self) -> Result<(), FileError> {
        let stale = self.checkpoint.with_extension("checkpoint.stale");
        match fs::rename(&self.checkpoint, &stale) {
            Ok(()) => sync_directory(&stale),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(io_error("put aside", &self.checkpoint)(error)),
        }
    }

    fn load(&self, streams: &mut Streams) -> Result<UnixMillis, PersistError> {
        let Some(mut reader) = Reader::open(&self.checkpoint, self.shard)? else { return Ok(UnixMillis(0)) };
        let mut record = Vec::new();
        if !reader.next(&mut record)? {
            return Err(reader.damaged("it is empty").into());
        }
        let latest =
            <[u8; 8]>::try_from(record.as_slice()).map_err(|_| reader.damaged("its first record is no time"))?;
        while reader.next(&mut record)? {
            streams.replay(&record).map_err(|_| reader.damaged("a stream in it can not be read"))?;
        }
        Ok(UnixMillis(i64::from_le_bytes(latest)))
    }
}

impl Journal for Volatile {
    fn recover(&mut self, streams: &mut Streams) -> Result<Recovered, PersistError> {
        let shard = self.shard;
        let recovered = match self.last_end {
            LastEnd::Clean => Recovered::Whole { latest: self.load(streams)? },
            LastEnd::Died => {
                self.put_stale_aside()?;
                tracing::error!(%shard, "the last process died without keeping its state: totals are lost, streams start anew from 0");
                Recovered::Lost
            }
        };
        self.claim.mark_running()?;
        let streams = streams.len();
        tracing::warn!(%shard, streams, "state is kept at a clean stop only: a crash loses what is counted from here on");
        Ok(recovered)
    }

    fn changes(&mut self) -> &mut Vec<u8> {
        &mut self.changes
    }

    fn commit(&mut self) -> Result<Receipt, PersistError> {
        self.changes.clear();
        Ok(Receipt(()))
    }

    fn close(&mut self, streams: &Streams, latest: UnixMillis) -> Result<(), PersistError> {
        // The time, every stream, and what is left of forgotten ones.
        let records = u64::from(streams.len()) + 2;
        let mut writer = Writer::create(&self.checkpoint, self.shard, records)?;
        writer.record(&latest.0.to_le_bytes())?;
        let mut record = Vec::new();
        for slot in 0..streams.slots() {
            let Some(stream) = streams.get(slot) else { continue };
            record.clear();
            Change::Installed { slot, stream }.write(&mut record);
            writer.record(&record)?;
        }
        record.clear();
        streams.write_tombstones(&mut record);
        writer.record(&record)?;
        writer.finish()?;
        Ok(self.claim.mark_kept()?)
    }
}
