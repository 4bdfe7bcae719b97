//! The first membership out of workers' mouths, for a gateway that starts while the API server is away.
//!
//! A gateway that has no membership, from the API server or from before, asks workers how things stand (`Control.Status`), by names that
//! its settings give. **This is the only use of DNS**: a membership is watched and never polled, and as soon as the watch answers, what it
//! says goes by the ordinary rules and nobody is asked any more.
//!
//! What a worker says was published once, because it learns memberships from the operator and from gateways only. It may be old: a worker
//! may not have heard of a change yet, or have left the set. That does no more harm than a gateway that lags. Of all that can be reached
//! the newest is taken, and where even that is old, members that are further refuse it and name theirs, which the gateway adopts: it
//! knows a name for every ordinal that there may be. A worker whose disk is new has no membership and is no source. Two that contradict
//! each other under one epoch are not to be believed: then nothing is taken. A name that leads to a worker of another shard or set is as
//! one that does not answer, and each request says for which shard and set it is.
//!
//! Boundary: what is taken, and until when it is asked, is decided by whoever watches.

mod ask;
mod choice;

use std::str::FromStr;
use std::time::Duration;

use shardset_membership::{Address, InvalidAddress, Origin, Record, Trouble, WorkerAt};
use shardset_model::{Membership, SetName, ShardCount};
use shardset_tls::PeerTls;
use thiserror::Error;
use tokio::time::sleep;

use self::choice::{Round, Sought};

/// The API server has so long to answer before workers are asked: a list takes milliseconds, and a server that restarts is back.
const PATIENCE: Duration = Duration::from_secs(3);

/// Between two rounds of questions, from the first value to the last.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Where the number of a worker stands in a name.
const ORDINAL: &str = "{}";

/// Where the workers are by name: a host and a port, in which `{}` stands for the worker's number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorkerNames(Box<str>);

/// Whom to ask, and for which set.
#[derive(Clone, Debug)]
pub struct Seed {
    /// Where workers are.
    pub names: WorkerNames,
    /// Whose they are to be: one of another set does not answer.
    pub set: SetName,
    /// Whether they are reached with TLS.
    pub tls: PeerTls,
}

/// What names no workers.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum InvalidWorkerNames {
    /// All workers would have one name.
    #[error(
        "`{0}` names no worker: {ORDINAL} must stand once for its number, as in demo-worker-{ORDINAL}.demo-worker:4317"
    )]
    NoOrdinal(Box<str>),
    /// No host and port.
    #[error(transparent)]
    Address(#[from] InvalidAddress),
}

impl FromStr for WorkerNames {
    type Err = InvalidWorkerNames;

    fn from_str(text: &str) -> Result<Self, InvalidWorkerNames> {
        if text.matches(ORDINAL).count() != 1 {
            return Err(InvalidWorkerNames::NoOrdinal(text.into()));
        }
        // The longest name, so that all others are addresses too. A number in front of the port could make it none, or too large.
        let names = Self(text.into());
        for shard in [0, ShardCount::MAX - 1] {
            names.written(shard).parse::<Address>()?;
        }
        Ok(names)
    }
}

impl WorkerNames {
    /// The name of one worker.
    pub(crate) fn of(&self, shard: u32) -> Address {
        self.written(shard).parse().expect("the longest and the shortest name were parsed")
    }

    fn written(&self, shard: u32) -> String {
        self.0.replace(ORDINAL, &shard.to_string())
    }

    /// This membership with the names of its workers, and of all that a later one could have.
    pub(crate) fn record(&self, membership: Membership) -> Record {
        let worker = |shard| WorkerAt { shard, address: self.of(shard), uid: None };
        let record = Record::new(membership, (0..ShardCount::MAX).map(worker).collect());
        record
            .expect("each number that a shard may have is there once, in a name of its own")
            .from_origin(Origin::Worker)
    }
}

/// The newest membership that workers say, once one does. Asks again and again, with growing pauses; `trouble` says why it is not there.
pub(crate) async fn first(seed: &Seed, trouble: &Trouble) -> Record {
    sleep(PATIENCE).await;
    let (mut sought, mut pause, mut complained) = (Sought::default(), PAUSE, false);
    loop {
        match round(seed, &sought).await.chosen() {
            Ok(membership) => return seed.names.record(membership),
            Err(why) => {
                let what = format!("the API server does not answer, and no worker says what the membership is: {why}");
                if !complained {
                    tracing::warn!(reason = what, "this gateway has no membership; workers are asked again and again");
                }
                (complained, sought) = (true, sought.wider());
                trouble.say(what);
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Asks as many as are sought, some at a time, and whoever else is a member by what they say.
async fn round(seed: &Seed, sought: &Sought) -> Round {
    let (mut round, deadline) = (Round::new(sought), ask::deadline());
    while let Some(next) = round.next().filter(|_| !ask::is_over(deadline)) {
        for (shard, answer) in ask::each(seed, next).await {
            round.take(shard, answer);
        }
    }
    round
}

#[cfg(test)]
mod tests {
    use shardset_membership::Origin;
    use shardset_model::{Membership, Phase};

    use super::WorkerNames;

    fn names(text: &str) -> Result<WorkerNames, String> {
        text.parse().map_err(|error: super::InvalidWorkerNames| error.to_string())
    }

    #[test]
    fn a_name_has_the_number_once_and_is_an_address() {
        let good = names("demo-worker-{}.demo-worker.ns.svc:4317").unwrap();
        assert_eq!(good.of(12).as_str(), "demo-worker-12.demo-worker.ns.svc:4317");
        assert!(names("[fd00::{}]:1").is_ok() && names("127.0.0.1:40{}").is_ok());
        for wrong in ["demo-worker:4317", "w{}-{}:4317", "w{}", "w{}:", "127.0.0.1:4317{}", "", "{}"] {
            assert!(names(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_record_knows_every_worker_that_there_may_be() {
        let membership = Membership::new(7, 3, 5, Phase::Moving).unwrap();
        let record = names("w{}:1").unwrap().record(membership.clone());
        assert_eq!((record.membership(), record.origin(), record.workers().len()), (&membership, Origin::Worker, 1000));
        assert_eq!(record.workers()[999].address.as_str(), "w999:1");
    }
}
