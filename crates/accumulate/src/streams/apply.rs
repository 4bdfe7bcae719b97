//! What becomes of a point: first decided, then done.
//!
//! Deciding changes nothing, so a refused point or a duplicate leaves no trace. The decisions for deltas stand in this order:
//!
//! | the point | |
//! | --- | --- |
//! | is remembered | duplicate |
//! | has a time at or below the floor | too old |
//! | breaks a rule of [`crate::validate`] | invalid |
//! | overlaps, with `writers: One` | overlap |
//! | is of a new stream at the limit | stream limit |
//! | anything else | counted |

use shardset_model::{Identity, Point, Refusal, Temporality, UnixNanos};

use super::Streams;
use crate::applied::{Applied, Effect, Outcome};
use crate::contexts::Contexts;
use crate::memory::{Memory, Recall, fingerprint};
use crate::record::{Details, Record, seconds};
use crate::validate;

#[inline]
pub(super) fn apply(
    streams: &mut Streams,
    point: &Point<'_>,
    identity: impl FnOnce(&mut Contexts) -> Identity,
    now: UnixNanos,
) -> Result<Applied, Refusal> {
    let slot = streams.find(point.stream);
    apply_to(streams, slot, point, identity, now)
}

/// The same, for a stream that was looked up already.
#[inline]
pub(super) fn apply_to(
    streams: &mut Streams,
    slot: Option<u32>,
    point: &Point<'_>,
    identity: impl FnOnce(&mut Contexts) -> Identity,
    now: UnixNanos,
) -> Result<Applied, Refusal> {
    if slot.and_then(|slot| streams.records.get(slot)).is_some_and(|record| record.away) {
        return Ok(Applied { slot, created: false, outcome: Outcome::Away });
    }
    let outcome = match point.kind.temporality() {
        Some(Temporality::Unspecified) => return Err(Refusal::UnspecifiedTemporality),
        _ if point.no_recorded_value => return end(streams, slot, point, now),
        Some(Temporality::Delta) => {
            let fingerprint = fingerprint(point);
            match decide_delta(streams, slot, point, fingerprint, now)? {
                Recall::New { late } => Decided::Count { fingerprint, late },
                Recall::Remembered | Recall::TooOld => Decided::Nothing(Outcome::Duplicate),
            }
        }
        Some(Temporality::Cumulative) | None => decide_passed_on(streams, slot, point)?,
    };
    if let Decided::Nothing(outcome) = outcome {
        return Ok(Applied { slot, created: false, outcome });
    }
    let (slot, created) = match slot {
        Some(slot) => (slot, false),
        None => (create(streams, point, identity, now)?, true),
    };
    let outcome = change(streams, slot, point, outcome, now);
    Ok(Applied { slot: Some(slot), created, outcome })
}

#[derive(Clone, Copy, Debug)]
enum Decided {
    Count { fingerprint: u32, late: bool },
    PassOn,
    Nothing(Outcome),
}

#[inline]
fn decide_delta(
    streams: &Streams,
    slot: Option<u32>,
    point: &Point<'_>,
    fingerprint: u32,
    now: UnixNanos,
) -> Result<Recall, Refusal> {
    let unknown;
    let memory = match slot.and_then(|slot| streams.records.get(slot)) {
        Some(record) => &record.memory,
        None => {
            unknown = Memory::with_floor(streams.tombstones.floor(point.stream, seconds(now), streams.reach.window));
            &unknown
        }
    };
    let recall = memory.recall(point.time.0, fingerprint, seconds(now), streams.reach.window);
    match recall {
        Recall::Remembered => return Ok(recall),
        // A point without a time is not old: it is invalid.
        Recall::TooOld if point.time != UnixNanos::UNKNOWN => return Err(Refusal::TooOld),
        Recall::TooOld | Recall::New { .. } => {}
    }
    validate::times(point)?;
    validate::delta(point)?;
    if streams.reach.spans && memory.overlaps(point.start.0, point.time.0) {
        return Err(Refusal::Overlap);
    }
    Ok(recall)
}

fn decide_passed_on(streams: &Streams, slot: Option<u32>, point: &Point<'_>) -> Result<Decided, Refusal> {
    validate::times(point)?;
    validate::passed_on(point)?;
    let newest = slot.and_then(|slot| streams.records.get(slot)).map_or(0, |record| record.memory.floor());
    Ok(if point.time.0 > newest { Decided::PassOn } else { Decided::Nothing(Outcome::Superseded) })
}

/// A point that says that there is no value any more. It ends a stream that is known, unless a newer point came already.
fn end(streams: &mut Streams, slot: Option<u32>, point: &Point<'_>, now: UnixNanos) -> Result<Applied, Refusal> {
    let applied = |slot, outcome| Ok(Applied { slot, created: false, outcome });
    let known = slot.and_then(|slot| streams.records.get(slot));
    let Some(memory) = known.map(|record| &record.memory) else {
        validate::times(point)?;
        return applied(None, Outcome::NoRecordedValue);
    };
    if point.kind.is_delta() && point.time != UnixNanos::UNKNOWN {
        let recall = memory.recall(point.time.0, fingerprint(point), seconds(now), streams.reach.window);
        if recall == Recall::TooOld {
            return Err(Refusal::TooOld);
        }
    }
    validate::times(point)?;
    if point.time.0 < memory.newest() {
        return applied(slot, Outcome::Superseded);
    }
    if let Some(slot) = slot {
        end_by_sender(streams, slot, point);
    }
    applied(slot, Outcome::NoRecordedValue)
}

/// The limit is asked here, so it never touches a stream that lives.
fn create(
    streams: &mut Streams,
    point: &Point<'_>,
    identity: impl FnOnce(&mut Contexts) -> Identity,
    now: UnixNanos,
) -> Result<u32, Refusal> {
    if streams.len() >= streams.settings.max_streams {
        return Err(Refusal::StreamLimit);
    }
    let slot = streams.records.next_slot();
    let identity = identity(&mut streams.contexts);
    let floor = streams.tombstones.floor(point.stream, seconds(now), streams.reach.window);
    let record = Record::new(point.stream, floor, now, streams.generation);
    let vacant = streams.insert(slot, record, Details { identity, exemplars: None });
    debug_assert!(vacant, "the next slot is vacant");
    Ok(slot)
}

#[inline]
fn change(streams: &mut Streams, slot: u32, point: &Point<'_>, decided: Decided, now: UnixNanos) -> Outcome {
    match decided {
        Decided::Count { fingerprint, late } => {
            let effect = count(streams, slot, point, fingerprint, now).unwrap_or(Effect::Added);
            Outcome::Counted { late, effect }
        }
        Decided::PassOn => {
            pass_on(streams, slot, point, now);
            Outcome::PassedOn
        }
        Decided::Nothing(outcome) => outcome,
    }
}

/// Adds a delta that was decided on. `None` where the slot is vacant.
#[inline]
pub(super) fn count(
    streams: &mut Streams,
    slot: u32,
    point: &Point<'_>,
    fingerprint: u32,
    now: UnixNanos,
) -> Option<Effect> {
    let rules = streams.rules();
    let effect = streams.records.get_mut(slot)?.count(point, fingerprint, now, &rules);
    keep_exemplars(streams, slot, point);
    Some(effect)
}

/// Passes on a point that was decided on. `None` where the slot is vacant.
pub(super) fn pass_on(streams: &mut Streams, slot: u32, point: &Point<'_>, now: UnixNanos) -> Option<()> {
    streams.records.get_mut(slot)?.pass_on(point, now, streams.generation);
    keep_exemplars(streams, slot, point);
    Some(())
}

/// Ends a stream at its sender's word. `None` where the slot is vacant.
pub(super) fn end_by_sender(streams: &mut Streams, slot: u32, point: &Point<'_>) -> Option<()> {
    let record = streams.records.get_mut(slot)?;
    record.end(streams.generation);
    if !point.kind.is_delta() {
        record.memory.raise_floor(point.time.0);
    }
    Some(())
}

fn keep_exemplars(streams: &mut Streams, slot: u32, point: &Point<'_>) {
    if point.exemplars.is_empty() {
        return;
    }
    if let Some(details) = streams.details.get_mut(slot) {
        details.exemplars.get_or_insert_default().keep(point.exemplars, streams.generation);
    }
}
