//! The tracks of a schedule, one per kind of fault: how often, how long, how many at a time.
//!
//! The figures are chosen so that a cluster is whole about half of the time. Always broken, it would do nothing that can go
//! wrong; always whole, nothing would.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Planned;
use crate::chance::Chance;
use crate::fault::{Event, GATEWAYS, Mode, Node, WORKERS, Way};

/// The first fault comes after this: there is something to lose.
const QUIET: Duration = Duration::from_secs(3);

/// Times apart by `least` to `most` milliseconds, as many as there is time for.
fn times(chance: &mut Chance, length: Duration, least: u32, most: u32) -> Vec<Duration> {
    let mut times = vec![QUIET + chance.millis(0, most)];
    while times[times.len() - 1] < length {
        times.push(times[times.len() - 1] + chance.millis(least, most));
    }
    times
}

/// One fault of a process and its end: mostly short ones.
fn of_process(chance: &mut Chance, node: Node, at: Duration) -> [Planned; 2] {
    let (begin, end, length) = match chance.between(1, 10) {
        1..=5 => {
            let length = if chance.percent(60) { chance.millis(50, 1_500) } else { chance.millis(1_500, 6_000) };
            (Event::Kill(node), Event::Start(node), length)
        }
        6..=8 => {
            let length = if chance.percent(50) { chance.millis(200, 1_500) } else { chance.millis(1_500, 8_000) };
            (Event::Pause(node), Event::Resume(node), length)
        }
        _ => (Event::Terminate(node), Event::Start(node), chance.millis(500, 5_000)),
    };
    [Planned { at, event: begin }, Planned { at: at + length, event: end }]
}

/// Workers, one or several at a time, with calm between, in which a move can end.
pub(super) fn workers(mut chance: Chance, length: Duration) -> Vec<Planned> {
    let (mut all, mut free_at) = (Vec::new(), [Duration::ZERO; WORKERS as usize]);
    for at in times(&mut chance, length, 500, 7_000) {
        let some = match chance.between(1, 20) {
            1..=12 => 1,
            13..=16 => 2,
            17..=19 => 3,
            _ => WORKERS,
        };
        for _ in 0..some {
            let number = chance.between(0, WORKERS - 1);
            let fault = of_process(&mut chance, Node::Worker(number), at);
            if free_at[number as usize] < at {
                free_at[number as usize] = fault[1].at;
                all.extend(fault);
            }
        }
    }
    all
}

/// Gateways, sometimes all of them.
pub(super) fn gateways(mut chance: Chance, length: Duration) -> Vec<Planned> {
    let (mut all, mut free_at) = (Vec::new(), [Duration::ZERO; GATEWAYS as usize]);
    for at in times(&mut chance, length, 3_000, 18_000) {
        let everyone = chance.percent(20);
        let chosen = chance.between(0, GATEWAYS - 1);
        for number in (0..GATEWAYS).filter(|number| everyone || *number == chosen) {
            let fault = of_process(&mut chance, Node::Gateway(number), at);
            if free_at[number as usize] < at {
                free_at[number as usize] = fault[1].at;
                all.extend(fault);
            }
        }
    }
    all
}

/// The coordinator dies, and another one goes on.
pub(super) fn coordinator(mut chance: Chance, length: Duration) -> Vec<Planned> {
    let mut all = Vec::new();
    for at in times(&mut chance, length, 6_000, 25_000) {
        all.push(Planned { at, event: Event::Kill(Node::Coordinator) });
        all.push(Planned { at: at + chance.millis(100, 4_000), event: Event::Start(Node::Coordinator) });
    }
    all
}

/// Wishes, several in quick succession.
pub(super) fn wishes(mut chance: Chance, length: Duration) -> Vec<Planned> {
    let (mut all, mut shards) = (Vec::new(), 0);
    for mut at in times(&mut chance, length, 9_000, 22_000) {
        for _ in 0..chance.between(1, 4) {
            let others: Vec<u32> = (1..=WORKERS).filter(|other| *other != shards).collect();
            shards = chance.pick(&others);
            let overlap = chance.percent(25);
            all.push(Planned { at, event: Event::Scale { shards, overlap } });
            let step = chance.millis(200, 2_500);
            if overlap {
                all.push(Planned { at: at + step / 2, event: Event::Retire });
            }
            at += step;
        }
    }
    all
}

/// What stands between clients and gateways.
pub(super) fn front(mut chance: Chance, length: Duration) -> Vec<Planned> {
    let modes = [Mode::Open, Mode::Slow, Mode::LosesAnswers, Mode::LosesAnswers, Mode::Silent, Mode::Down];
    way(&mut chance, length, Way::Front, &modes, 3_000, 9_000..=22_000)
}

/// What stands between workers and the backend.
pub(super) fn backend(mut chance: Chance, length: Duration) -> Vec<Planned> {
    let modes = [Mode::Open, Mode::Slow, Mode::LosesAnswers, Mode::Refuses, Mode::Silent, Mode::Down];
    way(&mut chance, length, Way::Backend, &modes, 9_000, 10_000..=25_000)
}

/// What stands before a worker.
pub(super) fn before(mut chance: Chance, length: Duration, number: u32) -> Vec<Planned> {
    let modes = [Mode::Open, Mode::Slow, Mode::LosesAnswers, Mode::Silent, Mode::Down];
    way(&mut chance, length, Way::Worker(number), &modes, 5_000, 12_000..=50_000)
}

/// A way that is in one of these modes now and then, for `most` milliseconds at most.
fn way(
    chance: &mut Chance,
    length: Duration,
    way: Way,
    modes: &[Mode],
    most: u32,
    apart: RangeInclusive<u32>,
) -> Vec<Planned> {
    let mut all = Vec::new();
    for at in times(chance, length, *apart.start(), *apart.end()) {
        // `Open` for a moment: connections break, and nothing else.
        all.push(Planned { at, event: Event::Turn(way, chance.pick(modes)) });
        all.push(Planned { at: at + chance.millis(200, most), event: Event::Turn(way, Mode::Open) });
    }
    all
}

/// The small disk is full for a while.
pub(super) fn disk(mut chance: Chance, length: Duration) -> Vec<Planned> {
    let mut all = Vec::new();
    for at in times(&mut chance, length, 15_000, 40_000) {
        all.push(Planned { at, event: Event::FillDisk });
        all.push(Planned { at: at + chance.millis(500, 8_000), event: Event::FreeDisk });
    }
    all
}

/// One in six workers that are killed lose their disks.
pub(super) fn lose_disks(mut chance: Chance, all: &mut Vec<Planned>) {
    let lost: Vec<Planned> = all
        .iter()
        .filter_map(|planned| match planned.event {
            Event::Kill(Node::Worker(number)) if chance.percent(17) => {
                Some(Planned { at: planned.at, event: Event::LoseDisk(number) })
            }
            _ => None,
        })
        .collect();
    all.extend(lost);
}
