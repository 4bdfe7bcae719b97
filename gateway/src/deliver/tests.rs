//! Delivery against a scripted worker behind real gRPC on loopback.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use prometheus_client::registry::Registry;
use shardset_membership::{Record, WorkerAt};
use shardset_model::{Epoch, Membership, ShardCount};
use shardset_process::Tasks;
use shardset_wire::{Export, ExportAnswer, MetricsServer, RefusedPart, membership, status};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::{Acks, Deliver, DeliverMetrics, DeliverSettings, Lanes, PartAnswer, Progress, Refused, Stale};
use crate::membership::Routes;
use crate::route::Routed;

/// Nothing here takes as long; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

type Script = VecDeque<Result<ExportAnswer, Status>>;

/// Answers by its script, then with success; remembers what it was sent.
#[derive(Clone)]
struct Worker {
    script: Arc<Mutex<Script>>,
    seen: Arc<Mutex<Vec<Bytes>>>,
    /// The epoch of each request, and the connections that they came by.
    epochs: Arc<Mutex<Vec<u64>>>,
    connections: Arc<Mutex<BTreeSet<SocketAddr>>>,
    delay: Duration,
    /// One permit for each request that came.
    came: Arc<Semaphore>,
    /// Where there is one, a request takes a permit from it before it is answered.
    gate: Option<Arc<Semaphore>>,
    /// Which worker it says it is.
    says: Option<u32>,
}

impl Worker {
    fn with(script: impl IntoIterator<Item = Result<ExportAnswer, Status>>) -> Self {
        Self {
            script: Arc::new(Mutex::new(script.into_iter().collect())),
            seen: Arc::default(),
            epochs: Arc::default(),
            connections: Arc::default(),
            delay: Duration::ZERO,
            came: Arc::new(Semaphore::new(0)),
            gate: None,
            says: Some(0),
        }
    }

    /// Sends the first part alone and, while it is on its way, the other two; the answers of those.
    async fn one_and_then_two(&self, lanes: [&Lanes; 3]) -> [Vec<PartAnswer>; 2] {
        let gate = self.gate.clone().expect("the worker holds the first request back");
        let first = deliver(lanes[0], b"1");
        // Polled in this order, so this is the order in which they queue.
        let others = async {
            self.came.acquire().await.expect("never closed").forget();
            let open = async { gate.add_permits(100) };
            let (second, third, ()) = tokio::join!(deliver(lanes[1], b"2"), deliver(lanes[2], b"3"), open);
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
        let mut service = MetricsServer::new(self.clone(), 1 << 20);
        if let Some(shard) = self.says {
            service = service.of_shard(ShardCount::new(9).unwrap().shard(shard).unwrap());
        }
        let server = tonic::transport::Server::builder().add_service(service);
        Tasks::default().spawn("worker", server.serve_with_incoming(TcpIncoming::from(listener)));
        address
    }
}

impl Export for Worker {
    async fn export(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Status> {
        let theirs = membership::read(request.metadata()).unwrap().unwrap();
        self.epochs.lock().unwrap().push(theirs.epoch().get());
        self.connections.lock().unwrap().insert(request.remote_addr().unwrap());
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

fn at(epoch: u64) -> Membership {
    Membership::stable(Epoch::new(epoch).unwrap(), ShardCount::ONE)
}

fn routes(epoch: u64, address: SocketAddr) -> Routes {
    let worker = WorkerAt { shard: 0, address: address.into(), uid: None };
    Routes::new(&Record::new(at(epoch), vec![worker]).unwrap())
}

fn under(settings: DeliverSettings) -> Deliver {
    Deliver::new(settings, &DeliverMetrics::register(&mut Registry::default()), &Tasks::default())
}

fn to(address: SocketAddr, settings: DeliverSettings) -> Lanes {
    under(settings).lanes(&routes(1, address), None)
}

/// What is heard first of a request with one part of these bytes.
async fn progress(lanes: &Lanes, bytes: &'static [u8], deadline: Duration) -> Progress {
    let shard = ShardCount::ONE.shard(0).unwrap();
    let part = Routed { shard, bytes: Bytes::from_static(bytes), resources: 1, points: 1 };
    let acks = Acks::default();
    lanes.send(vec![part], &acks, Instant::now() + deadline).await;
    timeout(PATIENCE, acks.next()).await.expect("in time")
}

async fn deliver_within(lanes: &Lanes, bytes: &'static [u8], deadline: Duration) -> Vec<PartAnswer> {
    match progress(lanes, bytes, deadline).await {
        Progress::Settled(settled) => settled.into_iter().map(|settled| settled.answer).collect(),
        Progress::Stale(stale) => panic!("came back: {stale:?}"),
    }
}

async fn deliver(lanes: &Lanes, bytes: &'static [u8]) -> Vec<PartAnswer> {
    deliver_within(lanes, bytes, DeliverSettings::default().deadline).await
}

fn stale(bytes: &'static [u8], newer: Option<Membership>) -> Progress {
    Progress::Stale(vec![Stale { bytes: Bytes::from_static(bytes), points: 1, newer: newer.map(Arc::new) }])
}

fn durable() -> Vec<PartAnswer> {
    vec![PartAnswer::Durable(vec![])]
}

#[tokio::test]
async fn a_part_is_sent_again_until_its_worker_takes_it() {
    let busy = || Err(status::unavailable("busy", Duration::from_millis(1)));
    let worker = Worker::with([busy(), Err(Status::internal("being set up")), busy()]);
    let lanes = to(worker.listen().await, DeliverSettings::default());
    assert_eq!(deliver(&lanes, b"\x0a\x00").await, durable());
    assert_eq!(worker.seen(), vec![Bytes::from_static(b"\x0a\x00"); 4]);
}

#[tokio::test]
async fn a_worker_that_is_away_makes_the_answer_unavailable_at_the_deadline() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let lanes = to(gone, DeliverSettings::default());
    let answers = deliver_within(&lanes, b"", Duration::from_millis(100)).await;
    assert!(
        matches!(answers.as_slice(), [PartAnswer::Unavailable(why)] if why.contains("can not be reached")),
        "{answers:?}"
    );
}

#[tokio::test]
async fn the_word_of_somebody_else_at_a_workers_address_does_not_count() {
    // A collector that takes it, and one that does not; and another worker.
    for (says, answer) in [
        (None, Ok(ExportAnswer::default())),
        (None, Err(Status::invalid_argument("broken"))),
        (Some(1), Ok(ExportAnswer::default())),
    ] {
        let stranger = Worker { says, ..Worker::with(vec![answer; 100]) };
        let lanes = to(stranger.listen().await, DeliverSettings::default());
        let answers = deliver_within(&lanes, b"", Duration::from_secs(2)).await;
        assert!(matches!(answers.as_slice(), [PartAnswer::Unavailable(_)]), "{answers:?}");
        assert!(stranger.seen().len() > 1, "it is tried again");
    }
}

#[tokio::test]
async fn a_worker_that_does_not_answer_is_asked_again() {
    let worker = Worker { delay: Duration::from_millis(300), ..Worker::with([]) };
    let settings = DeliverSettings { attempt_timeout: Duration::from_millis(50), ..DeliverSettings::default() };
    let lanes = to(worker.listen().await, settings);
    let answers = deliver_within(&lanes, b"", Duration::from_millis(200)).await;
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
    let lanes = to(worker.listen().await, settings);
    let [second, third] = worker.one_and_then_two([&lanes; 3]).await;
    assert_eq!(worker.seen(), [Bytes::from_static(b"1"), Bytes::from_static(b"23")]);
    assert_eq!(second, durable());
    assert_eq!(third, [PartAnswer::Durable(vec![Refused { points: 1, reason: "no".into() }])]);
}

#[tokio::test]
async fn bytes_that_no_worker_takes_do_not_take_other_parts_with_them() {
    let broken = || Err(Status::invalid_argument("broken"));
    let (worker, settings) = one_at_a_time([Ok(ExportAnswer::default()), broken(), broken()]);
    let lanes = to(worker.listen().await, settings);
    let [second, third] = worker.one_and_then_two([&lanes; 3]).await;
    assert_eq!(second, [PartAnswer::Rejected("broken".into())]);
    assert_eq!(third, durable());
}

#[tokio::test]
async fn a_refusal_that_names_no_newer_membership_is_retried_and_then_told() {
    let worker = Worker::with(vec![Err(Status::failed_precondition("at e2")); 100]);
    let lanes = to(worker.listen().await, DeliverSettings::default());
    // Long enough for two attempts on any machine.
    let answers = deliver_within(&lanes, b"", Duration::from_secs(2)).await;
    assert!(matches!(answers.as_slice(), [PartAnswer::Unavailable(why)] if why.contains("at e2")), "{answers:?}");
    assert!(worker.seen().len() > 1);
}

#[tokio::test]
async fn a_refusal_that_names_a_newer_membership_brings_all_parts_back_with_it() {
    let mut refusal = Status::failed_precondition("");
    membership::write(&at(2), refusal.metadata_mut());
    let worker = Worker::with([Err(refusal)]);
    let lanes = to(worker.listen().await, DeliverSettings::default());
    assert_eq!(progress(&lanes, b"1", PATIENCE).await, stale(b"1", Some(at(2))));
    assert_eq!(worker.seen().len(), 1);
}

#[tokio::test]
async fn parts_of_two_memberships_travel_apart_and_by_one_connection() {
    let (worker, settings) = one_at_a_time([]);
    let address = worker.listen().await;
    let first = to(address, settings.clone());
    let second = under(settings).lanes(&routes(2, address), Some(&first));
    let answers = worker.one_and_then_two([&first, &first, &second]).await;
    assert_eq!(answers, [durable(), durable()]);
    assert_eq!(worker.seen(), ["1", "2", "3"]);
    assert_eq!(*worker.epochs.lock().unwrap(), [1, 1, 2]);
    assert_eq!(worker.connections.lock().unwrap().len(), 1);
}

/// Sends to a worker that asks for an hour; when it has asked, `change` happens. What is heard then.
async fn called_back(change: impl FnOnce(&Lanes, SocketAddr)) -> Progress {
    let busy = Err(status::unavailable("busy", Duration::from_secs(3600)));
    let worker = Worker::with([busy]);
    let address = worker.listen().await;
    let lanes = to(address, DeliverSettings::default());
    let change = async {
        worker.came.acquire().await.expect("never closed").forget();
        change(&lanes, address);
    };
    tokio::join!(progress(&lanes, b"1", 100 * PATIENCE), change).0
}

#[tokio::test]
async fn what_waits_comes_back_when_the_epoch_is_over_or_its_worker_is_elsewhere() {
    let elsewhere = SocketAddr::from(([127, 0, 0, 1], 1));
    let next_epoch = |lanes: &Lanes, address| {
        lanes.make_way(&under(DeliverSettings::default()).lanes(&routes(2, address), Some(lanes)));
    };
    assert_eq!(called_back(next_epoch).await, stale(b"1", None));
    let next_place = |lanes: &Lanes, _| {
        lanes.make_way(&under(DeliverSettings::default()).lanes(&routes(1, elsewhere), Some(lanes)));
    };
    assert_eq!(called_back(next_place).await, stale(b"1", None));
}

#[tokio::test]
async fn the_mergers_of_ways_that_are_not_taken_over_end_with_their_last_request() {
    let (before_tasks, metrics) = (Tasks::default(), DeliverMetrics::register(&mut Registry::default()));
    let place = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let before = Deliver::new(DeliverSettings::default(), &metrics, &before_tasks).lanes(&routes(1, place(1)), None);
    let after = under(DeliverSettings::default()).lanes(&routes(1, place(2)), Some(&before));
    before.make_way(&after);
    drop(before);
    timeout(PATIENCE, before_tasks.finished()).await.expect("in time").unwrap();
}
