//! Connections: clients that go away, connections that go, and a server that stops.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::channel::{Channel, Sender};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use shardset_gateway::receive::{Answer, ConnectionSettings, Outcome, Protocol, ReceiveSettings};
use shardset_wire::metrics_service::EXPORT_PATH;
use shardset_wire::status;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tonic::{Code, Status};

use crate::answers::export;
use crate::http_client::{post, post_to, raw, read_to_end, send};
use crate::scripted::{PATIENCE, Script, Server, Squeeze, eventually, protobuf, settings};

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const HEAD: &str =
    "POST /v1/metrics HTTP/1.1\r\nhost: g\r\ncontent-type: application/x-protobuf\r\ncontent-length: 100000\r\n\r\n";

fn with(connections: ConnectionSettings) -> ReceiveSettings {
    ReceiveSettings { connections, ..settings() }
}

#[tokio::test]
async fn a_client_that_goes_away_in_mid_body_leaves_nothing_behind() {
    let server = Server::start(Script::answering(Answer::accepted())).await;
    let mut socket = TcpStream::connect(server.addresses.http).await.unwrap();
    socket.write_all(HEAD.as_bytes()).await.unwrap();
    socket.write_all(&[0; 50_000]).await.unwrap();
    eventually("half a body is charged", || server.metrics.in_flight_bytes() >= 50_000).await;
    drop(socket);
    server.settles(Protocol::HttpProtobuf, Outcome::Gone, 1).await;
    assert!(server.script.taken().is_empty());
}

/// An export that has sent `bytes` and not ended its body.
struct HalfSent {
    body: Sender<Bytes, io::Error>,
    response: JoinSet<hyper::Result<http::Response<Incoming>>>,
    _connection: JoinSet<()>,
}

impl HalfSent {
    async fn start(server: &Server, bytes: Bytes) -> Self {
        let io = TokioIo::new(TcpStream::connect(server.addresses.grpc).await.unwrap());
        let (mut sender, driver) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        let (mut connection, mut response) = (JoinSet::new(), JoinSet::new());
        connection.spawn(async move { drop(driver.await) });
        let (mut body, end) = Channel::new(4);
        let request = Request::post(format!("http://gateway{EXPORT_PATH}")).header("content-type", "application/grpc");
        response.spawn(sender.send_request(request.body(end).unwrap()));
        body.send_data(bytes).await.unwrap();
        Self { body, response, _connection: connection }
    }
}

fn half_a_message() -> Bytes {
    let prefix_of_64_kib = [0, 0, 1, 0, 0];
    [&prefix_of_64_kib[..], &[0; 30_000]].concat().into()
}

#[tokio::test]
async fn a_grpc_client_that_goes_away_in_mid_message_leaves_nothing_behind() {
    let server = Server::start(Script::answering(Answer::accepted())).await;
    let half = HalfSent::start(&server, half_a_message()).await;
    eventually("half a message is charged", || server.metrics.in_flight_bytes() >= 30_000).await;
    half.body.abort(io::Error::other("gone"));
    server.settles(Protocol::Grpc, Outcome::Gone, 1).await;
    assert!(server.script.taken().is_empty());
}

#[tokio::test]
async fn a_grpc_message_that_does_not_come_is_asked_for_again_later() {
    let settings = ReceiveSettings { body_timeout: Duration::from_millis(50), ..settings() };
    let server = Server::start_with(Script::answering(Answer::accepted()), settings).await;
    let mut half = HalfSent::start(&server, half_a_message()).await;
    let response = half.response.join_next().await.unwrap().unwrap().unwrap();
    let status = Status::from_header_map(response.headers()).unwrap();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "the body did not come within 50ms"));
    assert_eq!(status::retry_after(&status), Some(Duration::from_secs(1)));
    server.settles(Protocol::Grpc, Outcome::Unavailable, 1).await;
    drop(half.body);
}

#[tokio::test]
async fn a_client_that_goes_away_before_the_answer_leaves_nothing_behind() {
    let server = Server::start(Script::held()).await;
    let mut clients = JoinSet::new();
    let http = server.addresses.http;
    clients.spawn(async move { drop(post_to(http, &[PROTOBUF], protobuf()).await) });
    clients.spawn(async move { drop(send(http, Version::HTTP_2, post(&[PROTOBUF], protobuf())).await) });
    eventually("both wait for an answer", || server.script.taken().len() == 2).await;
    assert!(server.metrics.in_flight_bytes() > 0);
    clients.abort_all();
    server.settles(Protocol::HttpProtobuf, Outcome::Gone, 2).await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let silent = ConnectionSettings { first_request_timeout: Duration::from_millis(50), ..Default::default() };
    let server = Server::start_with(Script::answering(Answer::accepted()), with(silent)).await;
    for (address, bytes) in [
        (server.addresses.http, ""),
        (server.addresses.http, "POST /v1/metrics HTTP/1.1\r\nhost:"),
        (server.addresses.http, "PRI * HTTP/2.0\r\n"),
        (server.addresses.grpc, "PRI * HTTP/2.0\r\n"),
    ] {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(bytes.as_bytes()).await.unwrap();
        let answer = read_to_end(&mut socket).await;
        assert!(!answer.contains("200"), "{bytes:?}: {answer:?}");
    }
}

#[tokio::test]
async fn a_connection_without_a_next_request_is_closed_after_its_answer() {
    let idle = ConnectionSettings { idle_timeout: Duration::from_millis(50), ..Default::default() };
    let server = Server::start_with(Script::answering(Answer::accepted()), with(idle)).await;
    let mut socket = TcpStream::connect(server.addresses.http).await.unwrap();
    socket.write_all(HEAD.replace("100000", "0").as_bytes()).await.unwrap();
    assert!(read_to_end(&mut socket).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn an_old_connection_is_let_go_between_requests() {
    let old = ConnectionSettings { age_max: Duration::from_millis(50), ..Default::default() };
    let server = Server::start_with(Script::answering(Answer::accepted()), with(old)).await;
    let mut socket = TcpStream::connect(server.addresses.http).await.unwrap();
    socket.write_all(HEAD.replace("100000", "0").as_bytes()).await.unwrap();
    assert!(read_to_end(&mut socket).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn connections_above_the_limit_are_closed_at_once() {
    let one = ConnectionSettings { connections_max: 1, ..Default::default() };
    let server = Server::start_with(Script::held(), with(one)).await;
    let http = server.addresses.http;
    let held = post_to(http, &[PROTOBUF], protobuf());
    let second = async {
        eventually("the first is held", || server.script.taken().len() == 1).await;
        let mut socket = TcpStream::connect(http).await.unwrap();
        let answer = read_to_end(&mut socket).await;
        server.script.let_through(1);
        answer
    };
    let (first, second) = tokio::join!(held, second);
    assert_eq!((first.status.as_u16(), second.as_str()), (200, ""));
}

#[tokio::test]
async fn a_stopping_server_answers_what_it_has_taken() {
    let mut server = Server::start(Script::held()).await;
    let (http, stop, script) = (server.addresses.http, server.stop.clone(), server.script.clone());
    let stopping = async {
        eventually("both are held", || script.taken().len() == 2).await;
        stop.cancel();
        script.let_through(2);
    };
    let (over_http, over_grpc, ()) =
        tokio::join!(post_to(http, &[PROTOBUF], protobuf()), export(&server, Squeeze::None, protobuf()), stopping);
    assert_eq!(over_http.status, 200);
    assert_eq!(over_grpc.unwrap(), Bytes::new());
    tokio::time::timeout(PATIENCE, server.running.join_next()).await.unwrap().unwrap().unwrap();
    assert!(TcpStream::connect(http).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_stopping_server_waits_no_longer_than_its_grace() {
    let hasty = ConnectionSettings { grace: Duration::from_millis(50), ..Default::default() };
    let mut server = Server::start_with(Script::held(), with(hasty)).await;
    let mut client = JoinSet::new();
    let http = server.addresses.http;
    client.spawn(async move { raw(http, HEAD.replace("100000", "0").as_bytes()).await });
    eventually("it is held", || server.script.taken().len() == 1).await;
    server.stop.cancel();
    tokio::time::timeout(PATIENCE, server.running.join_next()).await.unwrap().unwrap().unwrap();
    server.settles(Protocol::HttpProtobuf, Outcome::Gone, 1).await;
}
