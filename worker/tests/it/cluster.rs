//! Several workers, each in a process of its own with a disk of its own, and the hand of a coordinator: it tells memberships
//! and addresses, and looks how far the workers are.
//!
//! All workers tell one backend, as in a product, and it knows who tells what.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::metrics::v1::Metric;
use shardset_handoff::{Adopt, Report, owner};
use shardset_journal::storage::faulty::MemoryDisk;
use shardset_model::{Identity, Membership, Phase, ShardIndex};
use shardset_otlp::read::{Scratch, read};
use shardset_wire::{AdoptRequest, ExportAnswer};
use tonic::Status;

use crate::backend::{Backend, PATIENCE};
use crate::harness::{Harness, Launch, moving, now, shard, to};
use crate::sender::{Sender, counter, request};

/// Workers and what they are told.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// What all workers tell.
    pub(crate) backend: Backend,
    /// The membership that gateways go by, and that the coordinator tells.
    pub(crate) membership: Membership,
    machines: Vec<Machine>,
    change: fn(&mut Launch<MemoryDisk>),
}

#[derive(Debug)]
struct Machine {
    disk: MemoryDisk,
    worker: Option<Harness>,
}

impl Cluster {
    /// So many shards, and as many machines, of which those without a shard have been told nothing.
    pub(crate) async fn start(shards: u32, machines: u32) -> Self {
        Self::start_with(shards, machines, |_| {}).await
    }

    pub(crate) async fn start_with(shards: u32, machines: u32, change: fn(&mut Launch<MemoryDisk>)) -> Self {
        let membership = moving(1, shards, shards).settled();
        let mut cluster = Self { backend: Backend::start().await, membership, machines: Vec::new(), change };
        for number in 0..machines {
            let disk = MemoryDisk::new(number.into());
            cluster.machines.push(Machine { disk, worker: None });
            cluster.boot(number).await;
        }
        cluster.tell_all().await;
        cluster
    }

    /// Starts a worker on its disk. It is told nothing.
    pub(crate) async fn boot(&mut self, number: u32) {
        let disk = self.machines[number as usize].disk.clone();
        let mut launch = Launch::on(disk).of(number, self.membership.clone()).untold();
        launch.destinations.push(to("main", &self.backend.url_for(number)));
        (self.change)(&mut launch);
        self.machines[number as usize].worker = Some(launch.run().await);
    }

    /// The power of a machine goes.
    pub(crate) async fn crash(&mut self, number: u32) {
        self.disk(number).crash();
        self.machines[number as usize].worker.take().unwrap().kill().await;
    }

    /// A machine is gone with its disk; in its place is one with an empty disk.
    pub(crate) async fn lose(&mut self, number: u32) {
        self.crash(number).await;
        self.machines[number as usize].disk = MemoryDisk::new(1000 + u64::from(number));
    }

    pub(crate) fn worker(&self, number: u32) -> &Harness {
        self.machines[number as usize].worker.as_ref().unwrap()
    }

    pub(crate) fn disk(&self, number: u32) -> &MemoryDisk {
        &self.machines[number as usize].disk
    }

    /// The next membership: streams are to move. Nobody is told yet.
    pub(crate) fn begin(&mut self, shards: u32) {
        let epoch = self.membership.epoch().get() + 1;
        self.membership = moving(epoch, self.membership.shards().get(), shards);
    }

    /// Tells a worker the membership and not where the others are: it takes, and can not send to those it does not know.
    pub(crate) async fn tell_alone(&self, number: u32) {
        self.worker(number).tell(&self.membership, Vec::new()).await;
    }

    /// Tells a worker the membership, where the members are, and which lives their disks have.
    pub(crate) async fn tell(&self, number: u32) {
        let to = self.worker(number);
        let addresses = self.members().map(|member| (shard(member), self.worker(member).worker.address().to_string()));
        let incarnations = self.members().map(|member| (shard(member), self.worker(member).incarnation)).collect();
        let adopt = Adopt { incarnation: to.incarnation, membership: self.membership.clone(), incarnations };
        to.worker.handle().adopt(AdoptRequest { adopt, addresses: addresses.collect() }).await.unwrap();
    }

    pub(crate) async fn tell_all(&self) {
        for number in self.members() {
            self.tell(number).await;
        }
    }

    /// Waits until every stream is at its new owner.
    pub(crate) async fn arrived(&self) {
        let is_done = |report: &Report| {
            let sent = report.sending.iter().all(|sending| sending.completed);
            report.membership.as_ref() == Some(&self.membership)
                && sent
                && report.receiving.iter().all(|reception| reception.completed)
        };
        self.wait_reports("every stream to arrive", is_done).await;
    }

    /// Waits for the end of the move, and says that it is over.
    pub(crate) async fn end(&mut self) {
        self.arrived().await;
        let before = self.members();
        self.membership = self.membership.clone().settled();
        for number in before {
            self.tell(number).await;
        }
        self.wait_reports("the move to leave nothing behind", Report::is_settled).await;
    }

    /// A whole move.
    pub(crate) async fn scale(&mut self, shards: u32) {
        self.begin(shards);
        self.tell_all().await;
        self.end().await;
    }

    /// What a gateway does: each point to the owner of its stream; all must be taken.
    pub(crate) async fn accept(&self, metrics: &[Metric]) {
        for (owner, part) in self.split(metrics) {
            assert_eq!(self.send_to(owner, part).await.unwrap(), ExportAnswer::default());
        }
    }

    pub(crate) async fn send_to(&self, number: u32, metrics: Vec<Metric>) -> Result<ExportAnswer, Status> {
        let address = self.worker(number).worker.address();
        Sender::connect(address, Some(self.membership.clone())).await.send(metrics).await
    }

    /// So many sessions whose streams, made so, have one owner before this change and another one after it.
    pub(crate) fn movers(&self, stream: impl Fn(&str) -> Metric, change: &Membership, number: usize) -> Vec<String> {
        let moves = |session: &String| {
            let (now, before) = owners(&stream(session), change);
            now != before
        };
        (0..).map(|session| format!("m{session}")).filter(moves).take(number).collect()
    }

    fn split(&self, metrics: &[Metric]) -> Vec<(u32, Vec<Metric>)> {
        let of = |number: u32| {
            let is_of = |metric: &&Metric| owners(metric, &self.membership).0 == shard(number);
            metrics.iter().filter(is_of).cloned().collect::<Vec<_>>()
        };
        let parts = self.membership.shards().shards().map(|owner| (owner.get(), of(owner.get())));
        parts.filter(|(_, part)| !part.is_empty()).collect()
    }

    /// Those of both generations while streams move.
    fn members(&self) -> impl Iterator<Item = u32> + use<> {
        let most = match self.membership.phase() {
            Phase::Stable => self.membership.shards(),
            Phase::Moving => self.membership.shards().max(self.membership.previous()),
        };
        0..most.get()
    }

    async fn wait_reports(&self, what: &str, is_so: impl Fn(&Report) -> bool) {
        let waiting = async {
            for number in self.members() {
                while !is_so(&self.worker(number).report().await) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        if waited.is_err() {
            let mut reports = Vec::new();
            for number in self.members() {
                reports.push(self.worker(number).report().await);
            }
            panic!("waited in vain for {what}: {reports:#?}");
        }
    }
}

/// A delta of each of these sessions, between two seconds after `start`.
pub(crate) fn counters(name: &str, sessions: &[String], start: u64, seconds: (u64, u64), value: f64) -> Vec<Metric> {
    let at = |second: u64| start + second * 1_000_000_000;
    sessions.iter().map(|session| counter(name, session, at(seconds.0), at(seconds.1), value)).collect()
}

/// A minute ago, in ns: where the points of a test may begin.
pub(crate) fn a_minute_ago() -> u64 {
    now() - 60_000_000_000
}

/// The series of a session.
pub(crate) fn series(name: &str, session: &str) -> String {
    format!("{name}{{job=\"checkout\",session={session:?}}}")
}

/// The owner of a metric's only stream, and the one before.
pub(crate) fn owners(metric: &Metric, membership: &Membership) -> (ShardIndex, ShardIndex) {
    let bytes = request(vec![("checkout", vec![metric.clone()])]);
    let mut found = None;
    read(&bytes, &mut Scratch::new(), |point| {
        let context = Arc::new(point.context.to_context());
        let identity = Identity { context, attributes: point.attributes.to_frames() };
        found = Some(owner(membership, point.point.stream, &identity));
    })
    .unwrap();
    found.unwrap()
}
