//! Certificates as files, and two ends that talk.

use std::io;
use std::ops::Range;

use shardset_e2e::certificates;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::accept::Acceptor;
use crate::files::Files;

pub(crate) struct Authority {
    authority: certificates::Authority,
    folder: TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self { authority: certificates::Authority::new().unwrap(), folder: TempDir::new().unwrap() }
    }

    /// What it issues holds in these years only.
    pub(crate) fn for_years(self, years: Range<i32>) -> Self {
        Self { authority: self.authority.for_years(years), ..self }
    }

    /// Files with a certificate that bears `name`, and this authority. Under one `place` they are replaced.
    pub(crate) fn files(&self, place: &str, name: &str) -> Files {
        let files = self.authority.issue_files(self.folder.path(), place, &[name]).unwrap();
        Files { certificate: files.certificate, private_key: files.private_key, authority: Some(files.authority) }
    }
}

/// Listens and gives back what it is sent, over as many connections as come. Its address.
pub(crate) async fn echo(acceptor: Acceptor) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    #[expect(clippy::disallowed_methods, reason = "a server that ends with its test")]
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(stream) = acceptor.accept(stream).await {
                let (mut read, mut write) = tokio::io::split(stream);
                let _broken_off = tokio::io::copy(&mut read, &mut write).await;
            }
        }
    });
    address
}

/// Sends a word over `stream` and reads it back: whether both ends can talk.
pub(crate) async fn talks(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin) -> io::Result<()> {
    stream.write_all(b"a word").await?;
    let mut word = [0; 6];
    stream.read_exact(&mut word).await?;
    if &word == b"a word" { Ok(()) } else { Err(io::Error::other(format!("another word: {word:?}"))) }
}
