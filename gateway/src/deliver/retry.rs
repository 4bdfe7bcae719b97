//! What a worker's status means for the parts it was the answer to, and how long to wait before the next attempt.

use std::time::Duration;

use shardset_model::{Epoch, Membership};
use shardset_wire::membership;
use tonic::{Code, Status};

/// What to do about a status.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Send it again, not before this time has passed where the worker said so.
    Retry(Option<Duration>),
    /// The worker will never take these bytes.
    Final,
    /// The worker is at this newer membership, and nothing was applied.
    Stale(Membership),
}

impl Verdict {
    /// The status was the answer to a request of this epoch.
    ///
    /// Everything is worth another attempt but what says that the bytes themselves are wrong. Even `UNIMPLEMENTED` or
    /// `PERMISSION_DENIED` speak of a worker that is being set up, not of the points, and nothing is lost by waiting. So
    /// does a refusal of the epoch that names no newer one.
    pub(super) fn of(status: &Status, epoch: Epoch) -> Self {
        let after = shardset_wire::status::retry_after(status);
        match status.code() {
            Code::InvalidArgument => Self::Final,
            Code::ResourceExhausted if after.is_none() => Self::Final,
            Code::FailedPrecondition => match membership::read(status.metadata()) {
                Ok(Some(theirs)) if theirs.epoch() > epoch => Self::Stale(theirs),
                Ok(_) | Err(_) => Self::Retry(after),
            },
            _ => Self::Retry(after),
        }
    }
}

const FIRST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(1);

/// The waits between attempts: 20 ms, doubling to 1 s. All parts of a shard wait together in few batches, so there is no
/// herd to spread and no jitter.
#[derive(Debug)]
pub(super) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Backoff {
    /// How long to wait now, at least as long as the worker asked for.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let wait = self.0;
        self.0 = (wait * 2).min(LONGEST);
        asked.unwrap_or_default().max(wait)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use shardset_model::{Epoch, Membership, ShardCount};
    use shardset_wire::membership;
    use tonic::{Code, Status};

    use super::{Backoff, Verdict};

    fn at(epoch: u64) -> Membership {
        Membership::stable(Epoch::new(epoch).unwrap(), ShardCount::ONE)
    }

    /// A worker at `epoch` refuses.
    fn refusal(epoch: u64) -> Status {
        let mut status = Status::failed_precondition("");
        membership::write(&at(epoch), status.metadata_mut());
        status
    }

    #[test]
    fn only_what_says_that_the_bytes_are_wrong_is_final() {
        let busy = shardset_wire::status::unavailable("busy", Duration::from_millis(50));
        let table = [
            (Status::new(Code::Unavailable, ""), Verdict::Retry(None)),
            (busy, Verdict::Retry(Some(Duration::from_millis(50)))),
            (Status::new(Code::DeadlineExceeded, ""), Verdict::Retry(None)),
            (Status::new(Code::Internal, ""), Verdict::Retry(None)),
            (Status::new(Code::Unimplemented, ""), Verdict::Retry(None)),
            (Status::new(Code::InvalidArgument, ""), Verdict::Final),
            (Status::new(Code::ResourceExhausted, "too large"), Verdict::Final),
            (Status::new(Code::FailedPrecondition, ""), Verdict::Retry(None)),
            (refusal(7), Verdict::Retry(None)),
            (refusal(8), Verdict::Stale(at(8))),
        ];
        for (status, verdict) in table {
            assert_eq!(Verdict::of(&status, at(7).epoch()), verdict, "{status:?}");
        }
    }

    #[test]
    fn waits_double_to_a_second_and_respect_what_was_asked() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..8).map(|_| backoff.next(None).as_millis()).collect();
        assert_eq!(waits, [20, 40, 80, 160, 320, 640, 1000, 1000]);
        assert_eq!(backoff.next(Some(Duration::from_secs(2))), Duration::from_secs(2));
    }
}
