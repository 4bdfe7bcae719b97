//! Moves in which something dies, is lost, is repeated or comes late. The streams are so large that a move takes many chunks.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::metrics::v1::Metric;
use shardset_handoff::{Message, Progress, Reply};
use shardset_journal::storage::faulty::Moment;
use shardset_wire::{Handoff, HandoffClient, HandoffServer};
use tokio::net::TcpListener;
use tonic::Status;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};

use crate::backend::Received;
use crate::cluster::{Cluster, a_minute_ago, series};
use crate::harness::{moving, shard, wait};
use crate::sender::{LARGE_BUCKETS, large, large_count};

const SECOND: u64 = 1_000_000_000;
/// A chunk of 512 KiB holds a few dozen, and each is committed once: at its sixth operation a receiver is in the middle.
const STREAMS: usize = 240;
const TAKEN: &str = "shardset_worker_streams_received_total{shard=\"1\"}";

/// Large streams that move from the first shard to the second, and their points in a second.
#[derive(Debug)]
struct Large {
    sessions: Vec<String>,
    start: u64,
}

impl Large {
    /// One shard that counts the first points, and another worker which is to take over half of its streams, these.
    async fn start() -> (Self, Cluster) {
        let cluster =
            Cluster::start_with(1, 2, |launch| launch.settings.accumulate.max_buckets = 2 * LARGE_BUCKETS).await;
        let sessions = cluster.movers(|session| large("size", session, 1, 2), &moving(2, 1, 2), STREAMS);
        let large = Self { sessions, start: a_minute_ago() };
        cluster.accept(&large.points(0)).await;
        (large, cluster)
    }

    fn points(&self, second: u64) -> Vec<Metric> {
        let (from, time) = (self.start + second * SECOND, self.start + (second + 1) * SECOND);
        self.sessions.iter().map(|session| large("size", session, from, time)).collect()
    }

    /// Waits until the totals are those of this many seconds.
    async fn counted(&self, cluster: &Cluster, seconds: u64) -> Received {
        let total = Some(large_count(seconds));
        let is_all = |got: &Received| self.sessions.iter().all(|session| got.last(&series("size", session)) == total);
        cluster.backend.wait("every total", is_all).await
    }
}

/// Lets the receiver die at its `operation`th operation from here on, in the middle of the move.
async fn receiver_dies_in_the_middle(cluster: &mut Cluster, operation: u64) {
    let disk = cluster.disk(1).clone();
    cluster.begin(2);
    cluster.tell_alone(1).await;
    disk.die(disk.operations() + operation, Moment::During);
    cluster.tell(0).await;
    wait("the receiver's death", || disk.is_dead()).await;
    let taken = cluster.worker(1).metric(TAKEN);
    assert!((taken as usize) < STREAMS, "it is in the middle: {taken} have come");
}

#[tokio::test]
async fn a_receiver_that_dies_in_the_middle_gets_the_rest_after_its_restart() {
    for operation in [1, 4, 5, 6] {
        let (large, mut cluster) = Large::start().await;
        receiver_dies_in_the_middle(&mut cluster, operation).await;
        cluster.crash(1).await;
        cluster.boot(1).await;
        cluster.tell_all().await;
        cluster.accept(&large.points(1)).await;
        cluster.end().await;
        large.counted(&cluster, 2).await;
        cluster.accept(&large.points(0)).await;
        cluster.accept(&large.points(2)).await;
        large.counted(&cluster, 3).await.assert_one_life(&series("size", &large.sessions[0]));
        assert_eq!(cluster.worker(1).report().await.streams, STREAMS as u64, "operation {operation}");
    }
}

#[tokio::test]
async fn a_receiver_that_lost_its_disk_in_the_middle_is_sent_everything_again() {
    let (large, mut cluster) = Large::start().await;
    receiver_dies_in_the_middle(&mut cluster, 6).await;
    let before = cluster.worker(1).incarnation;
    cluster.lose(1).await;
    cluster.boot(1).await;
    assert_ne!(cluster.worker(1).incarnation, before);
    cluster.tell_all().await;
    cluster.end().await;
    assert_eq!(cluster.worker(1).metric(TAKEN), STREAMS as u64);
    cluster.accept(&large.points(1)).await;
    large.counted(&cluster, 2).await;
    cluster.accept(&large.points(0)).await;
    cluster.accept(&large.points(2)).await;
    large.counted(&cluster, 3).await;
}

#[tokio::test]
async fn a_receiver_that_loses_its_disk_after_it_had_everything_is_sent_it_again_until_the_move_is_over() {
    let (large, mut cluster) = Large::start().await;
    cluster.begin(2);
    cluster.tell_all().await;
    cluster.arrived().await;
    cluster.lose(1).await;
    cluster.boot(1).await;
    cluster.tell_all().await;
    cluster.end().await;
    assert_eq!(cluster.worker(1).metric(TAKEN), STREAMS as u64);
    cluster.accept(&large.points(1)).await;
    large.counted(&cluster, 2).await;
}

#[tokio::test]
async fn a_sender_that_restarts_in_the_middle_goes_on_from_what_has_arrived() {
    let (large, mut cluster) = Large::start().await;
    receiver_dies_in_the_middle(&mut cluster, 6).await;
    cluster.crash(0).await;
    cluster.crash(1).await;
    cluster.boot(1).await;
    let kept = cluster.worker(1).report().await.streams;
    cluster.boot(0).await;
    cluster.tell_all().await;
    cluster.accept(&large.points(1)).await;
    cluster.end().await;
    assert_eq!(cluster.worker(1).metric(TAKEN), STREAMS as u64 - kept, "what had arrived is not sent again");
    large.counted(&cluster, 2).await;
}

/// Stands before a worker: keeps every message, and passes it on twice while it is open.
#[derive(Clone, Debug)]
struct Relay {
    to: HandoffClient<Channel>,
    seen: Arc<Mutex<Vec<Message>>>,
    is_open: Arc<AtomicBool>,
}

impl Handoff for Relay {
    async fn receive(&self, message: Message) -> Result<Reply, Status> {
        self.seen.lock().unwrap().push(message.clone());
        if !self.is_open.load(Ordering::Relaxed) {
            return Err(Status::unavailable("closed"));
        }
        self.to.clone().send(message.clone()).await?;
        self.to.clone().send(message).await
    }
}

/// Serves a relay before this worker.
async fn relay(to: SocketAddr) -> (Relay, String) {
    let channel = Channel::from_shared(format!("http://{to}")).unwrap().connect().await.unwrap();
    let is_open = Arc::new(AtomicBool::new(true));
    let relay = Relay { to: HandoffClient::new(channel), seen: Arc::default(), is_open };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = Server::builder().add_service(HandoffServer::new(relay.clone()));
    #[expect(clippy::disallowed_methods, reason = "a test's server ends with the test")]
    tokio::spawn(serving.serve_with_incoming(TcpIncoming::from(listener)));
    (relay, address)
}

#[tokio::test]
async fn messages_that_are_repeated_or_come_late_change_nothing() {
    let (large, mut cluster) = Large::start().await;
    let (mut relay, address) = relay(cluster.worker(1).worker.address()).await;
    cluster.begin(2);
    cluster.tell_alone(1).await;
    cluster.worker(0).tell(&cluster.membership, vec![(shard(1), address)]).await;
    cluster.arrived().await;
    let seen = std::mem::take(&mut *relay.seen.lock().unwrap());
    assert!(seen.len() > 4, "a question, some chunks and an end: {}", seen.len());
    // While the move lasts, after it, and in the next one.
    for late in 0..3 {
        cluster.accept(&large.points(1 + late)).await;
        for message in seen.iter().rev().chain(&seen) {
            let reply = relay.to.send(message.clone()).await.unwrap();
            assert_eq!(reply.receiver, cluster.worker(1).incarnation);
        }
        assert_eq!(cluster.worker(1).metric(TAKEN), STREAMS as u64);
        large.counted(&cluster, 2 + late).await;
        match late {
            0 => cluster.end().await,
            1 => cluster.scale(1).await,
            _ => {}
        }
    }
    assert_eq!(cluster.worker(1).report().await.streams, 0, "what has moved on does not come back");
}

#[tokio::test]
async fn a_sender_that_can_not_keep_whom_it_sends_to_sends_no_stream() {
    let (large, mut cluster) = Large::start().await;
    let (relay, address) = relay(cluster.worker(1).worker.address()).await;
    relay.is_open.store(false, Ordering::Relaxed);
    cluster.begin(2);
    cluster.tell_alone(1).await;
    cluster.worker(0).tell(&cluster.membership, vec![(shard(1), address)]).await;
    wait("a question", || !relay.seen.lock().unwrap().is_empty()).await;
    cluster.disk(0).set_capacity(Some(0));
    relay.is_open.store(true, Ordering::Relaxed);
    let sender = cluster.worker(0);
    sender.wait_metric("shardset_worker_journal_failures_total{shard=\"0\"}", |failures| failures > 2).await;
    let is_question = |message: &Message| message.progress == Progress::Ask;
    assert!(
        relay.seen.lock().unwrap().iter().all(is_question),
        "what a lost disk was sent must be known after a restart"
    );
    cluster.disk(0).set_capacity(None);
    sender.wait_metric("shardset_worker_journal_unwritable{shard=\"0\"}", |unwritable| unwritable == 0).await;
    cluster.end().await;
    cluster.accept(&large.points(1)).await;
    large.counted(&cluster, 2).await;
}

#[tokio::test]
async fn a_message_that_comes_to_another_worker_is_not_answered_for_it() {
    let (large, mut cluster) = Large::start().await;
    // Where the other worker was, as far as the sender knows, is now the sender itself.
    let (relay, address) = relay(cluster.worker(0).worker.address()).await;
    cluster.begin(2);
    cluster.tell_alone(1).await;
    cluster.worker(0).tell(&cluster.membership, vec![(shard(1), address)]).await;
    wait("it asks again", || relay.seen.lock().unwrap().len() > 1).await;
    let sending = cluster.worker(0).report().await.sending;
    assert!(sending.iter().all(|sending| sending.receiver.is_none() && !sending.completed), "{sending:?}");
    cluster.tell_all().await;
    cluster.end().await;
    cluster.accept(&large.points(1)).await;
    large.counted(&cluster, 2).await;
}
