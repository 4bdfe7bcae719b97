//! Delivery against a scripted worker behind real gRPC on loopback.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use prometheus_client::registry::Registry;
use shardset_model::{Epoch, Membership, ShardCount};
use shardset_process::Tasks;
use shardset_wire::{Export, ExportAnswer, MetricsServer, RefusedPart, membership, status};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::{Deliver, DeliverMetrics, DeliverSettings, Link, PartAnswer, Refused};
use crate::route::Routed;

type Script = VecDeque<Result<ExportAnswer, Status>>;

/// Answers by its script, then with success; remembers what it was sent.
#[derive(Clone)]
struct Worker {
    script: Arc<Mutex<Script>>,
    seen: Arc<Mutex<Vec<Bytes>>>,
    delay: Duration,
    /// One permit for each request that came.
    came: Arc<Semaphore>,
    /// Where there is one, a request takes a permit from it before it is answered.
    gate: Option<Arc<Semaphore>>,
}

impl Worker {
    fn with(script: impl IntoIterator<Item = Result<ExportAnswer, Status>>) -> Self {
        Self {
            script: Arc::new(Mutex::new(script.into_iter().collect())),
            seen: Arc::default(),
            delay: Duration::ZERO,
            came: Arc::new(Semaphore::new(0)),
            gate: None,
        }
    }

    /// Sends the first part alone and, while it is on its way, the other two; the answers of those.
    async fn one_and_then_two(&self, deliver: &Deliver) -> [Vec<PartAnswer>; 2] {
        let gate = self.gate.clone().expect("the worker holds the first request back");
        let first = deliver.deliver(routed(b"1"));
        // Polled in this order, so this is the order in which they queue.
        let others = async {
            self.came.acquire().await.expect("never closed").forget();
            let open = async { gate.add_permits(100) };
            let (second, third, ()) = tokio::join!(deliver.deliver(routed(b"2")), deliver.deliver(routed(b"3")), open);
            [second, third]
        };
        let (first, others) = tokio::join!(first, others);
        assert_eq!(first, durable());
        others
    }

    fn seen(&self) -> Vec<Bytes> {
        self.seen.lock().unwrap().clone()
    }

    async fn listen(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tonic::transport::Server::builder().add_service(MetricsServer::new(self.clone(), 1 << 20));
        Tasks::default().spawn("worker", server.serve_with_incoming(TcpIncoming::from(listener)));
        address
    }
}

impl Export for Worker {
    async fn export(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Status> {
        assert_eq!(membership::read(request.metadata()), Ok(Some(one_shard())));
        self.came.add_permits(1);
        tokio::time::sleep(self.delay).await;
        if let Some(gate) = &self.gate {
            gate.acquire().await.expect("never closed").forget();
        }
        self.seen.lock().unwrap().push(request.into_inner());
        let answer = self.script.lock().unwrap().pop_front().unwrap_or_else(|| Ok(ExportAnswer::default()));
        answer.map(|answer| Response::new(answer.encode()))
    }
}

fn one_shard() -> Membership {
    Membership::stable(Epoch::FIRST, ShardCount::ONE)
}

fn to(address: SocketAddr, settings: DeliverSettings) -> Deliver {
    let link = Link::new(format!("http://{address}").parse().unwrap(), one_shard());
    Deliver::start(vec![link], settings, &DeliverMetrics::register(&mut Registry::default()), &Tasks::default())
}

fn routed(bytes: &'static [u8]) -> Vec<Routed> {
    let shard = ShardCount::ONE.shard(0).unwrap();
    vec![Routed { shard, bytes: Bytes::from_static(bytes), resources: 1, points: 1 }]
}

fn durable() -> Vec<PartAnswer> {
    vec![PartAnswer::Durable(vec![])]
}

#[tokio::test]
async fn a_part_is_sent_again_until_its_worker_takes_it() {
    let busy = || Err(status::unavailable("busy", Duration::from_millis(1)));
    let worker = Worker::with([busy(), Err(Status::internal("being set up")), busy()]);
    let deliver = to(worker.listen().await, DeliverSettings::default());
    assert_eq!(deliver.deliver(routed(b"\x0a\x00")).await, durable());
    assert_eq!(worker.seen(), vec![Bytes::from_static(b"\x0a\x00"); 4]);
}

#[tokio::test]
async fn a_worker_that_is_away_makes_the_answer_unavailable_at_the_deadline() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let settings = DeliverSettings { deadline: Duration::from_millis(100), ..DeliverSettings::default() };
    let answers = to(gone, settings).deliver(routed(b"")).await;
    assert!(
        matches!(answers.as_slice(), [PartAnswer::Unavailable(why)] if why.contains("can not be reached")),
        "{answers:?}"
    );
}

#[tokio::test]
async fn a_worker_that_does_not_answer_is_asked_again() {
    let worker = Worker { delay: Duration::from_millis(300), ..Worker::with([]) };
    let settings = DeliverSettings {
        attempt_timeout: Duration::from_millis(50),
        deadline: Duration::from_millis(200),
        ..DeliverSettings::default()
    };
    let answers = to(worker.listen().await, settings).deliver(routed(b"")).await;
    assert!(matches!(answers.as_slice(), [PartAnswer::Unavailable(_)]), "{answers:?}");
}

/// One request at a time, and the first is held back until the others wait.
fn one_at_a_time(script: impl IntoIterator<Item = Result<ExportAnswer, Status>>) -> (Worker, DeliverSettings) {
    let worker = Worker { gate: Some(Arc::new(Semaphore::new(0))), ..Worker::with(script) };
    (worker, DeliverSettings { in_flight: 1, ..DeliverSettings::default() })
}

#[tokio::test]
async fn while_one_request_is_on_its_way_the_others_travel_together() {
    let refused = RefusedPart { resource_index: 1, points: 1, reason: "no".into() };
    let script = [Ok(ExportAnswer::default()), Ok(ExportAnswer { refused: vec![refused], ..Default::default() })];
    let (worker, settings) = one_at_a_time(script);
    let [second, third] = worker.one_and_then_two(&to(worker.listen().await, settings)).await;
    assert_eq!(worker.seen(), [Bytes::from_static(b"1"), Bytes::from_static(b"23")]);
    assert_eq!(second, durable());
    assert_eq!(third, [PartAnswer::Durable(vec![Refused { points: 1, reason: "no".into() }])]);
}

#[tokio::test]
async fn bytes_that_no_worker_takes_do_not_take_other_parts_with_them() {
    let broken = || Err(Status::invalid_argument("broken"));
    let (worker, settings) = one_at_a_time([Ok(ExportAnswer::default()), broken(), broken()]);
    let [second, third] = worker.one_and_then_two(&to(worker.listen().await, settings)).await;
    assert_eq!(second, [PartAnswer::Rejected("broken".into())]);
    assert_eq!(third, durable());
}

#[tokio::test]
async fn a_stale_epoch_is_retried_and_then_told() {
    let worker = Worker::with(vec![Err(Status::failed_precondition("at e2")); 100]);
    let settings = DeliverSettings { deadline: Duration::from_millis(200), ..DeliverSettings::default() };
    let answers = to(worker.listen().await, settings).deliver(routed(b"")).await;
    assert!(
        matches!(answers.as_slice(), [PartAnswer::Unavailable(why)] if why.contains("another epoch")),
        "{answers:?}"
    );
}
