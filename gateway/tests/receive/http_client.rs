//! An HTTP client that sends exactly what a test says: hyper for requests that are whole, a bare socket for the others.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::scripted::PATIENCE;

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// `POST /v1/metrics` with these headers.
pub(crate) fn post(headers: &[(&str, &str)], body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let mut request = Request::post("/v1/metrics").header("host", "gateway");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(body.into())).unwrap()
}

/// Sends one request over a connection of its own.
pub(crate) async fn send(to: SocketAddr, version: Version, request: Request<Full<Bytes>>) -> Reply {
    let io = TokioIo::new(TcpStream::connect(to).await.unwrap());
    let mut connection = JoinSet::new();
    let response = if version == Version::HTTP_2 {
        let (mut sender, driver) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        connection.spawn(async move { drop(driver.await) });
        let (mut head, body) = request.into_parts();
        head.uri = format!("http://gateway{}", head.uri).parse().unwrap();
        head.headers.remove("host");
        timeout(PATIENCE, sender.send_request(Request::from_parts(head, body))).await.unwrap().unwrap()
    } else {
        let (mut sender, driver) = http1::handshake(io).await.unwrap();
        connection.spawn(async move { drop(driver.await) });
        timeout(PATIENCE, sender.send_request(request)).await.unwrap().unwrap()
    };
    whole(response).await
}

pub(crate) async fn post_to(to: SocketAddr, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
    send(to, Version::HTTP_11, post(headers, body)).await
}

async fn whole(response: Response<hyper::body::Incoming>) -> Reply {
    let (head, body) = response.into_parts();
    let body = timeout(PATIENCE, body.collect()).await.unwrap().unwrap().to_bytes();
    Reply { status: head.status, headers: head.headers, body }
}

/// Writes these bytes and reads until the server closes.
pub(crate) async fn raw(to: SocketAddr, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(to).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    read_to_end(&mut socket).await
}

pub(crate) async fn read_to_end(socket: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset after the answer is how a server that did not read everything closes.
    let _ended = timeout(PATIENCE, socket.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
