//! As much of an HTTP client as the admin server needs: one request a connection, the answer whole.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Context as _;

/// A server that does not answer within this does not answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The body that is at `path`.
///
/// # Errors
///
/// There is no answer, or another status than 200.
pub(crate) fn get(address: &str, path: &str) -> anyhow::Result<String> {
    ask(address, &format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"))
}

/// The answer to a body of JSON.
///
/// # Errors
///
/// As of [`get`].
pub(crate) fn post(address: &str, path: &str, json: &str) -> anyhow::Result<String> {
    let length = json.len();
    ask(
        address,
        &format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{json}"
        ),
    )
}

fn ask(address: &str, request: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8(answer).context("an answer that is no text")?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer without an end of its head")?;
    let status = head.lines().next().unwrap_or_default();
    anyhow::ensure!(status.contains(" 200 "), "{status}: {body}");
    Ok(body.to_owned())
}
