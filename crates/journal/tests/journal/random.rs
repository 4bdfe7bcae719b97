//! Random lives with random accidents: what the tables of the other files do not think of.

use std::time::Duration;

use proptest::prelude::*;
use shardset_journal::Durability;
use shardset_journal::storage::faulty::{Fault, Moment};

use crate::world::{Step, World};

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..900_usize).prop_map(Step::Commit),
        1 => Just(Step::Empty),
        2 => (0..150_u64).prop_map(Step::Wait),
        1 => Just(Step::Sync),
        2 => Just(Step::Begin),
        1 => Just(Step::TryBegin),
        2 => Just(Step::End),
        1 => Just(Step::TryEnd),
        3 => (0..500_usize).prop_map(Step::Freeze),
        2 => Just(Step::Thaw),
        1 => Just(Step::Compact),
        1 => Just(Step::Close),
        1 => Just(Step::Kill),
        1 => Just(Step::Crash),
    ]
}

fn durability() -> impl Strategy<Value = Durability> {
    let interval = (0..200_u64).prop_map(|ms| Durability::Interval(Duration::from_millis(ms)));
    prop_oneof![Just(Durability::Fsync), interval]
}

/// Where a process dies, where an operation fails before, and whether the power goes.
fn accident() -> impl Strategy<Value = (u64, u64, Moment, Fault, bool)> {
    let moment = prop_oneof![Just(Moment::Before), Just(Moment::During), Just(Moment::After)];
    let fault = prop_oneof![Just(Fault::NoSpace), Just(Fault::Device), Just(Fault::ReadOnly)];
    (1..250_u64, 1..20_u64, moment, fault, any::<bool>())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn a_life_of_accidents_loses_nothing_that_was_acknowledged(
        seed in any::<u64>(),
        durability in durability(),
        steps in prop::collection::vec(step(), 1..40),
        accidents in prop::collection::vec(accident(), 0..5),
    ) {
        let mut world = World::new(seed, durability);
        for (operation, before, moment, fault, crash) in accidents {
            let next = world.disk.operations() + operation;
            world.disk.fail(next.saturating_sub(before), fault);
            world.disk.die(next, moment);
            if world.dies(&steps) {
                world.restart(crash).unwrap();
            }
        }
        world.disk.calm();
        world.run(&steps).unwrap();
        world.restart(true).unwrap();
        world.restart(false).unwrap();
    }
}
