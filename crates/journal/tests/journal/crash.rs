//! The process dies before, within and after every single operation of a life, with and without the power.

use std::time::Duration;

use shardset_journal::Durability;
use shardset_journal::storage::faulty::Moment;

use crate::world::{Step, World};

/// A bit of everything: rotation, two checkpoints and one that never ends, blobs that come, go and move, every end of a life.
pub(crate) const LIFE: &[Step] = &[
    Step::Empty,
    Step::Commit(10),
    Step::Commit(600),
    Step::Freeze(200),
    Step::Wait(30),
    Step::Commit(300),
    Step::Freeze(300),
    Step::Begin,
    Step::Commit(40),
    Step::Freeze(250),
    Step::Wait(200),
    Step::Thaw,
    Step::Commit(500),
    Step::End,
    Step::Commit(20),
    Step::Kill,
    Step::Commit(30),
    Step::Thaw,
    Step::Compact,
    Step::Begin,
    Step::Commit(700),
    Step::Crash,
    Step::Empty,
    Step::Commit(50),
    Step::Freeze(100),
    Step::Close,
    Step::TryBegin,
    Step::Commit(60),
    Step::TryBegin,
    Step::Commit(61),
    Step::Sync,
    Step::TryEnd,
    Step::Commit(62),
    Step::End,
    Step::Compact,
    Step::Commit(5),
];

/// Commits of one length and many short segments: what a file that is written over still holds begins exactly where a frame of
/// the new segment ends.
pub(crate) const EVEN: &[Step] = &[
    Step::Commit(100),
    Step::Commit(100),
    Step::Commit(100),
    Step::Begin,
    Step::Commit(100),
    Step::End,
    Step::Commit(100),
    Step::Commit(100),
    Step::Begin,
    Step::Commit(100),
    Step::End,
    Step::Commit(100),
    Step::Kill,
    Step::Commit(100),
    Step::Crash,
    Step::Commit(100),
    Step::Commit(100),
    Step::Begin,
    Step::Commit(100),
    Step::Commit(100),
    Step::End,
    Step::Commit(100),
    Step::Begin,
    Step::End,
    Step::Commit(100),
    Step::Commit(100),
];

const LIVES: [&[Step]; 2] = [LIFE, EVEN];

/// What a life that was cut off goes on with.
const AFTER: &[Step] =
    &[Step::Commit(15), Step::Freeze(90), Step::Begin, Step::Commit(25), Step::End, Step::Kill, Step::Commit(35)];
const EVEN_AFTER: &[Step] = &[Step::Commit(100), Step::Crash, Step::Commit(100), Step::Kill, Step::Commit(100)];

const DURABILITIES: [Durability; 2] = [Durability::Fsync, Durability::Interval(Duration::from_millis(100))];

fn operations(life: &[Step], durability: Durability) -> u64 {
    let mut world = World::new(1, durability);
    world.run(life).unwrap();
    assert_eq!(world.errors, 0);
    world.disk.operations()
}

#[test]
fn a_life_without_accidents_loses_nothing() {
    for (life, durability) in LIVES.iter().flat_map(|life| DURABILITIES.map(|durability| (life, durability))) {
        let mut world = World::new(1, durability);
        world.run(life).unwrap();
        world.restart(false).unwrap();
        world.run(&[Step::Sync]).unwrap();
        world.restart(true).unwrap();
        assert!(world.disk.operations() > 100);
    }
}

#[test]
fn whatever_operation_it_dies_at_exactly_what_was_committed_is_found() {
    for (life, durability) in LIVES.iter().flat_map(|life| DURABILITIES.map(|durability| (life, durability))) {
        let operations = operations(life, durability);
        for operation in 0..operations {
            let at = |moment, seed, crash| die_at(life, operation, operations, moment, seed, durability, crash);
            at(Moment::Before, 1, true);
            at(Moment::During, 2, true);
            at(Moment::During, 3, false);
            at(Moment::After, 4, operation % 2 == 0);
        }
    }
}

fn die_at(life: &[Step], operation: u64, least: u64, moment: Moment, seed: u64, durability: Durability, crash: bool) {
    let mut world = World::new(seed * 1_000_003 + operation, durability);
    world.disk.die(operation, moment);
    // What chance keeps of a crash in the middle decides how many operations follow, so a life may be over before.
    let died = world.dies(life);
    assert!(died || operation + 20 > least, "{operation}");
    if !died {
        return;
    }
    world.restart(crash).unwrap();
    world.run(&EVEN_AFTER[..operation as usize % EVEN_AFTER.len()]).unwrap();
    // Opening twice finds the same, and so does losing power right after a start.
    world.restart(false).unwrap();
    world.restart(true).unwrap();
    world.run(AFTER).unwrap();
    world.assert_no_rubbish();
    world.restart(true).unwrap();
}
