//! Which samples a pass tells of one stream.
//!
//! A destination remembers one number, the generation `done` that it has been told up to; a stream remembers in which
//! generations it was born, changed and ended. From these follows what is owed, however many ticks were left out: totals
//! are cumulative, so the newest one tells everything.
//!
//! | the stream | is told |
//! | --- | --- |
//! | born after `done`, and never falls | as 0, and nothing more until the destination has taken that |
//! | changed after `done` | its total at the tick |
//! | unchanged and live | its total again, every `heartbeat` |
//! | ended after `done` | the staleness marker at the tick; its total right before it where that is owed too |
//! | born after the pass began | nothing yet |
//! | passed on, changed after `done` | its point, at the point's own time |
//!
//! Pure.

use shardset_export::Moment;
use shardset_model::{UnixMillis, UnixNanos};

/// How far back a first zero may lie. Prometheus looks back this long, so an older one would not be seen with its value, and
/// AMP takes nothing older than an hour.
const ZERO_BACK_MILLIS: i64 = 5 * 60 * 1000;

/// What a stream remembers for its export.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Life {
    /// The generation of its birth.
    pub(crate) born: u32,
    /// The generation of its last change.
    pub(crate) changed: u32,
    /// The generation in which it ended, while it has.
    pub(crate) ended: Option<u32>,
    /// How its times are chosen.
    pub(crate) stamp: Stamp,
    /// The newest time it was told at, to whichever destination.
    pub(crate) told: Option<UnixMillis>,
    /// Whether anything but its zero may have been told.
    pub(crate) is_birth_told: bool,
}

/// How the times of a stream's samples are chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stamp {
    /// Accumulated here: stamped with the tick.
    Tick {
        /// When the total began, where the stream never falls and hence began at 0.
        zero: Option<UnixNanos>,
    },
    /// Passed on: its point keeps its time.
    Own(UnixMillis),
}

/// What a pass owes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Owed {
    /// The generation that the destination has been told up to.
    pub(crate) done: u32,
    /// The generation in which the pass began.
    pub(crate) upto: u32,
    /// The tick.
    pub(crate) time: UnixMillis,
    /// Whether unchanged streams of this slot are repeated in this pass.
    pub(crate) heartbeat: bool,
    /// Whether the pass has told the stream's zero.
    pub(crate) begun: bool,
    /// Whether the zero was refused where it should stand.
    pub(crate) too_far_back: bool,
}

/// Puts what is owed of a stream into `moments`, in the order of time.
pub(crate) fn owed(life: &Life, pass: &Owed, moments: &mut Vec<Moment>) {
    moments.clear();
    if life.born > pass.upto {
        return;
    }
    let ends = life.ended.is_some_and(|ended| ended > pass.done && ended <= pass.upto);
    let ended_before = life.ended.is_some_and(|ended| ended <= pass.done);
    let changed = life.changed > pass.done;
    match life.stamp {
        Stamp::Tick { zero } => {
            let time = tick(life, pass);
            let value = if ends { time.minus_millis(1) } else { time };
            if !ended_before && (changed || (pass.heartbeat && !ends)) {
                if let Some(start) = zero.filter(|_| life.born > pass.done && !pass.begun) {
                    let right_before = value.minus_millis(1);
                    let time = if pass.too_far_back { right_before } else { zero_time(start, value, life) };
                    moments.push(Moment::zero(time));
                    return;
                }
                moments.push(Moment::value(value));
            }
            moments.extend(ends.then_some(Moment::stale(time)));
        }
        Stamp::Own(own) => {
            let in_order = life.told.is_none_or(|told| own >= told);
            moments.extend((changed && in_order).then_some(Moment::value(own)));
            let end = tick(life, pass).max(own.plus_millis(1));
            moments.extend(ends.then_some(Moment::stale(end)));
        }
    }
}

/// The pass's tick; later only for a stream that comes from a worker whose clock is ahead.
fn tick(life: &Life, pass: &Owed) -> UnixMillis {
    match life.told {
        Some(told) if told > pass.time => told.plus_millis(1),
        _ => pass.time,
    }
}

/// When the total was 0: at its start, unless that is too long ago or not after what was told before. A zero that may have been
/// told and nothing else is told once more as it was: it is the same sample.
fn zero_time(start: UnixNanos, value: UnixMillis, life: &Life) -> UnixMillis {
    let wished = start.millis().max(value.minus_millis(ZERO_BACK_MILLIS));
    let is_after_told = life.told.is_none_or(|told| wished > told || wished == told && !life.is_birth_told);
    if is_after_told && wished < value { wished } else { value.minus_millis(1) }
}

#[cfg(test)]
mod tests {
    use shardset_export::Moment;
    use shardset_model::{UnixMillis, UnixNanos};

    use super::{Life, Owed, Stamp, owed};

    const T: UnixMillis = UnixMillis(1_000_000);
    const START: UnixNanos = UnixNanos(900_000_000_000);

    /// A counter that began at `START`, told to nobody yet.
    fn counter(born: u32, changed: u32, ended: Option<u32>) -> Life {
        Life { born, changed, ended, stamp: Stamp::Tick { zero: Some(START) }, told: None, is_birth_told: false }
    }

    fn up_down(born: u32, changed: u32) -> Life {
        Life { stamp: Stamp::Tick { zero: None }, ..counter(born, changed, None) }
    }

    fn gauge(changed: u32, ended: Option<u32>) -> Life {
        Life { stamp: Stamp::Own(UnixMillis(990_000)), ..counter(1, changed, ended) }
    }

    /// A pass that began in generation 9, to a destination that has been told up to 5.
    fn pass() -> Owed {
        Owed { done: 5, upto: 9, time: T, heartbeat: false, begun: false, too_far_back: false }
    }

    fn told(life: &Life, pass: &Owed) -> Vec<Moment> {
        let mut moments = vec![Moment::value(T)];
        owed(life, pass, &mut moments);
        moments
    }

    #[test]
    fn what_a_pass_owes_follows_from_generations() {
        let beat = Owed { heartbeat: true, ..pass() };
        let begun = Owed { begun: true, ..pass() };
        let refused = Owed { too_far_back: true, ..pass() };
        let (zero, value, stale) = (Moment::zero, Moment::value, Moment::stale);
        let at_start = START.millis();
        let before = T.minus_millis(1);
        let table: [(&str, Life, Owed, Vec<Moment>); 18] = [
            ("a new counter", counter(6, 7, None), pass(), vec![zero(at_start)]),
            ("the same, when that was too far back", counter(6, 7, None), refused, vec![zero(before)]),
            ("the same, when its zero is told", counter(6, 7, None), begun, vec![value(T)]),
            ("a new one that changed since", counter(6, 10, None), begun, vec![value(T)]),
            ("one born after the pass began", counter(10, 10, None), beat, vec![]),
            ("a new up-down counter", up_down(6, 7), pass(), vec![value(T)]),
            ("one that changed", counter(2, 7, None), pass(), vec![value(T)]),
            ("one that did not", counter(2, 5, None), pass(), vec![]),
            ("one that did not, at its heartbeat", counter(2, 5, None), beat, vec![value(T)]),
            ("one that ended", counter(2, 5, Some(6)), beat, vec![stale(T)]),
            ("one that changed and ended", counter(2, 6, Some(8)), pass(), vec![value(before), stale(T)]),
            ("a whole life", counter(6, 6, Some(8)), pass(), vec![zero(at_start)]),
            ("the rest of it", counter(6, 6, Some(8)), begun, vec![value(before), stale(T)]),
            ("one that ended before", counter(2, 3, Some(5)), beat, vec![]),
            ("one that ended after the pass began", counter(2, 6, Some(10)), pass(), vec![value(T)]),
            ("a gauge that changed", gauge(7, None), beat, vec![value(UnixMillis(990_000))]),
            ("a gauge that did not", gauge(5, None), beat, vec![]),
            ("a gauge that ended", gauge(5, Some(6)), beat, vec![stale(T)]),
        ];
        for (what, life, pass, moments) in table {
            assert_eq!(told(&life, &pass), moments, "{what}");
        }
    }

    #[test]
    fn the_first_zero_is_at_most_five_minutes_back_and_after_what_was_told() {
        let new = counter(6, 6, None);
        let late = Owed { time: UnixMillis(10_000_000), ..pass() };
        assert_eq!(told(&new, &late)[0], Moment::zero(UnixMillis(9_700_000)));
        let known = Life { told: Some(UnixMillis(900_000)), is_birth_told: true, ..new };
        assert_eq!(told(&known, &pass())[0], Moment::zero(T.minus_millis(1)));
        let unsure = Life { is_birth_told: false, ..known };
        assert_eq!(told(&unsure, &pass()), [Moment::zero(UnixMillis(900_000))], "the same sample");
        let from_the_future = Life { stamp: Stamp::Tick { zero: Some(UnixNanos(2_000_000_000_000)) }, ..new };
        assert_eq!(told(&from_the_future, &pass())[0], Moment::zero(T.minus_millis(1)));
    }

    #[test]
    fn a_stream_from_a_worker_whose_clock_is_ahead_goes_on_after_it() {
        let ahead = Life { told: Some(T.plus_millis(500)), ..counter(2, 7, None) };
        assert_eq!(told(&ahead, &pass()), [Moment::value(T.plus_millis(501))]);
        let at_the_tick = Life { told: Some(T), ..counter(2, 7, None) };
        assert_eq!(told(&at_the_tick, &pass()), [Moment::value(T)], "another destination was told at this tick");
    }

    #[test]
    fn a_passed_on_point_does_not_go_back() {
        let older = Life { told: Some(UnixMillis(995_000)), ..gauge(7, None) };
        assert_eq!(told(&older, &pass()), []);
    }
}
