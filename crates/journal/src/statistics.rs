//! What a journal counts, for metrics.

/// What was written since the start, and what is kept now.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Statistics {
    /// Bytes written into segments, headers and what was written again included.
    pub bytes: u64,
    /// Frames written: commits, and ends of checkpoints.
    pub frames: u64,
    /// Syncs of segments.
    pub syncs: u64,
    /// Segments of the log.
    pub segments: u64,
    /// Bytes of the log.
    pub disk_bytes: u64,
}
