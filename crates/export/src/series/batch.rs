//! A remote-write 1.0 request in the making.
//!
//! A batch remembers where each series ends, so that any run of them is a request of its own: that is how a destination finds
//! the one series a backend refuses. Metadata stands apart from the series for the same reason.
//!
//! Pure.

use std::ops::Range;

use crate::batch::{MAX_BYTES, MAX_SAMPLES};

/// One series in a batch: where it ends, and how many samples it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Extent {
    end: u32,
    samples: u32,
}

/// Series, encoded, and metadata to go with them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SeriesBatch {
    pub(crate) bytes: Vec<u8>,
    extents: Vec<Extent>,
    samples: usize,
    pub(crate) metadata: Vec<u8>,
}

impl SeriesBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether it is time to send it.
    pub fn is_full(&self) -> bool {
        self.samples >= MAX_SAMPLES || self.bytes.len() + self.metadata.len() >= MAX_BYTES
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.metadata.is_empty()
    }

    /// How many samples it has; a native histogram is one.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// How many series it has.
    pub fn series(&self) -> usize {
        self.extents.len()
    }

    /// How many samples a run of series has.
    pub fn samples_in(&self, series: Range<usize>) -> u64 {
        self.extents[series].iter().map(|extent| u64::from(extent.samples)).sum()
    }

    /// Whether metadata goes with the series.
    pub fn has_metadata(&self) -> bool {
        !self.metadata.is_empty()
    }

    /// A whole `WriteRequest`, uncompressed: all series, then the metadata.
    pub fn message(&self) -> Vec<u8> {
        [self.bytes.as_slice(), self.metadata.as_slice()].concat()
    }

    /// A run of series, which is a `WriteRequest` too, without metadata.
    pub fn message_of(&self, series: Range<usize>) -> &[u8] {
        let end_of = |count: usize| count.checked_sub(1).map_or(0, |last| self.extents[last].end as usize);
        &self.bytes[end_of(series.start)..end_of(series.end)]
    }

    /// Closes the series that was just written.
    pub(crate) fn close_series(&mut self, samples: usize) {
        let end = u32::try_from(self.bytes.len()).expect("a batch is full at 1 MiB, and a stream is far below 4 GiB");
        self.extents.push(Extent { end, samples: samples as u32 });
        self.samples += samples;
    }
}

#[cfg(test)]
mod tests {
    use super::SeriesBatch;

    fn batch_of(series: &[&[u8]]) -> SeriesBatch {
        let mut batch = SeriesBatch::new();
        for bytes in series {
            batch.bytes.extend_from_slice(bytes);
            batch.close_series(bytes.len());
        }
        batch
    }

    #[test]
    fn any_run_of_series_is_a_request() {
        let mut batch = batch_of(&[b"a", b"bb", b"ccc"]);
        batch.metadata.extend_from_slice(b"m");
        assert_eq!(batch.message(), b"abbcccm");
        assert_eq!(batch.message_of(0..3), b"abbccc");
        assert_eq!(batch.message_of(1..2), b"bb");
        assert_eq!(batch.message_of(2..2), b"");
        assert_eq!((batch.samples_in(1..3), batch.samples(), batch.series()), (5, 6, 3));
    }

    #[test]
    fn a_batch_is_full_by_samples_or_by_bytes() {
        let mut batch = SeriesBatch::new();
        batch.close_series(1_999);
        assert!(!batch.is_full());
        batch.close_series(1);
        assert!(batch.is_full());
        let mut batch = SeriesBatch::new();
        assert!(batch.is_empty() && !batch.is_full());
        batch.bytes.resize(1 << 20, 0);
        assert!(batch.is_full());
    }
}
