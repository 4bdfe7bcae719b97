//! Bodies: how they may come, and what becomes of broken ones.

use bytes::{BufMut, Bytes, BytesMut};
use http::{Request, Version};
use http_body_util::Full;
use shardset_gateway::receive::{Answer, Outcome, Protocol};
use shardset_wire::metrics_service::EXPORT_PATH;

use crate::http_client::{Reply, post_to, raw, send};
use crate::scripted::{Script, Server, Squeeze, json, protobuf};

fn head(framing: &str) -> Vec<u8> {
    format!(
        "POST /v1/metrics HTTP/1.1\r\nhost: g\r\nconnection: close\r\ncontent-type: application/json\r\n{framing}\r\n\r\n"
    )
    .into_bytes()
}

#[tokio::test]
async fn chunked_bodies_are_taken_whatever_the_chunks() {
    let server = Server::start(Script::answering(Answer::accepted())).await;
    for size in [1, 7, 100_000] {
        for squeeze in Squeeze::ALL {
            let encoding = squeeze.header().unwrap_or("identity");
            let mut bytes = head(&format!("content-encoding: {encoding}\r\ntransfer-encoding: chunked"));
            for chunk in squeeze.apply(&json()).chunks(size) {
                bytes.extend(format!("{:x};ext=1\r\n", chunk.len()).into_bytes());
                bytes.extend(chunk);
                bytes.extend(b"\r\n");
            }
            bytes.extend(b"0\r\ntrailer: 1\r\n\r\n");
            let answer = raw(server.addresses.http, &bytes).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{size} {squeeze:?}: {answer}");
        }
    }
    let taken = server.script.taken();
    assert_eq!(taken.len(), 12);
    assert!(taken.iter().all(|(_, body)| *body == protobuf()));
}

#[tokio::test]
async fn several_requests_go_over_one_connection_pipelined() {
    let server = Server::start(Script::answering(Answer::accepted())).await;
    let one = format!(
        "POST /v1/metrics HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        json().len()
    );
    let mut last = head(&format!("content-length: {}", json().len()));
    last.extend(json());
    let bytes = [one.as_bytes(), &json(), one.as_bytes(), &json(), &last].concat();
    let answer = raw(server.addresses.http, &bytes).await;
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 3, "{answer}");
}

#[tokio::test]
async fn broken_bodies_are_bad_requests_that_say_what_is_broken() {
    let server = Server::start(Script::answering(Answer::accepted())).await;
    let cut = |squeeze: Squeeze| squeeze.apply(&json()).slice(..20);
    let garbage = || Bytes::from_static(b"neither this nor that, but long enough for a header");
    let table = [
        (None, Bytes::from_static(b"{\"resourceMetrics\":["), "broken JSON: EOF while parsing"),
        (None, Bytes::from_static(b""), "broken JSON: EOF while parsing"),
        (
            None,
            Bytes::from_static(b"{\"resourceMetrics\":7}"),
            "resourceMetrics is a number, not an array (line 1 column",
        ),
        (Some("gzip"), garbage(), "broken Gzip data: "),
        (Some("gzip"), cut(Squeeze::Gzip), "broken Gzip data: "),
        (Some("deflate"), garbage(), "broken Deflate data: "),
        (Some("deflate"), cut(Squeeze::Deflate), "broken Deflate data: "),
        (Some("zstd"), garbage(), "broken Zstd data: "),
        (Some("zstd"), cut(Squeeze::Zstd), "broken Zstd data: "),
    ];
    let cases = table.len() as u64;
    for (encoding, body, message) in table {
        let encoding = encoding.map(|name| ("content-encoding", name));
        let headers: Vec<_> = [("content-type", "application/json")].into_iter().chain(encoding).collect();
        let reply = post_to(server.addresses.http, &headers, body).await;
        let said = reply.json();
        assert_eq!((reply.status.as_u16(), &said["code"]), (400, &serde_json::json!(3)), "{encoding:?} {said}");
        assert!(said["message"].as_str().unwrap().starts_with(message), "{encoding:?} {said}");
    }
    server.settles(Protocol::HttpJson, Outcome::Malformed, cases).await;
    assert!(server.script.taken().is_empty());
}

/// A gRPC message by hand: its flag, the length it claims, and bytes.
async fn message(server: &Server, encoding: &str, flag: u8, length: u32, bytes: &[u8]) -> Reply {
    let mut body = BytesMut::new();
    body.put_u8(flag);
    body.put_u32(length);
    body.put_slice(bytes);
    let request = Request::post(EXPORT_PATH)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-encoding", encoding)
        .body(Full::new(body.freeze()))
        .unwrap();
    send(server.addresses.grpc, Version::HTTP_2, request).await
}

#[tokio::test]
async fn broken_grpc_messages_are_errors_that_clients_do_not_retry() {
    let server = Server::start(Script::answering(Answer::accepted())).await;
    let unimplemented = "12";
    let internal = "13";
    for (encoding, flag, length, bytes, code) in [
        ("gzip", 1, 12, &b"no gzip here"[..], internal),
        ("deflate", 1, 12, b"no zlib here", internal),
        ("zstd", 1, 12, b"no zstd here", internal),
        ("identity", 1, 3, b"abc", internal),
        ("identity", 7, 3, b"abc", internal),
        ("identity", 0, 30, b"ends too early", internal),
        ("snappy", 1, 3, b"abc", unimplemented),
    ] {
        let reply = message(&server, encoding, flag, length, bytes).await;
        assert_eq!(reply.header("grpc-status"), Some(code), "{encoding} {flag} {length}");
    }
    server.settles(Protocol::Grpc, Outcome::Malformed, 6).await;
    server.settles(Protocol::Grpc, Outcome::NotServed, 1).await;
    assert!(server.script.taken().is_empty());
}
