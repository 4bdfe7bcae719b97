//! Persist: what must be durable before a sender is told.
//!
//! A [`Journal`] takes the changes that counting makes and, at each commit, makes all of them durable at once. Only a commit
//! makes a [`Receipt`], and only with a receipt can an answer be made (`Answered`): durable before answered is a type here,
//! not a habit.
//!
//! Two journals exist: [`Volatile`], which keeps state over clean stops only, and [`LossyMemory`], with which tests lose
//! what was not committed. Both keep changes in the encoding of `shardset_accumulate`; this module never looks into it.

mod claim;
mod file;
mod lossy;
mod volatile;

use bytes::Bytes;
use shardset_accumulate::{Corrupt, Streams};
use shardset_model::UnixMillis;
use shardset_wire::ExportAnswer;
use thiserror::Error;

pub use self::claim::ClaimError;
pub use self::file::FileError;
pub use self::lossy::LossyMemory;
pub use self::volatile::Volatile;

/// Keeps the streams of one shard.
pub trait Journal: Send + 'static {
    /// Brings `streams`, which are empty, to the state that was last durable. Called once, before anything else.
    ///
    /// # Errors
    ///
    /// The state is there and can not be used. The caller does not go on.
    fn recover(&mut self, streams: &mut Streams) -> Result<Recovered, PersistError>;

    /// Where the caller appends changes, in the order in which it makes them.
    fn changes(&mut self) -> &mut Vec<u8>;

    /// Makes every change appended so far durable.
    ///
    /// # Errors
    ///
    /// It can not. Memory is then ahead of what is durable, so the caller must stop without answering.
    fn commit(&mut self) -> Result<Receipt, PersistError>;

    /// Ends well: keeps `streams` as they are. No sample was told after `latest`. Called once, after everything else.
    ///
    /// # Errors
    ///
    /// It can not; what was committed is still durable where commits are.
    fn close(&mut self, streams: &Streams, latest: UnixMillis) -> Result<(), PersistError>;
}

/// What is known of the shard's earlier lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recovered {
    /// Everything that was acknowledged, if there was an earlier life.
    Whole {
        /// No sample was told after this time.
        latest: UnixMillis,
    },
    /// Nothing: an earlier life ended without keeping its state. Streams start anew, which must look like a reset: nothing
    /// may be told at times that life may have used.
    Lost,
}

/// Everything appended before it is as durable as the journal makes it. Made by [`Journal::commit`] and by nothing else.
#[derive(Debug)]
pub struct Receipt(());

/// An answer of success, of points that are durable.
#[derive(Debug)]
pub(crate) struct Answered(ExportAnswer);

impl Answered {
    /// What `answer` says is covered by the commit of `_receipt`.
    pub(crate) fn new(_receipt: &Receipt, answer: ExportAnswer) -> Self {
        Self(answer)
    }

    /// As it goes on the wire.
    pub(crate) fn into_bytes(self) -> Bytes {
        self.0.encode()
    }
}

/// Why state can not be kept or found again.
#[derive(Debug, Error)]
pub enum PersistError {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The right to the files.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// Changes that were committed can not be made again.
    #[error("the changes that were kept can not be replayed")]
    Corrupt(#[from] Corrupt),
}
