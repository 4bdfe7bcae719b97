//! Parking points, and deciding on them when their stream's state is there.

use shardset_model::{Identity, Point, Refusal, StreamId, Temporality, UnixNanos, Value};

use super::Streams;
use crate::applied::Applied;
use crate::codec::{Change, JournalPoint, Reader, Scratch, read_point, write_point};
use crate::parked::ParkedUse;
use crate::validate;

impl Streams {
    /// Lets a point wait for its stream's state, and appends that to `changes`. What of it can be decided without the state is
    /// decided now.
    ///
    /// # Errors
    ///
    /// Why the point is refused for good; nothing changed.
    pub fn park(
        &mut self,
        point: &Point<'_>,
        identity: Identity,
        now: UnixNanos,
        changes: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        check(point)?;
        let first = (!self.parked.has(point.stream)).then_some(identity);
        Change::Parked { stream: point.stream, identity: first.as_ref(), now, point }.write(changes);
        let mut encoded = Vec::new();
        write_point(point, now, &mut encoded);
        let added = self.parked.add(point.stream, first, &encoded);
        debug_assert!(added, "the first point brings the identity");
        Ok(())
    }

    /// Whether points of this stream wait.
    pub fn is_parked(&self, stream: StreamId) -> bool {
        self.parked.has(stream)
    }

    /// What waits.
    pub fn parked(&self) -> ParkedUse {
        self.parked.in_use()
    }

    /// The next stream, in the order of ids, whose points wait, and what it is.
    pub fn next_parked(&self, after: Option<StreamId>) -> Option<(StreamId, &Identity)> {
        self.parked.after(after).map(|(stream, waiting)| (stream, &waiting.identity))
    }

    /// Decides on the points of a stream that waited, in their order, and appends what changed to `changes`. `decided` is told
    /// of each. They were acknowledged, so the limit of streams does not apply. `false` where none waited.
    pub fn unpark(
        &mut self,
        stream: StreamId,
        changes: &mut Vec<u8>,
        mut decided: impl FnMut(Result<Applied, Refusal>),
    ) -> bool {
        let Some(waiting) = self.parked.take(stream) else { return false };
        let limit = std::mem::replace(&mut self.settings.max_streams, u32::MAX);
        let (mut reader, mut scratch) = (Reader::new(&waiting.points), Scratch::default());
        while !reader.is_at_end() {
            let read = read_point(&mut reader, &mut scratch).expect("what waits was written or checked here");
            let point = whole(stream, &waiting.identity, &read);
            let applied = self.apply(&point, |_| waiting.identity.clone(), read.now);
            if let Ok(applied) = &applied {
                self.write_changes(applied, &point, read.now, changes);
            }
            decided(applied);
        }
        self.settings.max_streams = limit;
        Change::Unparked { stream }.write(changes);
        true
    }

    /// Appends to `changes` what a checkpoint holds of the waiting points of one stream; `false` where none wait.
    pub fn write_parked(&self, stream: StreamId, changes: &mut Vec<u8>) -> bool {
        let Some(waiting) = self.parked.get(stream) else { return false };
        Change::KeptParked { stream, identity: &waiting.identity, points: &waiting.points }.write(changes);
        true
    }
}

/// What can be said of a point without its stream.
fn check(point: &Point<'_>) -> Result<(), Refusal> {
    if point.kind.temporality() == Some(Temporality::Unspecified) {
        return Err(Refusal::UnspecifiedTemporality);
    }
    validate::times(point)?;
    if point.no_recorded_value {
        return Ok(());
    }
    if point.kind.is_delta() {
        validate::delta(point)?
    } else {
        validate::passed_on(point)?
    }
    Ok(())
}

fn whole<'a>(stream: StreamId, identity: &Identity, read: &JournalPoint<'a>) -> Point<'a> {
    Point {
        stream,
        kind: identity.context.kind,
        start: read.start,
        time: read.time,
        no_recorded_value: matches!(read.value, Value::Missing),
        value: read.value,
        exemplars: &[],
    }
}
