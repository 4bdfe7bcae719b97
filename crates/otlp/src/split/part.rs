//! What is being put together for one shard: points in frames that are opened when needed and closed late.

use shardset_model::ShardIndex;

use super::Part;
use crate::walk::Place;
use crate::wire::Fault;

/// Bytes of a frame's length: a varint of four bytes, which has 28 bits. A request is at most
/// [`crate::MAX_REQUEST`] long so that every length fits.
const LENGTH: usize = 4;

/// The levels of a request that are framed anew: resource, scope, metric, data.
const LEVELS: usize = 4;

/// How many bytes may still be copied, for all shards of a request together, of what stands around its points.
#[derive(Debug)]
pub(super) struct Room(usize);

impl Room {
    /// Four times the request, and 16 MiB so that small ones need not care.
    pub(super) const fn around(request: &[u8]) -> Self {
        Self(4 * request.len() + (16 << 20))
    }

    fn take(&mut self, bytes: usize) -> Result<(), Fault> {
        self.0 = self.0.checked_sub(bytes).ok_or(Fault::TooSpread)?;
        Ok(())
    }
}

/// A shard's part, growing.
#[derive(Default, Debug)]
pub(super) struct Output {
    bytes: Vec<u8>,
    points: u64,
    resources: u32,
    /// The frames that stand open, outermost first: so many of `frames`.
    open: usize,
    frames: [Frame; LEVELS],
}

/// A message whose length is not known yet.
#[derive(Clone, Copy, Default, Debug)]
struct Frame {
    /// Which message of its level it is, in the request.
    serial: u32,
    /// Where its body begins.
    body: usize,
}

impl Output {
    /// Forgets the last request; gives the buffer back if asked to.
    pub(super) fn reset(&mut self, release: bool) {
        self.bytes.clear();
        if release {
            self.bytes = Vec::new();
        }
        (self.points, self.resources, self.open) = (0, 0, 0);
    }

    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Adds a point, frame and all, of the metric at `place`.
    #[inline]
    pub(super) fn push(&mut self, place: &Place<'_>, frame: &[u8], room: &mut Room) -> Result<(), Fault> {
        if self.open < LEVELS || self.frames[LEVELS - 1].serial != place.serial() {
            let before = self.bytes.len();
            self.enter(place);
            room.take(self.bytes.len() - before)?;
        }
        self.bytes.extend_from_slice(frame);
        self.points += 1;
        Ok(())
    }

    /// Closes the frames that are not of `place` and opens those that are missing, each with what stands beside its
    /// children.
    #[inline(never)]
    fn enter(&mut self, place: &Place<'_>) {
        let levels = place.levels();
        let common = (0..self.open).take_while(|&depth| self.frames[depth].serial == levels[depth].serial()).count();
        self.close(common);
        if self.points == 0 {
            self.copy(place.request_level().spans(place.request));
        }
        // ResourceMetrics in the request, ScopeMetrics in it, Metric in that, and the metric's data.
        let keys = [1 << 3 | 2, 2 << 3 | 2, 2 << 3 | 2, (place.data.number as u8) << 3 | 2];
        for depth in common..LEVELS {
            self.bytes.push(keys[depth]);
            self.bytes.extend_from_slice(&[0; LENGTH]);
            self.frames[depth] = Frame { serial: levels[depth].serial(), body: self.bytes.len() };
            self.copy(levels[depth].spans(place.request));
        }
        self.resources += u32::from(common == 0);
        self.open = LEVELS;
    }

    fn copy<'a>(&mut self, spans: impl Iterator<Item = &'a [u8]>) {
        spans.for_each(|span| self.bytes.extend_from_slice(span));
    }

    /// Closes the innermost frames until `depth` stand open.
    fn close(&mut self, depth: usize) {
        for frame in &self.frames[depth..self.open] {
            let length = padded_varint(self.bytes.len() - frame.body);
            self.bytes[frame.body - LENGTH..frame.body].copy_from_slice(&length);
        }
        self.open = depth;
    }

    /// Closes every frame.
    pub(super) fn close_all(&mut self) {
        self.close(0);
    }

    /// The part, if it has a point.
    pub(super) fn part(&self, shard: ShardIndex) -> Option<Part<'_>> {
        (self.points > 0).then_some(Part { shard, bytes: &self.bytes, points: self.points, resources: self.resources })
    }
}

/// `length` in four bytes, seven bits each, of which the first three say that more follow.
fn padded_varint(length: usize) -> [u8; LENGTH] {
    debug_assert!(length < 1 << 28, "a request within its limit has no frame of {length} bytes");
    [length as u8 | 0x80, (length >> 7) as u8 | 0x80, (length >> 14) as u8 | 0x80, (length >> 21) as u8 & 0x7f]
}
