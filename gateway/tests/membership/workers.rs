//! Workers that fence as the protocol says, and remember what they counted.
//!
//! Each of them checks that it is sent only what it owns under the membership of the request: a batch that mixes two
//! memberships, or a part that strays, fails the test that sent it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use shardset_membership::{Record, WorkerAt};
use shardset_model::{Membership, Phase, ShardCount};
use shardset_process::Tasks;
use shardset_wire::{Export, ExportAnswer, MetricsServer, RefusedPart, membership, status};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::points::{names, owners};

/// A point that was counted: its name, and under which epoch.
pub(crate) type Counted = (i64, u64);

#[derive(Clone)]
pub(crate) struct Worker {
    shard: u32,
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    /// One permit for each request that was not taken.
    turned_away: Arc<Semaphore>,
}

struct State {
    membership: Membership,
    busy: bool,
    refused: BTreeSet<i64>,
    counted: Vec<Counted>,
    strays: Vec<Counted>,
    connections: BTreeSet<SocketAddr>,
}

impl Worker {
    pub(crate) async fn start(shard: u32, membership: Membership) -> Self {
        Self::start_on(Ipv4Addr::LOCALHOST.into(), shard, membership).await
    }

    pub(crate) async fn start_on(ip: IpAddr, shard: u32, membership: Membership) -> Self {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let state = State {
            membership,
            busy: false,
            refused: BTreeSet::new(),
            counted: Vec::new(),
            strays: Vec::new(),
            connections: BTreeSet::new(),
        };
        let address = listener.local_addr().unwrap();
        let turned_away = Arc::new(Semaphore::new(0));
        let worker = Self { shard, address, state: Arc::new(Mutex::new(state)), turned_away };
        let of_shard = ShardCount::new(ShardCount::MAX).unwrap().shard(shard).unwrap();
        let service = MetricsServer::new(worker.clone(), 1 << 24).of_shard(of_shard);
        let server = tonic::transport::Server::builder().add_service(service);
        Tasks::default().spawn("worker", server.serve_with_incoming(TcpIncoming::from(listener)));
        worker
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// As the operator tells it.
    pub(crate) fn adopt(&self, membership: &Membership) {
        self.state().membership = membership.clone();
    }

    /// Asks everybody to come back in an hour.
    pub(crate) fn is_busy(&self) {
        self.state().busy = true;
    }

    pub(crate) fn is_free(&self) {
        self.state().busy = false;
    }

    /// Refuses these points for good.
    pub(crate) fn refuses(&self, names: impl IntoIterator<Item = i64>) {
        self.state().refused = names.into_iter().collect();
    }

    pub(crate) fn connections(&self) -> usize {
        self.state().connections.len()
    }

    /// Waits for a request that is not taken.
    pub(crate) async fn turns_away(&self) {
        let turned_away = tokio::time::timeout(crate::gateway::PATIENCE, self.turned_away.acquire()).await;
        turned_away.expect("in time").unwrap().forget();
    }

    fn fence(&self, theirs: &Membership) -> Result<(), Status> {
        let mut state = self.state();
        if state.busy {
            return Err(status::unavailable("busy", Duration::from_secs(3600)));
        }
        if theirs.epoch() < state.membership.epoch() {
            let mut refusal = Status::failed_precondition("another epoch");
            membership::write(&state.membership, refusal.metadata_mut());
            return Err(refusal);
        }
        state.membership = theirs.clone();
        Ok(())
    }

    fn count(&self, bytes: &Bytes, theirs: &Membership) -> ExportAnswer {
        let epoch = theirs.epoch().get();
        let mut state = self.state();
        let strays = owners(bytes, theirs).into_iter().filter(|(_, owner)| *owner != self.shard);
        state.strays.extend(strays.map(|(name, _)| (name, epoch)));
        let mut refused = Vec::new();
        for (resource_index, resource) in (0..).zip(names(bytes)) {
            let (no, yes): (Vec<i64>, Vec<i64>) = resource.into_iter().partition(|name| state.refused.contains(name));
            state.counted.extend(yes.into_iter().map(|name| (name, epoch)));
            let points = no.len() as u64;
            refused.extend((points > 0).then(|| RefusedPart { resource_index, points, reason: "no".into() }));
        }
        let rejected_points = refused.iter().map(|refused| refused.points).sum();
        ExportAnswer { rejected_points, message: String::new(), refused }
    }
}

impl Export for Worker {
    async fn export(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Status> {
        let theirs = membership::read(request.metadata()).unwrap().expect("gateways name their membership");
        self.state().connections.insert(request.remote_addr().unwrap());
        if let Err(status) = self.fence(&theirs) {
            self.turned_away.add_permits(1);
            return Err(status);
        }
        Ok(Response::new(self.count(request.get_ref(), &theirs).encode()))
    }
}

/// Several of them.
pub(crate) struct Workers(pub(crate) Vec<Worker>);

impl Workers {
    /// So many, all of them at this membership.
    pub(crate) async fn start(count: u32, membership: &Membership) -> Self {
        let mut workers = Vec::new();
        for shard in 0..count {
            workers.push(Worker::start(shard, membership.clone()).await);
        }
        Self(workers)
    }

    /// The record of this membership, which lists the first so many of them.
    pub(crate) fn record(&self, membership: &Membership, listed: usize) -> Record {
        let at = |worker: &Worker| WorkerAt { shard: worker.shard, address: worker.address.into(), uid: None };
        Record::new(membership.clone(), self.0.iter().take(listed).map(at).collect()).unwrap()
    }

    pub(crate) fn adopt(&self, membership: &Membership) {
        self.0.iter().for_each(|worker| worker.adopt(membership));
    }

    /// Everything that was counted: each point once, by whom, and under which epoch.
    pub(crate) fn counted(&self) -> BTreeMap<i64, (u32, u64)> {
        let mut all = BTreeMap::new();
        for worker in &self.0 {
            let state = worker.state();
            assert_eq!(state.strays, [], "worker {} was sent what it does not own", worker.shard);
            for &(name, epoch) in &state.counted {
                let before = all.insert(name, (worker.shard, epoch));
                assert_eq!(before, None, "point {name} was counted twice");
            }
        }
        all
    }

    /// Every point of `request` was counted once, by its owner under `membership` and at its epoch.
    pub(crate) fn assert_counted(&self, request: &Bytes, membership: &Membership) {
        let epoch = membership.epoch().get();
        let expected = owners(request, membership).into_iter().map(|(name, owner)| (name, (owner, epoch)));
        assert_eq!(self.counted(), expected.collect());
    }
}

/// A membership under which nothing moves where both counts are the same.
pub(crate) fn at(epoch: u64, shards: u32, previous: u32) -> Membership {
    let phase = if shards == previous { Phase::Stable } else { Phase::Moving };
    Membership::new(epoch, shards, previous, phase).unwrap()
}
