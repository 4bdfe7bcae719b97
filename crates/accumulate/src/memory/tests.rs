//! What is remembered, for how long, and what becomes of a point that the memory no longer reaches.

use proptest::prelude::*;

use super::{Counted, Memory, Reach, Recall};

const REACH: Reach = Reach { window: 300, points: 64, spans: false };
const ONE: Reach = Reach { spans: true, ..REACH };

fn counted(time: u64, fingerprint: u32, arrival: u32) -> Counted {
    Counted { time, fingerprint, arrival }
}

#[test]
fn a_point_is_remembered_for_its_window_and_too_old_after_it() {
    let mut memory = Memory::with_floor(0);
    memory.remember(counted(100, 1, 1000), 0, &REACH);
    assert_eq!(memory.recall(100, 1, 1300, 300), Recall::Remembered);
    assert_eq!(memory.recall(100, 1, 1301, 300), Recall::TooOld);
    assert_eq!(memory.recall(100, 2, 1300, 300), Recall::New { late: false });
    assert_eq!(memory.recall(99, 1, 1300, 300), Recall::New { late: true });
    assert_eq!(memory.recall(99, 1, 1301, 300), Recall::TooOld);
    assert_eq!(memory.floor(), 0, "asking changes nothing");
}

#[test]
fn the_65th_point_sends_the_oldest_time_away() {
    let mut memory = Memory::with_floor(0);
    for time in (1..=65).rev() {
        memory.remember(counted(time, 7, 1000), 0, &REACH);
    }
    assert_eq!(memory.floor(), 1);
    assert_eq!(memory.sorted().len(), 64);
    assert_eq!(memory.recall(1, 7, 1000, 300), Recall::TooOld);
    assert_eq!(memory.recall(2, 7, 1000, 300), Recall::Remembered);
}

#[test]
fn a_clock_that_goes_back_forgets_nothing() {
    let mut memory = Memory::with_floor(0);
    memory.remember(counted(100, 1, 1000), 0, &REACH);
    assert_eq!(memory.recall(100, 1, 5, 300), Recall::Remembered);
}

#[test]
fn intervals_that_share_a_moment_overlap() {
    let table = [
        ((10, 20), (20, 30), false),
        ((10, 20), (19, 30), true),
        ((10, 20), (5, 10), false),
        ((10, 20), (5, 11), true),
        ((10, 20), (12, 13), true),
        ((10, 20), (20, 20), true),
        ((10, 20), (10, 10), false),
        ((20, 20), (20, 30), false),
        ((20, 20), (20, 20), true),
        ((10, 20), (0, 15), true),
        ((10, 20), (0, 25), false),
    ];
    for (kept, new, overlap) in table {
        let mut memory = Memory::with_floor(0);
        memory.remember(counted(kept.1, 1, 1000), kept.0, &ONE);
        assert_eq!(memory.overlaps(new.0, new.1), overlap, "{kept:?} and {new:?}");
    }
}

#[test]
fn an_interval_over_the_floor_overlaps_what_left() {
    let memory = Memory::with_floor(50);
    assert!(memory.overlaps(40, 60));
    assert!(!memory.overlaps(50, 60));
}

#[derive(Clone, Debug)]
struct Naive {
    floor: u64,
    points: Vec<(Counted, u64)>,
}

impl Naive {
    fn expire(&mut self, now: u32, window: u32) {
        let (over, kept) =
            self.points.iter().partition(|(point, _)| u64::from(now) > u64::from(point.arrival) + u64::from(window));
        self.points = kept;
        let over: Vec<(Counted, u64)> = over;
        self.floor = over.iter().map(|(point, _)| point.time).fold(self.floor, u64::max);
    }

    fn recall(&self, time: u64, fingerprint: u32, now: u32, window: u32) -> Recall {
        let mut after = self.clone();
        after.expire(now, window);
        let newest = self.points.iter().map(|(point, _)| point.time).fold(self.floor, u64::max);
        match after.points.iter().any(|(point, _)| (point.time, point.fingerprint) == (time, fingerprint)) {
            true => Recall::Remembered,
            false if time <= after.floor => Recall::TooOld,
            false => Recall::New { late: time < newest },
        }
    }

    fn remember(&mut self, point: Counted, start: u64, reach: &Reach) {
        self.expire(point.arrival, reach.window);
        self.points.push((point, start));
        self.points.sort_unstable();
        if self.points.len() > reach.points {
            let oldest = self.points[0].0.time;
            self.points.retain(|(point, _)| point.time > oldest);
            self.floor = self.floor.max(oldest);
        }
    }
}

proptest! {
    #[test]
    fn the_memory_answers_as_a_plain_set_does(
        // A clock may step back.
        steps in prop::collection::vec((1_u64..60, 0_u32..3, -2_i32..5), 1..200),
        points in 1_usize..12,
        window in 0_u32..20,
        spans: bool,
    ) {
        let reach = Reach { window, points, spans };
        let mut memory = Memory::with_floor(0);
        let mut naive = Naive { floor: 0, points: Vec::new() };
        let mut now = 1000_u32;
        for (at, (time, fingerprint, pause)) in steps.into_iter().enumerate() {
            // Most are newer than all before.
            let time = time + 10 * at as u64;
            now = now.saturating_add_signed(pause);
            let answer = naive.recall(time, fingerprint, now, window);
            prop_assert_eq!(memory.recall(time, fingerprint, now, window), answer);
            if matches!(answer, Recall::New { .. }) {
                let start = if spans { time / 2 } else { 0 };
                memory.remember(counted(time, fingerprint, now), start, &reach);
                naive.remember(counted(time, fingerprint, now), start, &reach);
            }
            prop_assert_eq!(memory.floor(), naive.floor);
            prop_assert_eq!(memory.sorted(), naive.points.clone());
            let restored = Memory::restore(memory.floor(), &memory.sorted(), &reach);
            prop_assert_eq!(restored.sorted(), memory.sorted());
        }
    }
}
