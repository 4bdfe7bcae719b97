//! Every order of steps of small clusters.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "test code: what was found is worth reading")]

use shardset_handoff::{Rule, without};
use shardset_sim::explore::{Scope, explore};

/// Explores it all, and finds nothing.
fn holds(scope: &Scope) {
    let checked = explore(scope);
    println!("{scope}: {} states", checked.states);
    if let Some((broken, steps)) = checked.counterexample {
        panic!("{scope}: {broken} after\n{}", steps.join("\n"));
    }
    assert!(checked.is_complete, "{scope}: more than {} states", scope.states_max);
    assert!(checked.states > 1_000, "{scope}: only {} states", checked.states);
}

#[test]
fn two_shards_become_three_in_every_order() {
    holds(&Scope { late: 0, crashes: 1, ..Scope::of(2, 3) });
    holds(&Scope { late: 0, lost_disks: 1, ..Scope::of(2, 3) });
    holds(&unseen());
}

/// The worker that the stream leaves has told nothing of it.
fn unseen() -> Scope {
    Scope { late: 0, lost_disks: 1, silent: Some(0), ..Scope::of(2, 3) }
}

#[test]
fn three_shards_become_two_in_every_order() {
    holds(&Scope { late: 0, crashes: 1, ..Scope::of(3, 2) });
    holds(&Scope { late: 0, lost_disks: 1, ..Scope::of(3, 2) });
}

#[test]
fn messages_that_come_late_or_twice_change_nothing() {
    holds(&Scope { points: 1, ..Scope::of(2, 3) });
    holds(&Scope { points: 1, ..Scope::of(3, 2) });
}

/// Without a rule a way is found to break what it keeps.
#[test]
fn a_rule_that_is_taken_out_is_missed() {
    let scope = Scope { late: 0, ..Scope::of(2, 3) };
    let lossy = Scope { lost_disks: 1, ..scope.clone() };
    for (rule, scope, keeps) in [
        (Rule::Fence, &scope, "fence"),
        (Rule::Park, &scope, "one owner"),
        (Rule::MemoryMoves, &Scope::of(2, 3), "conservation"),
        (Rule::CompleteIsLast, &scope, "no going back"),
        (Rule::StableIsLast, &scope, "conservation"),
        (Rule::AwayIsSilent, &scope, "no going back"),
        (Rule::ParkedFirst, &Scope { begins_empty: true, ..scope.clone() }, "order"),
        (Rule::NewIncarnationStartsAgain, &lossy, "progress"),
        (Rule::LostDiskMayHaveTold, &unseen(), "no going back"),
    ] {
        let checked = without(rule, || explore(scope));
        let (broken, steps) = checked.counterexample.unwrap_or_else(|| panic!("{rule:?}: {} states", checked.states));
        println!("without {rule:?}: {broken} after {} steps, {} states", steps.len(), checked.states);
        assert!(broken.starts_with(keeps), "{rule:?}: {broken} after\n{}", steps.join("\n"));
    }
}
