//! A request in the making, of whichever protocol.
//!
//! Streams are appended until the batch is full; the worker then hands it to a [`crate::Destination`]. What a batch is made of
//! are *entries*: the least that a backend can refuse on its own, a series of remote write or a stream of OTLP. Any run of them
//! is a request too, which is how a destination finds the one that a backend refuses.
//!
//! The bounds are those of Prometheus' own sender: 2,000 samples, and 1 MiB before compression so that label-heavy series
//! stay below the request limits of hosted backends, and below the 4 MiB that gRPC servers take unless told otherwise. A stream is
//! never cut in two, so the last one may go over.
//!
//! Pure.

use std::ops::Range;

use crate::{PointsBatch, SeriesBatch};

/// Samples at which a batch is full.
pub(crate) const MAX_SAMPLES: usize = 2_000;

/// Bytes before compression at which a batch is full.
pub(crate) const MAX_BYTES: usize = 1 << 20;

/// Entries, encoded.
#[derive(Clone, Debug)]
pub enum Batch {
    /// Of remote write.
    Series(SeriesBatch),
    /// Of OTLP.
    Points(PointsBatch),
}

impl Batch {
    /// Whether it is time to send it.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Series(batch) => batch.is_full(),
            Self::Points(batch) => batch.is_full(),
        }
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Series(batch) => batch.is_empty(),
            Self::Points(batch) => batch.is_empty(),
        }
    }

    /// How many samples or data points it has; a native histogram is one.
    pub fn samples(&self) -> usize {
        match self {
            Self::Series(batch) => batch.samples(),
            Self::Points(batch) => batch.points(),
        }
    }

    /// How many entries it has.
    pub fn entries(&self) -> usize {
        match self {
            Self::Series(batch) => batch.series(),
            Self::Points(batch) => batch.streams(),
        }
    }

    /// How many samples a run of entries has.
    pub fn samples_in(&self, entries: Range<usize>) -> u64 {
        match self {
            Self::Series(batch) => batch.samples_in(entries),
            Self::Points(batch) => batch.points_in(entries),
        }
    }

    /// Whether something goes with the entries that a backend may refuse in their place.
    pub fn has_metadata(&self) -> bool {
        matches!(self, Self::Series(batch) if batch.has_metadata())
    }

    /// The whole request, uncompressed.
    pub fn message(&self) -> Vec<u8> {
        match self {
            Self::Series(batch) => batch.message(),
            Self::Points(batch) => batch.message_of(0..batch.streams()),
        }
    }

    /// A run of entries, which is a request too, without metadata.
    pub fn message_of(&self, entries: Range<usize>) -> Vec<u8> {
        match self {
            Self::Series(batch) => batch.message_of(entries).to_vec(),
            Self::Points(batch) => batch.message_of(entries),
        }
    }
}
