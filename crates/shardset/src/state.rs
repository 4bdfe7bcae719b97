//! Opening a shard's state in the data directory.

use anyhow::Context;
use shardset_journal::{Disk, Journal, Opening, Settings};
use shardset_model::{Incarnation, ShardIndex};

use crate::args::CountArgs;

/// Opens the state of `shard`. An empty directory becomes a new incarnation.
pub(crate) fn open(args: &CountArgs, shard: ShardIndex) -> anyhow::Result<Opening<Disk>> {
    let disk = Disk::of_shard(&args.data_dir, shard)
        .with_context(|| format!("can not use the data directory {}", args.data_dir.display()))?;
    let settings = Settings { durability: args.durability, ..Settings::new(shard) };
    Ok(Journal::open(disk, settings, new_incarnation()?)?)
}

/// A number that no other disk has.
fn new_incarnation() -> anyhow::Result<Incarnation> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).context("the system gives no random numbers")?;
    Ok(Incarnation::new(u128::from_le_bytes(bytes)).unwrap_or(Incarnation::new(1).context("1 is not 0")?))
}
