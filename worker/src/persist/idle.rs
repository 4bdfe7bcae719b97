//! Streams that were silent for long, on the disk instead of in memory.
//!
//! What is kept is durable before the journal says that it is kept, and goes only when a commit has said that it is not needed. A
//! file of which little is still needed is moved bit by bit.

use shardset_accumulate::Place;
use shardset_journal::{ColdError, ColdStore, Location, Storage};
use shardset_model::Receipt;
use shardset_process::logging::chain;

/// Where the silent streams of one shard are kept.
pub(crate) struct IdleStore<S: Storage> {
    files: ColdStore<S>,
}

impl<S: Storage> IdleStore<S> {
    /// Keeps streams in these files.
    pub(crate) fn new(files: ColdStore<S>) -> Self {
        Self { files }
    }

    /// The journal says that something is kept here.
    ///
    /// # Errors
    ///
    /// It is not there.
    pub(crate) fn found(&mut self, place: Place) -> Result<(), ColdError> {
        self.files.mark_live(location(place))
    }

    /// Keeps these streams durably; where, in the same order. None where that is not possible now.
    pub(crate) fn keep<'a>(&mut self, encoded: impl Iterator<Item = &'a [u8]>) -> Option<Vec<Place>> {
        let mut places = Vec::new();
        let kept = encoded
            .map(|stream| self.files.append(stream))
            .try_for_each(|appended| appended.map(|location| places.push(place(location))))
            .and_then(|()| self.files.sync());
        match kept {
            Ok(()) => Some(places),
            Err(error) => {
                tracing::warn!(error = chain(&error), "silent streams stay in memory: they can not be written now");
                // Nobody knows of what was appended.
                places.into_iter().for_each(|place| self.files.release(location(place)));
                None
            }
        }
    }

    /// Reads what is kept at a place; none where it can not be read.
    pub(crate) fn read(&mut self, place: Place) -> Option<Vec<u8>> {
        let read = self.files.read(location(place));
        read.inspect_err(|error| tracing::error!(error = chain(error), "a silent stream can not be read")).ok()
    }

    /// What is kept at a place is not needed any more; goes when [`IdleStore::clean`] is given a receipt.
    pub(crate) fn release(&mut self, place: Place) {
        self.files.release(location(place));
    }

    /// Removes what nobody needs, given that the changes which said so are durable.
    pub(crate) fn clean(&mut self, durable: &Receipt) {
        if let Err(error) = self.files.delete_unreferenced(durable) {
            tracing::warn!(error = chain(&error), "a file of silent streams can not be removed now");
        }
    }

    /// A file from which what is needed should be moved away.
    pub(crate) fn crowded_out(&self) -> Option<u32> {
        self.files.compaction_candidate()
    }

    /// Bytes of all files.
    pub(crate) fn disk_bytes(&self) -> u64 {
        self.files.disk_bytes()
    }
}

const fn location(place: Place) -> Location {
    Location { file: place.file, offset: place.offset, length: place.length }
}

const fn place(location: Location) -> Place {
    Place { file: location.file, offset: location.offset, length: location.length }
}
