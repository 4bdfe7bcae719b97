//! The refused points of one request, gathered for its answer.
//!
//! A gateway merges many clients' parts, so each refusal says which top-level `ResourceMetrics` it was in: the counts per
//! resource are exact. The words are bounded: the first kinds of refusal name their metric, all further ones of a resource
//! only say why, since a request of a million bad points needs no million reasons.

use std::collections::BTreeMap;

use shardset_model::Refusal;
use shardset_wire::{ExportAnswer, RefusedPart};

/// How many refusals name their metric.
const NAMED_MAX: usize = 32;
/// How much of a metric's name is repeated, in bytes.
const NAME_BYTES_MAX: usize = 200;
/// How many reasons the message for people lists.
const MESSAGE_REASONS_MAX: usize = 3;

/// Refused points by resource, metric and reason.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    named: Vec<Named>,
    unnamed: BTreeMap<(u32, &'static str), (Refusal, u64)>,
}

#[derive(Debug)]
struct Named {
    resource_index: u32,
    metric: Box<str>,
    refusal: Refusal,
    points: u64,
}

impl Refusals {
    /// One point more.
    pub(super) fn add(&mut self, resource_index: u32, metric: &str, refusal: Refusal) {
        let metric = &metric[..metric.floor_char_boundary(NAME_BYTES_MAX)];
        let same = |named: &&mut Named| {
            named.resource_index == resource_index && named.refusal == refusal && *named.metric == *metric
        };
        // From the newest: a bad metric's points come in a row.
        if let Some(named) = self.named.iter_mut().rev().find(same) {
            named.points += 1;
        } else if self.named.len() < NAMED_MAX {
            self.named.push(Named { resource_index, metric: metric.into(), refusal, points: 1 });
        } else {
            self.unnamed.entry((resource_index, refusal.reason())).or_insert((refusal, 0)).1 += 1;
        }
    }

    /// The answer: a success but for these points.
    pub(super) fn into_answer(self) -> ExportAnswer {
        let named = self.named.iter().map(|named| RefusedPart {
            resource_index: named.resource_index,
            points: named.points,
            reason: format!("{}: {}", named.metric, named.refusal),
        });
        let unnamed = self.unnamed.iter().map(|(&(resource_index, _), &(refusal, points))| RefusedPart {
            resource_index,
            points,
            reason: refusal.to_string(),
        });
        let refused: Vec<RefusedPart> = named.chain(unnamed).collect();
        let rejected_points = refused.iter().map(|part| part.points).sum();
        ExportAnswer { rejected_points, message: message(&refused), refused }
    }
}

/// For clients that read only what OTLP knows.
fn message(refused: &[RefusedPart]) -> String {
    let mut listed: Vec<String> = refused
        .iter()
        .take(MESSAGE_REASONS_MAX)
        .map(|part| format!("{} ({} points)", part.reason, part.points))
        .collect();
    if refused.len() > listed.len() {
        listed.push(format!("and {} other reasons", refused.len() - listed.len()));
    }
    listed.join("; ")
}

#[cfg(test)]
mod tests {
    use shardset_model::{InvalidReason, Refusal};
    use shardset_wire::ExportAnswer;

    use super::{NAME_BYTES_MAX, NAMED_MAX, Refusals};

    const NEGATIVE: Refusal = Refusal::Invalid(InvalidReason::Negative);

    #[test]
    fn no_refusal_is_a_full_success() {
        assert_eq!(Refusals::default().into_answer(), ExportAnswer::default());
    }

    #[test]
    fn refusals_are_gathered_by_resource_metric_and_reason() {
        let mut refusals = Refusals::default();
        for (resource, metric, refusal) in
            [(0, "a", NEGATIVE), (0, "a", NEGATIVE), (0, "b", NEGATIVE), (2, "a", NEGATIVE), (0, "a", Refusal::TooOld)]
        {
            refusals.add(resource, metric, refusal);
        }
        let answer = refusals.into_answer();
        let parts: Vec<_> = answer.refused.iter().map(|part| (part.resource_index, part.points)).collect();
        assert_eq!(parts, [(0, 2), (0, 1), (2, 1), (0, 1)]);
        assert_eq!(answer.rejected_points, 5);
        assert_eq!(answer.refused[0].reason, "a: the delta of a monotonic sum is negative");
        assert!(answer.message.ends_with("; and 1 other reasons"), "{}", answer.message);
    }

    #[test]
    fn words_are_bounded_and_counts_are_not() {
        let mut refusals = Refusals::default();
        for point in 0..10_000 {
            refusals.add(point % 3, &format!("{point}{}", "ü".repeat(500)), NEGATIVE);
        }
        let answer = refusals.into_answer();
        assert_eq!(answer.rejected_points, 10_000);
        assert_eq!(answer.refused.len(), NAMED_MAX + 3);
        assert!(answer.refused.iter().all(|part| part.reason.len() < NAME_BYTES_MAX + 100));
        let of_first: u64 = answer.refused.iter().filter(|part| part.resource_index == 0).map(|part| part.points).sum();
        assert_eq!(of_first, 3334);
    }
}
