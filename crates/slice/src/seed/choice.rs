//! Whom to ask, and which of the answers is taken. Pure.

use std::ops::Range;

use shardset_handoff::members;
use shardset_membership::follows;
use shardset_model::{Membership, Phase, ShardCount};

/// Every set has a worker 0; a few more, because that one may be away.
const FEW: u32 = 8;
/// Questions under way at a time. Each may hold a thread that resolves a name until the resolver gives up, some 10 s, while its time is up
/// after 2 s: 16 * 10 / 2 = 80 threads of the runtime's 512 at most.
const AT_A_TIME: u32 = 16;

/// How many ordinals are asked before anybody has said how many there are.
pub(super) struct Sought(u32);

impl Default for Sought {
    fn default() -> Self {
        Self(FEW)
    }
}

impl Sought {
    /// Twice as many, since none of those had an answer.
    pub(super) fn wider(&self) -> Self {
        Self((self.0 * 2).min(ShardCount::MAX))
    }
}

/// What one worker says: its membership, that it has none yet, or why it says nothing.
pub(super) type Answer = Result<Option<Membership>, String>;

/// Questions and answers of one round.
pub(super) struct Round {
    asked: u32,
    until: u32,
    said: Vec<(u32, Membership)>,
    /// Why the first of those that say nothing does not.
    silent: Option<String>,
}

impl Round {
    pub(super) fn new(sought: &Sought) -> Self {
        Self { asked: 0, until: sought.0, said: Vec::new(), silent: None }
    }

    /// The ordinals that are asked next; none when everybody was.
    pub(super) fn next(&mut self) -> Option<Range<u32>> {
        let next = self.asked..self.until.min(self.asked + AT_A_TIME);
        self.asked = next.end;
        (!next.is_empty()).then_some(next)
    }

    /// Takes an answer. All members of what is said are asked as well.
    pub(super) fn take(&mut self, shard: u32, answer: Answer) {
        let why = match answer {
            Ok(Some(membership)) => {
                self.until = self.until.max(u32::try_from(members(&membership).len()).unwrap_or(ShardCount::MAX));
                return self.said.push((shard, membership));
            }
            Ok(None) => "it has none itself, since its disk is new".to_owned(),
            Err(why) => why,
        };
        self.silent.get_or_insert(format!("worker {shard}: {why}"));
    }

    /// The newest membership of those that were said, or why there is none.
    pub(super) fn chosen(self) -> Result<Membership, String> {
        let age = |(_, said): &&(u32, Membership)| (said.epoch(), said.phase() == Phase::Stable);
        let Some((by, newest)) = self.said.iter().max_by_key(age) else {
            return Err(self.silent.unwrap_or_else(|| "none was asked".to_owned()));
        };
        let of_its_epoch = self.said.iter().filter(|(_, said)| said.epoch() == newest.epoch());
        for (other, said) in of_its_epoch {
            follows(said, newest).map_err(|refused| format!("workers {by} and {other}: {refused}"))?;
        }
        Ok(newest.clone())
    }
}

#[cfg(test)]
mod tests {
    use shardset_model::{Membership, Phase, RoutingKey};

    use super::{Answer, Round, Sought};

    fn said(epoch: u64, shards: u32, previous: u32) -> Answer {
        let phase = if shards == previous { Phase::Stable } else { Phase::Moving };
        Ok(Some(Membership::new(epoch, shards, previous, phase).unwrap()))
    }

    fn silent() -> Answer {
        Err("it can not be reached".to_owned())
    }

    fn chosen(answers: impl IntoIterator<Item = Answer>) -> Result<(u64, u32, Phase), String> {
        let mut round = Round::new(&Sought::default());
        (0..).zip(answers).for_each(|(shard, answer)| round.take(shard, answer));
        round.chosen().map(|chosen| (chosen.epoch().get(), chosen.shards().get(), chosen.phase()))
    }

    #[test]
    fn the_newest_of_what_is_said_is_taken() {
        let table = [
            ("all agree", vec![said(7, 3, 3), said(7, 3, 3)], (7, 3, Phase::Stable)),
            ("one is not there", vec![silent(), said(7, 3, 3)], (7, 3, Phase::Stable)),
            ("one has not heard of a move", vec![said(7, 3, 3), said(8, 5, 3), said(7, 3, 3)], (8, 5, Phase::Moving)),
            ("one has not heard of its end", vec![said(8, 5, 3), said(8, 5, 5), said(8, 5, 3)], (8, 5, Phase::Stable)),
            ("one has left, or was used before", vec![said(9, 2, 2), said(3, 5, 2)], (9, 2, Phase::Stable)),
            ("one has a new disk", vec![Ok(None), said(7, 3, 3)], (7, 3, Phase::Stable)),
        ];
        for (what, answers, expected) in table {
            let backwards: Vec<Answer> = answers.iter().rev().cloned().collect();
            assert_eq!(chosen(answers), Ok(expected), "{what}");
            assert_eq!(chosen(backwards), Ok(expected), "{what}, the other way around");
        }
    }

    #[test]
    fn where_nobody_says_one_there_is_none_and_it_is_told_why() {
        assert_eq!(chosen([]), Err("none was asked".to_owned()));
        assert_eq!(chosen([silent(), Ok(None)]), Err("worker 0: it can not be reached".to_owned()));
        let new = "worker 0: it has none itself, since its disk is new";
        assert_eq!(chosen([Ok(None), silent()]), Err(new.to_owned()));
    }

    #[test]
    fn two_that_contradict_each_other_are_no_source() {
        let other_key =
            |answer: Answer| answer.map(|said| Some(said?.routed_by(RoutingKey::Resource, RoutingKey::Resource)));
        for other in [said(7, 4, 4), said(7, 5, 3), other_key(said(7, 3, 3))] {
            let error = chosen([said(7, 3, 3), said(6, 2, 2), other]).unwrap_err();
            assert!(error.contains("workers") && error.contains("both at e7"), "{error}");
        }
        let old = [said(7, 3, 3), said(7, 4, 4), said(8, 4, 4)];
        assert_eq!(chosen(old), Ok((8, 4, Phase::Stable)), "what is past is past");
    }

    #[test]
    fn a_few_are_asked_first_and_then_all_members_some_at_a_time() {
        let mut round = Round::new(&Sought::default());
        assert_eq!((round.next(), round.next()), (Some(0..8), None));
        round.take(3, said(7, 20, 40));
        assert_eq!((round.next(), round.next(), round.next()), (Some(8..24), Some(24..40), None));
        round.take(30, said(8, 41, 41));
        round.take(31, said(8, 41, 41));
        assert_eq!((round.next(), round.next()), (Some(40..41), None));
    }

    #[test]
    fn where_none_of_a_few_answers_more_are_asked_and_never_more_than_there_may_be() {
        let mut sought = Sought::default();
        let mut asked = Vec::new();
        for _ in 0..9 {
            let mut round = Round::new(&sought);
            asked.push(std::iter::from_fn(|| round.next()).last().map_or(0, |last| last.end));
            sought = sought.wider();
        }
        assert_eq!(asked, [8, 16, 32, 64, 128, 256, 512, 1000, 1000]);
    }
}
