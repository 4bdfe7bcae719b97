//! One answer to a client for all parts of its request, and the count of what became of its points.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::deliver::{PartAnswer, Refused, Settled};
use crate::metrics::{Outcome, Tally};
use crate::receive::Answer;

/// Reasons of refusal that one answer names; the counters have them all.
const REASONS_NAMED: usize = 5;

/// Counts what became of the points.
pub(super) fn settle(tally: &mut Tally, settled: &[Settled]) {
    for Settled { points, answer } in settled {
        match answer {
            PartAnswer::Durable(refused) => {
                let refused: u64 = refused.iter().map(|refused| refused.points).sum();
                tally.settle(refused, Outcome::Refused);
                tally.settle(points.saturating_sub(refused), Outcome::Accepted);
            }
            PartAnswer::Unavailable(_) => tally.settle(*points, Outcome::Unavailable),
            PartAnswer::Rejected(_) => tally.settle(*points, Outcome::Rejected),
        }
    }
}

/// One answer for all parts. If any part is not durable the client sends the whole request again: the parts that are
/// durable recognise their points.
pub(super) fn answer(settled: Vec<Settled>, retry_after: Duration) -> Answer {
    let mut refused = Vec::new();
    let mut broken = None;
    for Settled { answer, .. } in settled {
        match answer {
            PartAnswer::Durable(mut part) => refused.append(&mut part),
            PartAnswer::Rejected(message) => broken = Some(message),
            PartAnswer::Unavailable(message) => return Answer::Unavailable { message, retry_after },
        }
    }
    match broken {
        Some(message) => Answer::Malformed { message },
        None => Answer::Accepted {
            rejected_points: refused.iter().map(|refused| refused.points).sum(),
            message: message(&refused),
        },
    }
}

fn message(refused: &[Refused]) -> String {
    let mut by_reason: BTreeMap<&str, u64> = BTreeMap::new();
    for Refused { points, reason } in refused {
        *by_reason.entry(reason).or_default() += points;
    }
    let named = by_reason.iter().take(REASONS_NAMED).map(|(reason, points)| format!("{reason} ({points} points)"));
    let mut message = named.collect::<Vec<_>>().join("; ");
    if let Some(more @ 1..) = by_reason.len().checked_sub(REASONS_NAMED) {
        message.push_str(&format!("; and {more} more reasons"));
    }
    message
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{REASONS_NAMED, answer};
    use crate::deliver::{PartAnswer, Refused, Settled};
    use crate::receive::Answer;

    const SECOND: Duration = Duration::from_secs(1);

    fn settled(answers: &[PartAnswer]) -> Vec<Settled> {
        answers.iter().map(|answer| Settled { points: 9, answer: answer.clone() }).collect()
    }

    fn refused(points: u64, reason: &str) -> Refused {
        Refused { points, reason: reason.into() }
    }

    #[test]
    fn a_request_is_accepted_when_every_part_is_durable() {
        let answers = [
            PartAnswer::Durable(vec![refused(2, "x: too old")]),
            PartAnswer::Durable(vec![refused(3, "x: too old"), refused(1, "a: no value")]),
        ];
        let message = "a: no value (1 points); x: too old (5 points)".to_owned();
        assert_eq!(answer(settled(&answers), SECOND), Answer::Accepted { rejected_points: 6, message });
        let nothing = Answer::Accepted { rejected_points: 0, message: String::new() };
        assert_eq!(answer(Vec::new(), SECOND), nothing);
    }

    #[test]
    fn one_part_that_is_away_makes_the_client_send_all_again() {
        let answers = [
            PartAnswer::Rejected("broken".into()),
            PartAnswer::Durable(Vec::new()),
            PartAnswer::Unavailable("worker 1 is away".into()),
        ];
        let unavailable = Answer::Unavailable { message: "worker 1 is away".into(), retry_after: SECOND };
        assert_eq!(answer(settled(&answers), SECOND), unavailable);
        let malformed = Answer::Malformed { message: "broken".into() };
        assert_eq!(answer(settled(&answers[..2]), SECOND), malformed);
    }

    #[test]
    fn a_message_names_a_few_reasons_and_counts_the_others() {
        let many = (0..REASONS_NAMED + 2).map(|number| refused(1, &format!("metric {number}"))).collect();
        let Answer::Accepted { message, .. } = answer(settled(&[PartAnswer::Durable(many)]), SECOND) else {
            panic!("it is accepted");
        };
        assert!(message.ends_with("metric 4 (1 points); and 2 more reasons"), "{message}");
    }
}
