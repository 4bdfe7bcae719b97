//! Limits: of one request, of all requests together, and of time.

use std::time::Duration;

use bytes::Bytes;
use http::Version;
use shardset_gateway::receive::{Answer, Outcome, Protocol, ReceiveSettings};
use shardset_wire::status;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tonic::Code;

use crate::answers::export;
use crate::http_client::{post, post_to, raw, read_to_end, send};
use crate::scripted::{Script, Server, Squeeze, eventually, protobuf, settings};

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");
const KIB: usize = 1024;

fn small() -> ReceiveSettings {
    ReceiveSettings { message_bytes_max: 64 * KIB, in_flight_bytes_max: 256 * KIB as u64, ..settings() }
}

#[tokio::test]
async fn a_request_above_the_limit_is_refused_for_good_however_it_comes() {
    let server = Server::start_with(Script::answering(Answer::accepted()), small()).await;
    let (http, zeros) = (server.addresses.http, vec![0; 64 * KIB + 1]);
    for squeeze in Squeeze::ALL {
        let headers: Vec<_> =
            [PROTOBUF].into_iter().chain(squeeze.header().map(|name| ("content-encoding", name))).collect();
        for version in [Version::HTTP_11, Version::HTTP_2] {
            let reply = send(http, version, post(&headers, squeeze.apply(&zeros))).await;
            assert_eq!(reply.status, 413, "{squeeze:?} {version:?}");
            let said = status::encode(Code::ResourceExhausted, "the request is larger than 65536 bytes");
            assert_eq!(reply.body, said, "{squeeze:?} {version:?}");
        }
        let refused = export(&server, squeeze, zeros.clone().into()).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted, "{squeeze:?}");
        assert_eq!(status::retry_after(&refused), None, "with RetryInfo it would be retried");
    }
    server.settles(Protocol::HttpProtobuf, Outcome::TooLarge, 8).await;
    server.settles(Protocol::Grpc, Outcome::TooLarge, 4).await;
    assert!(server.script.taken().is_empty());
}

#[tokio::test]
async fn a_request_of_exactly_the_limit_is_taken() {
    let server = Server::start_with(Script::answering(Answer::accepted()), small()).await;
    let zeros = Bytes::from(vec![0; 64 * KIB]);
    assert_eq!(post_to(server.addresses.http, &[PROTOBUF], zeros.clone()).await.status, 200);
    assert!(export(&server, Squeeze::None, zeros.clone()).await.is_ok());
    assert!(export(&server, Squeeze::Zstd, zeros).await.is_ok());
}

#[tokio::test]
async fn a_length_above_the_limit_is_refused_before_anything_is_read() {
    let server = Server::start_with(Script::answering(Answer::accepted()), small()).await;
    let head = "POST /v1/metrics HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: 65537\r\n\r\n";
    let answer = raw(server.addresses.http, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn a_chunked_body_above_the_limit_is_refused_where_it_passes_it() {
    let server = Server::start_with(Script::answering(Answer::accepted()), small()).await;
    let mut bytes =
        b"POST /v1/metrics HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
            .to_vec();
    for _ in 0..17 {
        bytes.extend(b"1000\r\n");
        bytes.extend([b' '; 4096]);
        bytes.extend(b"\r\n");
    }
    let answer = raw(server.addresses.http, &bytes).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    server.settles(Protocol::HttpJson, Outcome::TooLarge, 1).await;
}

#[tokio::test]
async fn json_that_is_larger_as_protobuf_than_the_limit_is_refused() {
    let server = Server::start_with(Script::answering(Answer::accepted()), small()).await;
    let counts = vec!["0"; 20_000].join(",");
    let json = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"histogram":{{"dataPoints":[{{"bucketCounts":[{counts}]}}]}}}}]}}]}}]}}"#
    );
    assert!(json.len() < 64 * KIB);
    let reply = post_to(server.addresses.http, &[JSON], json).await;
    assert_eq!(reply.status, 413);
    assert_eq!(reply.json()["message"], "the request is larger than 65536 bytes as protobuf");
    server.settles(Protocol::HttpJson, Outcome::TooLarge, 1).await;
}

/// 64 KiB of zstd that are 2 GiB: a frame header, and blocks that each say "128 KiB of this byte".
fn bomb() -> Bytes {
    let window_of_128_kib = 0x38;
    let mut bytes = vec![0x28, 0xb5, 0x2f, 0xfd, 0, window_of_128_kib];
    for _ in 0..16 * KIB {
        let run_of_128_kib = (128 * KIB as u32) << 3 | 1 << 1;
        bytes.extend(&run_of_128_kib.to_le_bytes()[..3]);
        bytes.push(0);
    }
    bytes.into()
}

#[tokio::test]
async fn a_decompression_bomb_is_an_error_and_not_an_allocation() {
    let server = Server::start(Script::answering(Answer::accepted())).await;
    assert_eq!(bomb().len(), 64 * KIB + 6);
    let reply = post_to(server.addresses.http, &[PROTOBUF, ("content-encoding", "zstd")], bomb()).await;
    assert_eq!(reply.status, 413);
    server.settles(Protocol::HttpProtobuf, Outcome::TooLarge, 1).await;
}

#[tokio::test]
async fn without_room_in_the_budget_clients_are_asked_to_come_back() {
    let server = Server::start_with(Script::held(), small()).await;
    let http = server.addresses.http;
    let body = |kib: usize| Bytes::from(vec![0; kib * KIB]);
    let mut held = JoinSet::new();
    // One after the other, since a body takes twice its size for a moment while it is read. 200 of 256 KiB are taken then.
    for (number, kib) in [60, 60, 60, 20].into_iter().enumerate() {
        held.spawn(async move { post_to(http, &[PROTOBUF], body(kib)).await.status });
        eventually("it is held", || server.script.taken().len() == number + 1).await;
    }
    let reply = post_to(http, &[PROTOBUF], body(60)).await;
    assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (503, Some("1")));
    assert_eq!(reply.body, status::encode(Code::Unavailable, "262144 bytes of requests are in flight already"));
    for squeeze in [Squeeze::None, Squeeze::Gzip] {
        let refused = export(&server, squeeze, body(60)).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable, "{squeeze:?}");
        assert_eq!(status::retry_after(&refused), Some(Duration::from_secs(1)), "{squeeze:?}");
    }
    server.script.let_through(5);
    assert_eq!(held.join_all().await, [200; 4]);
    server.settles(Protocol::HttpProtobuf, Outcome::Accepted, 4).await;
    server.settles(Protocol::HttpProtobuf, Outcome::Unavailable, 1).await;
    server.settles(Protocol::Grpc, Outcome::Unavailable, 2).await;
    assert!(export(&server, Squeeze::Zstd, body(60)).await.is_ok());
}

#[tokio::test]
async fn a_body_that_does_not_come_is_asked_for_again_later() {
    let settings = ReceiveSettings { body_timeout: Duration::from_millis(50), ..settings() };
    let server = Server::start_with(Script::answering(Answer::accepted()), settings).await;
    let mut socket = TcpStream::connect(server.addresses.http).await.unwrap();
    let head = "POST /v1/metrics HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    socket.write_all(head.as_bytes()).await.unwrap();
    let answer = read_to_end(&mut socket).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("retry-after: 1\r\n") && answer.contains("the body did not come within 50ms"), "{answer}");
    server.settles(Protocol::HttpJson, Outcome::Unavailable, 1).await;
    assert_eq!(post_to(server.addresses.http, &[PROTOBUF], protobuf()).await.status, 200);
}
