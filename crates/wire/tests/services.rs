//! Both services over a real connection: what arrives, what comes back, and what is refused.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::uri::PathAndQuery;
use shardset_handoff::{Adopt, Message, Progress, Reception, Reply, Report, Sending};
use shardset_model::{Incarnation, Membership, Phase, ShardCount, ShardIndex};
use shardset_wire::{
    AdoptRequest, Control, ControlClient, ControlServer, Handoff, HandoffClient, HandoffServer, RawCodec,
};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Status};

fn shard(index: u32) -> ShardIndex {
    ShardCount::new(5).unwrap().shard(index).unwrap()
}

fn incarnation(number: u128) -> Incarnation {
    Incarnation::new(number).unwrap()
}

fn membership() -> Membership {
    Membership::new(7, 5, 3, Phase::Moving).unwrap()
}

fn report() -> Report {
    Report {
        shard: shard(1),
        incarnation: incarnation(9),
        membership: Some(membership()),
        streams: 1,
        idle: 1,
        leftovers: 2,
        parked_points: 3,
        parked_bytes: 4,
        sending: vec![Sending { to: shard(4), receiver: None, sent: 0, total: 3, completed: false }],
        receiving: vec![Reception { from: shard(2), completed: true }],
    }
}

fn adopt_request() -> AdoptRequest {
    let incarnations = vec![(shard(0), incarnation(1)), (shard(1), incarnation(9))];
    let adopt = Adopt { incarnation: incarnation(9), membership: membership(), incarnations };
    AdoptRequest { adopt, addresses: vec![(shard(0), "worker-0.workers:4317".into())] }
}

fn message(progress: Progress) -> Message {
    let (sender, receiver) = (incarnation(9), Some(incarnation(8)));
    Message { from: shard(1), sender, to: shard(4), receiver, membership: membership(), progress }
}

/// A worker that remembers what it was told.
#[derive(Clone, Default)]
struct Worker {
    adopted: Arc<Mutex<Vec<AdoptRequest>>>,
    received: Arc<Mutex<Vec<Message>>>,
}

impl Control for Worker {
    async fn adopt(&self, request: AdoptRequest) -> Result<Report, Status> {
        self.adopted.lock().unwrap().push(request);
        Ok(report())
    }

    async fn status(&self) -> Result<Report, Status> {
        let was_told = !self.adopted.lock().unwrap().is_empty();
        if was_told { Ok(report()) } else { Err(Status::unavailable("nobody told me")) }
    }
}

impl Handoff for Worker {
    async fn receive(&self, message: Message) -> Result<Reply, Status> {
        let completed = matches!(message.progress, Progress::Complete { .. });
        let mut received = self.received.lock().unwrap();
        received.push(message);
        let through = received.len() as u64;
        let (sender, receiver) = (incarnation(9), incarnation(8));
        Ok(Reply { sender, receiver, membership: None, through, completed })
    }
}

/// A server that lives as long as the set, and a connection to it.
async fn serve(worker: &Worker) -> (Channel, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Server::builder()
        .add_service(ControlServer::new(worker.clone()))
        .add_service(HandoffServer::new(worker.clone()));
    let mut server = JoinSet::new();
    server.spawn(async move { router.serve_with_incoming(TcpIncoming::from(listener)).await.unwrap() });
    (Channel::from_shared(format!("http://{address}")).unwrap().connect_lazy(), server)
}

async fn call_raw(channel: &Channel, path: &'static str, bytes: Vec<u8>) -> Status {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let request = Request::new(Bytes::from(bytes));
    grpc.unary(request, PathAndQuery::from_static(path), RawCodec).await.unwrap_err()
}

#[tokio::test]
async fn a_worker_hears_the_membership_and_says_how_things_stand() {
    let worker = Worker::default();
    let (channel, _server) = serve(&worker).await;
    let mut client = ControlClient::new(channel);
    let status = client.status().await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "nobody told me"));
    assert_eq!(client.adopt(adopt_request()).await.unwrap(), report());
    assert_eq!(client.status().await.unwrap(), report());
    assert_eq!(*worker.adopted.lock().unwrap(), [adopt_request()]);
}

#[tokio::test]
async fn every_message_of_a_handoff_arrives_as_it_was_sent() {
    let worker = Worker::default();
    let (channel, _server) = serve(&worker).await;
    let mut client = HandoffClient::new(channel);
    // The chunk is above tonic's own limit of 4 MiB.
    let chunk = Progress::Chunk { position: 1, next: 9, items: vec![7; 5 << 20] };
    let sent = [Progress::Ask, chunk, Progress::Complete { position: 9 }].map(message);
    for (message, through) in sent.iter().zip(1..) {
        let reply = client.send(message.clone()).await.unwrap();
        assert_eq!((reply.through, reply.completed), (through, through == 3));
    }
    assert!(*worker.received.lock().unwrap() == sent);
}

#[tokio::test]
async fn a_malformed_request_is_refused_with_the_name_of_the_field() {
    let worker = Worker::default();
    let (channel, _server) = serve(&worker).await;
    let cases = [
        ("/shardset.v1.Control/Adopt", vec![], "the field incarnation is missing"),
        ("/shardset.v1.Control/Adopt", vec![0x12, 9], "Adopt.membership"),
        ("/shardset.v1.Control/Status", vec![0xff], "the message can not be read: "),
        ("/shardset.v1.Handoff/Transfer", vec![0x12, 0], "the field envelope is missing"),
        ("/shardset.v1.Handoff/Transfer", vec![0x0a, 2, 0x10, 1], "TransferRequest.envelope"),
        ("/shardset.v1.Handoff/Complete", vec![0x0a, 0], "the field envelope.sender is missing"),
    ];
    for (path, bytes, expected) in cases {
        let status = call_raw(&channel, path, bytes).await;
        assert_eq!(status.code(), Code::InvalidArgument, "{path}");
        assert!(status.message().contains(expected), "{path}: {}", status.message());
    }
    assert!(worker.adopted.lock().unwrap().is_empty() && worker.received.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented() {
    let (channel, _server) = serve(&Worker::default()).await;
    for path in ["/shardset.v1.Control/Transfer", "/shardset.v1.Handoff/Adopt", "/shardset.v1.Nobody/Adopt"] {
        assert_eq!(call_raw(&channel, path, vec![]).await.code(), Code::Unimplemented, "{path}");
    }
}

#[tokio::test]
async fn a_message_above_the_limit_is_refused_for_good() {
    let worker = Worker::default();
    let (channel, _server) = serve(&worker).await;
    let chunk = Progress::Chunk { position: 1, next: 9, items: vec![7; 64 << 20] };
    let status = HandoffClient::new(channel.clone()).send(message(chunk)).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert_eq!(
        call_raw(&channel, "/shardset.v1.Control/Adopt", vec![0; 5 << 20]).await.code(),
        Code::ResourceExhausted
    );
    assert!(worker.received.lock().unwrap().is_empty());
}

#[tokio::test]
async fn no_connection_is_unavailable() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect_lazy();
    assert_eq!(ControlClient::new(channel).status().await.unwrap_err().code(), Code::Unavailable);
}
