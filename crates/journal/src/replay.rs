//! Reading the log.
//!
//! Each segment but the last ends where its successor says, and every frame up to there must be good. In the last one, what
//! follows the last good frame is the torn tail of a write that nobody was told of, unless something says that it was
//! durable: the segment's own header, the manifest (where the end of its checkpoint is missing), or a frame behind the bad
//! one which was written when that one was known to be on the disk. Then it is damage.
//!
//! One loss can not be told from a torn tail: of the last commit before a crash, when its bytes were durable and are
//! damaged later. Nothing was written after it that could bear witness. A clean stop leaves no such frame.
//!
//! What is good but not known to be durable is held in memory and written again by the first commit: the process that wrote
//! it may have died between a failed sync and saying so, and then these bytes are in the system's cache and nowhere else.

use std::panic::resume_unwind;
use std::sync::mpsc::sync_channel;
use std::thread;

use crate::error::{Damage, FileError, OpenError, ReplayError};
use crate::format::{FRAME_HEAD_BYTES, Head, Kind, MARKER, SEGMENT_HEADER_BYTES, Seed, SegmentHeader};
use crate::journal::Journal;
use crate::name;
use crate::opening::Opening;
use crate::segment::Link;
use crate::storage::Storage;
use crate::window::Window;

/// Frames that are read ahead. One is a group of requests: 4 MiB at most, nearly always.
const FRAMES_AHEAD: usize = 8;
/// How much is looked through at once for frames behind a bad one.
const SCAN_BYTES: u64 = 1 << 18;

/// One committed payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// What was committed, its parts joined.
    pub payload: &'a [u8],
    /// Whether it lies between the begin and the end of the checkpoint that the replay starts with: changes may then refer to
    /// what only a later frame brings, and may be in that already.
    pub in_checkpoint: bool,
    place: Place,
}

/// Where a frame lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Place {
    segment: u64,
    offset: u64,
}

/// A frame that was read ahead.
struct Ahead {
    payload: Vec<u8>,
    in_checkpoint: bool,
    place: Place,
}

/// Nobody waits for frames any more.
struct Unwanted;

impl<S: Storage> Opening<S> {
    /// Gives all frames to `each`, in the order in which they were committed, and makes the journal ready.
    ///
    /// # Errors
    ///
    /// The log is damaged, can not be read, or `each` refused a frame. What was replayed until then must not be used.
    pub fn replay<E>(mut self, mut each: impl FnMut(Frame<'_>) -> Result<(), E>) -> Result<Journal<S>, ReplayError<E>> {
        let mut replay = Replay::new(&self);
        let mut unsynced = Vec::new();
        for link in &self.chain {
            replay.is_last = link.number == self.manifest.last;
            unsynced = replay.segment(*link, &mut each)?;
        }
        let (durable, checkpoint_bytes) = (replay.durable, replay.checkpoint_bytes);
        if let Some(last) = self.chain.last_mut() {
            last.end = durable;
        }
        Ok(Journal::new(self, unsynced, checkpoint_bytes))
    }

    /// The same, with another thread that reads and checks frames ahead of this one, which gives them to `each`. It holds a few
    /// frames more.
    ///
    /// # Errors
    ///
    /// As of [`Opening::replay`].
    pub fn replay_ahead<E>(
        self,
        mut each: impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<Journal<S>, ReplayError<E>> {
        let storage = self.storage.clone();
        thread::scope(|scope| {
            let (ahead, frames) = sync_channel(FRAMES_AHEAD);
            let read = scope.spawn(move || {
                self.replay(|Frame { payload, in_checkpoint, place }| {
                    ahead.send(Ahead { payload: payload.to_vec(), in_checkpoint, place }).map_err(|_| Unwanted)
                })
            });
            for Ahead { payload, in_checkpoint, place } in frames {
                each(Frame { payload: &payload, in_checkpoint, place })
                    .map_err(|source| place.refused(&storage, source))?;
            }
            let read = read.join().unwrap_or_else(|panic| resume_unwind(panic));
            read.map_err(|error| match error {
                ReplayError::Open(error) => error.into(),
                ReplayError::Frame { .. } => unreachable!("frames are wanted until the last one"),
            })
        })
    }
}

impl Place {
    fn refused<E>(self, storage: &impl Storage, source: E) -> ReplayError<E> {
        ReplayError::Frame { path: storage.path(&name::segment(self.segment)), offset: self.offset, source }
    }
}

struct Replay<'a, S: Storage> {
    opening: &'a Opening<S>,
    is_last: bool,
    in_checkpoint: bool,
    /// Bytes of the log before the segment that is read.
    before: u64,
    checkpoint_bytes: u64,
    /// How far the segment is known to be durable.
    durable: u64,
}

/// The segment that is read.
struct Reading<'a, S: Storage> {
    window: Window<'a, S>,
    seed: Seed,
    at: u64,
    limit: u64,
}

impl<'a, S: Storage> Replay<'a, S> {
    fn new(opening: &'a Opening<S>) -> Self {
        let in_checkpoint = opening.manifest.checkpoint;
        Self { opening, is_last: false, in_checkpoint, before: 0, checkpoint_bytes: 0, durable: 0 }
    }

    /// Replays one segment. Returns the frames in it that are not known to be durable.
    fn segment<E>(
        &mut self,
        link: Link,
        each: &mut impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<Vec<u8>, ReplayError<E>> {
        let mut reading = self.read(link)?;
        self.durable = link.end;
        loop {
            let at = reading.at;
            let Some((head, payload)) = reading.frame().map_err(OpenError::from)? else { break };
            let end = at + head.frame_bytes();
            self.durable = self.durable.max(head.synced);
            match head.kind {
                Kind::Changes if payload.is_empty() => {}
                Kind::Changes => {
                    let place = Place { segment: link.number, offset: at };
                    let frame = Frame { payload, in_checkpoint: self.in_checkpoint, place };
                    each(frame).map_err(|source| place.refused(&self.opening.storage, source))?;
                }
                Kind::CheckpointEnd => self.end_checkpoint(payload, end),
            }
            reading.at = end;
        }
        self.before += reading.at;
        Ok(self.end(link, reading)?)
    }

    fn read(&self, link: Link) -> Result<Reading<'a, S>, OpenError> {
        let (storage, name) = (&self.opening.storage, name::segment(link.number));
        let missing = || OpenError::Missing { path: storage.path(&name), named_by: "the log".to_owned() };
        let window = Window::open(storage, &name)?.ok_or_else(missing)?;
        let limit = if self.is_last { window.size() } else { link.end };
        let seed = SegmentHeader::seed(self.opening.manifest.owner, link.number);
        Ok(Reading { window, seed, at: SEGMENT_HEADER_BYTES as u64, limit })
    }

    /// An end counts where it is that of the checkpoint which the manifest names. Other checkpoints were ended as well, but
    /// the manifest did not come to say so: their frames are ordinary ones.
    fn end_checkpoint(&mut self, began_with: &[u8], end: u64) {
        if self.in_checkpoint && began_with == self.opening.manifest.first.to_le_bytes() {
            self.in_checkpoint = false;
            self.checkpoint_bytes = self.before + end;
            // It was durable before the manifest could name it.
            self.durable = self.durable.max(end);
        }
    }

    /// Judges the place where the good frames end.
    fn end(&self, link: Link, mut reading: Reading<'_, S>) -> Result<Vec<u8>, OpenError> {
        let path = || self.opening.storage.path(&name::segment(link.number));
        let offset = reading.at;
        let damaged = |what| Err(Damage { path: path(), offset, what }.into());
        if !self.is_last {
            return if offset == link.end { Ok(Vec::new()) } else { damaged("a frame that was durable is not good") };
        }
        if offset < self.durable {
            return damaged("a frame that was durable is not good");
        }
        if self.in_checkpoint {
            return damaged("the end of the checkpoint that the manifest names should be here, or further on");
        }
        if reading.is_durable_behind()? {
            return damaged("a frame is not good, and one behind it says that it was durable");
        }
        Ok(reading.window.get(self.durable, offset - self.durable)?.to_vec())
    }
}

impl<S: Storage> Reading<'_, S> {
    /// The frame that begins here; `None` where there is no good one.
    fn frame(&mut self) -> Result<Option<(Head, &[u8])>, FileError> {
        let (seed, at) = (self.seed, self.at);
        let head = Head::decode(self.window.get(at, FRAME_HEAD_BYTES as u64)?, seed, at);
        let Some(head) = head.filter(|head| at + head.frame_bytes() <= self.limit) else { return Ok(None) };
        let payload = self.window.get(at + FRAME_HEAD_BYTES as u64, head.length.into())?;
        Ok(head.is_of(payload, seed, at).then_some((head, payload)))
    }

    /// Whether a frame further on was written when the place where this stands was known to be durable.
    fn is_durable_behind(&mut self) -> Result<bool, FileError> {
        let mut from = self.at + 1;
        while from < self.window.size() {
            let bytes = self.window.get(from, SCAN_BYTES)?;
            let Some(last) = bytes.len().checked_sub(FRAME_HEAD_BYTES) else { break };
            let marked = (0..=last).filter(|at| bytes[*at..].starts_with(&MARKER));
            let mut heads = marked.filter_map(|at| Head::decode(&bytes[at..], self.seed, from + at as u64));
            if heads.any(|head| head.synced > self.at) {
                return Ok(true);
            }
            from += last as u64 + 1;
        }
        Ok(false)
    }
}
