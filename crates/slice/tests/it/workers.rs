//! Workers that say what their membership is, each at an address of its own with one port for all.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use shardset_handoff::Report;
use shardset_model::{Incarnation, Membership, ShardCount};
use shardset_process::Tasks;
use shardset_slice::WorkerNames;
use shardset_wire::{AdoptRequest, Control, ControlServer};
use tokio::net::TcpListener;
use tonic::Status;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

/// A worker.
#[derive(Clone)]
pub(crate) struct Worker {
    /// Which one it says it is.
    shard: u32,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    membership: Option<Membership>,
    asked: u32,
}

impl Worker {
    /// As the operator tells it.
    pub(crate) fn adopt(&self, membership: &Membership) {
        self.state.lock().unwrap().membership = Some(membership.clone());
    }

    pub(crate) fn asked(&self) -> u32 {
        self.state.lock().unwrap().asked
    }
}

impl Control for Worker {
    async fn adopt(&self, _: AdoptRequest) -> Result<Report, Status> {
        Err(Status::unimplemented("only the operator tells"))
    }

    async fn status(&self) -> Result<Report, Status> {
        let mut state = self.state.lock().unwrap();
        state.asked += 1;
        Ok(Report {
            shard: ShardCount::new(ShardCount::MAX).unwrap().shard(self.shard).unwrap(),
            incarnation: Incarnation::new(1).unwrap(),
            membership: state.membership.clone(),
            streams: 0,
            idle: 0,
            leftovers: 0,
            parked_points: 0,
            parked_bytes: 0,
            sending: Vec::new(),
            receiving: Vec::new(),
        })
    }
}

/// Workers and their names.
pub(crate) struct Workers {
    port: u16,
    tasks: Tasks,
}

impl Workers {
    /// None yet; they will have one port, which nobody else has now.
    pub(crate) async fn none() -> Self {
        let listener = TcpListener::bind("127.9.255.1:0").await.unwrap();
        Self { port: listener.local_addr().unwrap().port(), tasks: Tasks::default() }
    }

    pub(crate) fn names(&self) -> WorkerNames {
        format!("127.9.{{}}.1:{}", self.port).parse().unwrap()
    }

    /// One that is where worker `name` should be, and says it is `shard`.
    pub(crate) async fn start(&self, name: u8, shard: u32, membership: Option<&Membership>) -> Worker {
        let listener = TcpListener::bind((IpAddr::V4(Ipv4Addr::new(127, 9, name, 1)), self.port)).await.unwrap();
        let worker = Worker { shard, state: Arc::default() };
        worker.state.lock().unwrap().membership = membership.cloned();
        let server = Server::builder().add_service(ControlServer::new(worker.clone()));
        self.tasks.spawn("worker", server.serve_with_incoming(TcpIncoming::from(listener)));
        worker
    }
}
