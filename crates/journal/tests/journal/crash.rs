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

/// What a life that was cut off goes on with.
const AFTER: &[Step] =
    &[Step::Commit(15), Step::Freeze(90), Step::Begin, Step::Commit(25), Step::End, Step::Kill, Step::Commit(35)];

const DURABILITIES: [Durability; 2] = [Durability::Fsync, Durability::Interval(Duration::from_millis(100))];

fn operations(durability: Durability) -> u64 {
    let mut world = World::new(1, durability);
    world.run(LIFE).unwrap();
    assert_eq!(world.errors, 0);
    world.disk.operations()
}

#[test]
fn a_life_without_accidents_loses_nothing() {
    for durability in DURABILITIES {
        let mut world = World::new(1, durability);
        world.run(LIFE).unwrap();
        world.restart(false).unwrap();
        world.run(&[Step::Sync]).unwrap();
        world.restart(true).unwrap();
        assert!(world.disk.operations() > 100);
    }
}

#[test]
fn whatever_operation_it_dies_at_exactly_what_was_committed_is_found() {
    for durability in DURABILITIES {
        let operations = operations(durability);
        for operation in 0..operations {
            die_at(operation, operations, Moment::Before, 1, durability, true);
            die_at(operation, operations, Moment::During, 2, durability, true);
            die_at(operation, operations, Moment::During, 3, durability, false);
            die_at(operation, operations, Moment::After, 4, durability, operation % 2 == 0);
        }
    }
}

fn die_at(operation: u64, least: u64, moment: Moment, seed: u64, durability: Durability, crash: bool) {
    let mut world = World::new(seed * 1_000_003 + operation, durability);
    world.disk.die(operation, moment);
    // What chance keeps of a crash in the middle decides how many operations follow, so a life may be over before.
    let died = world.dies(LIFE);
    assert!(died || operation + 20 > least, "{operation}");
    if !died {
        return;
    }
    world.restart(crash).unwrap();
    // Opening twice finds the same, and so does losing power right after a start.
    world.restart(false).unwrap();
    world.restart(true).unwrap();
    world.run(AFTER).unwrap();
    world.assert_no_rubbish();
    world.restart(true).unwrap();
}
