//! The steps that can be taken from a state.

use shardset_accumulate::Replay;
use shardset_handoff::{Adopted, Observed, Source, Step as Plan, Taken, Verdict, Wish, members, owner, plan};
use shardset_model::{Membership, Phase, RoutingKey, ShardIndex};

use super::cluster::{Cluster, GATEWAYS, Ground, Late, NOW, empty, image};
use crate::api::Sighting;
use crate::catalog::{Delta, shard};

/// One thing that happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// A gateway hears of the next membership.
    Learn(usize),
    /// A gateway sends a point.
    Send(usize, Delta, Fate),
    /// A worker sends what stands next to another.
    Transfer(ShardIndex, ShardIndex, Fate),
    /// A worker does what is left to do.
    Settle(ShardIndex),
    /// A coordinator asks all workers, or all but the one that is given up, and decides.
    Observe { all: bool },
    /// It publishes what it decided.
    Publish,
    /// It tells a worker.
    Tell(usize, Fate),
    /// A message arrives that was late, or never does.
    Arrive(usize),
    /// A worker loses what is not durable.
    Crash(ShardIndex),
    /// A worker loses its disk.
    LoseDisk(ShardIndex),
    /// The user wants another number of shards.
    Wish,
}

/// What becomes of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    Answered,
    AnswerLost,
    Late,
}

/// What does not hold after a step.
pub(super) type Broken = String;

impl Cluster {
    /// All steps that may be taken.
    pub(super) fn steps(&self, ground: &Ground) -> Vec<Step> {
        let workers = || self.shards().map(|shard| shard.index());
        let mut fates = vec![Fate::Answered];
        fates.extend((self.late.len() < ground.scope.late).then_some(Fate::Late));
        let mut steps = Vec::new();
        steps.extend((0..GATEWAYS).filter(|g| self.views[*g] + 1 < self.published.len()).map(Step::Learn));
        for (number, delta) in ground.deltas.iter().enumerate() {
            if self.owed[delta.stream] & delta.bit() == 0 {
                steps.extend(fates.iter().map(|fate| Step::Send(number % GATEWAYS, *delta, *fate)));
            }
        }
        for shard in self.shards() {
            for to in shard.unfinished() {
                steps.extend(fates.iter().map(|fate| Step::Transfer(shard.index(), to, *fate)));
                steps.push(Step::Transfer(shard.index(), to, Fate::AnswerLost));
            }
        }
        let has_to_settle = |shard: &&shardset_handoff::Shard| !shard.report().is_settled();
        steps.extend(self.shards().filter(has_to_settle).map(|shard| Step::Settle(shard.index())));
        steps.extend((0..self.telling.len()).flat_map(|at| fates.iter().map(move |fate| Step::Tell(at, *fate))));
        steps.push(Step::Observe { all: true });
        steps.extend(ground.scope.given_up.map(|_| Step::Observe { all: false }));
        steps.extend(self.decided.as_ref().map(|_| Step::Publish));
        steps.extend((0..self.late.len()).map(Step::Arrive));
        steps.extend(workers().filter(|_| self.crashes > 0).map(Step::Crash));
        steps.extend(workers().filter(|_| self.lost_disks > 0).map(Step::LoseDisk));
        let has_more = self.wish + 1 < ground.scope.shards.len();
        steps.extend(
            (has_more && self.newest().phase() == Phase::Stable && self.wish < self.published.len())
                .then_some(Step::Wish),
        );
        steps
    }

    /// Takes a step.
    pub(super) fn take(&mut self, step: Step, ground: &Ground) -> Result<(), Broken> {
        match step {
            Step::Learn(gateway) => self.views[gateway] += 1,
            Step::Send(gateway, delta, fate) => {
                let membership = self.published[self.views[gateway]].clone();
                if fate == Fate::Late {
                    self.late.push(Late::Export(Box::new(membership), delta));
                } else {
                    self.count(&membership, delta, ground)?;
                }
            }
            Step::Transfer(from, to, fate) => self.transfer(from, to, fate, ground)?,
            Step::Settle(worker) => self.change(worker, |shard| while shard.settle(usize::MAX, &mut Vec::new()) {}),
            Step::Observe { all } => self.observe(all, ground),
            Step::Publish => self.publish(ground),
            Step::Tell(at, fate) => {
                let (to, adopt) = self.telling.remove(at);
                if fate == Fate::Late {
                    self.late.push(Late::Adopt(to, Box::new(adopt)));
                } else {
                    tell(self.change(to, |shard| shard.adopt(&adopt, &mut Vec::new())))?;
                }
            }
            Step::Arrive(at) => self.arrive(at, ground)?,
            Step::Crash(worker) => {
                self.crashes -= 1;
                self.change(worker, restart)?;
            }
            Step::LoseDisk(worker) => self.lose_disk(worker, ground),
            Step::Wish => self.wish += 1,
        }
        self.settle_waiting(ground);
        self.holds(ground)?;
        self.export(ground)
    }

    fn transfer(&mut self, from: ShardIndex, to: ShardIndex, fate: Fate, ground: &Ground) -> Result<(), Broken> {
        let Some(message) = self.shard(from).next_message(to, |_| None) else { return Ok(()) };
        if fate == Fate::Late {
            self.late.push(Late::Handoff(Box::new(message)));
            return Ok(());
        }
        let reply = self.change(to, |shard| shard.receive(&message, &mut Vec::new()));
        let reply = reply.map_err(|error| error.to_string())?.open(&ground.receipt);
        if fate == Fate::Answered {
            self.change(from, |shard| shard.replied(to, &reply, &mut Vec::new()));
        }
        Ok(())
    }

    fn arrive(&mut self, at: usize, ground: &Ground) -> Result<(), Broken> {
        match self.late.remove(at) {
            Late::Handoff(message) => {
                let received = self.change(message.to, |shard| shard.receive(&message, &mut Vec::new()));
                received.map(drop).map_err(|error| error.to_string())
            }
            Late::Adopt(to, adopt) => tell(self.change(to, |shard| shard.adopt(&adopt, &mut Vec::new()))),
            Late::Export(membership, delta) => self.count(&membership, delta, ground),
        }
    }

    /// A point arrives that was routed by this membership.
    pub(super) fn count(&mut self, theirs: &Membership, delta: Delta, ground: &Ground) -> Result<(), Broken> {
        let series = ground.catalog.get(delta.stream);
        let (to, _) = owner(theirs, series.id, &series.identity);
        match self.shard(to).fence(Some(theirs)) {
            Verdict::Refuse(_) => return Ok(()),
            Verdict::Go => {}
            Verdict::Adopt(newer) => tell(self.change(to, |shard| shard.hear(&newer, Source::Peer, &mut Vec::new())))?,
        }
        let (point, identity) = (delta.point(&ground.catalog), series.identity.clone());
        match self.change(to, |shard| shard.take_point(&point, |_| identity, NOW, &mut Vec::new())) {
            Ok(Taken::Foreign) => return Err(format!("fence: w{to} is sent s{}, which is not its own", delta.stream)),
            Ok(Taken::Parked) => self.waiting[to.position()][delta.stream] |= delta.bit(),
            Ok(Taken::Applied(_)) => {}
            Err(refusal) => return Err(format!("conservation: a point is refused: {refusal}")),
        }
        if !self.is_nobodys(to, delta.stream, ground) {
            self.owed[delta.stream] |= delta.bit();
        }
        Ok(())
    }

    /// Asks, and decides. What an earlier round decided and has not done is forgotten, as with a coordinator that died.
    fn observe(&mut self, all: bool, ground: &Ground) {
        let shards = ground.scope.counts().nth(self.wish).expect("a wish that was made");
        let wish = Wish { shards, routing: RoutingKey::StreamId };
        let given_up = ground.scope.given_up.filter(|_| self.wish == 1).map(shard).into_iter().collect();
        let answer = |shard: &&shardset_handoff::Shard| all || Some(shard.index().get()) != ground.scope.given_up;
        let reports = self.shards().filter(answer).map(|shard| (shard.index(), shard.report())).collect();
        let seen = Observed { published: self.published.last(), wish: &wish, reports: &reports, given_up: &given_up };
        let steps = plan(&seen);
        (self.decided, self.telling) = (None, Vec::new());
        for step in steps {
            match step {
                Plan::Tell(to, adopt) => self.telling.push((to, adopt)),
                Plan::Publish(membership) => {
                    let incarnations = reports.iter().map(|(shard, report)| (*shard, report.incarnation)).collect();
                    let sighting = Sighting { incarnations, given_up: given_up.clone() };
                    self.decided = Some((membership, sighting, self.published.len()));
                }
                Plan::Run(_) | Plan::Stop(_) | Plan::Wait(_) => {}
            }
        }
    }

    /// Publishes, unless something else was published meanwhile.
    fn publish(&mut self, ground: &Ground) {
        let Some((membership, sighting, version)) = self.decided.take() else { return };
        if version == self.published.len() {
            if membership.phase() == Phase::Stable {
                self.ended(&membership, &sighting, ground);
            }
            self.published.push(membership);
        }
    }

    /// Whether what is wished is true, and everyone is done.
    pub(super) fn is_at_wish(&self, ground: &Ground) -> bool {
        let newest = self.newest();
        ground.scope.counts().nth(self.wish).is_some_and(|wish| newest.shards() == wish)
            && newest.phase() == Phase::Stable
            && members(newest).all(|member| {
                let report = self.shard(member).report();
                report.membership.as_ref() == Some(newest) && report.is_settled()
            })
    }
}

/// Comes back from what is durable.
fn restart(old: &mut shardset_handoff::Shard) -> Result<(), Broken> {
    let mut shard = empty(old.index(), old.incarnation().get() >> 8);
    shard.replay(&image(old), Replay::Whole).map_err(|error| error.to_string())?;
    shard.recovered();
    *old = shard;
    Ok(())
}

fn tell(adopted: Adopted) -> Result<(), Broken> {
    if adopted == Adopted::Conflict { Err("fence: two memberships of one epoch".to_owned()) } else { Ok(()) }
}
