//! What stands between two parts: carries bytes over TCP, and can be slow, refusing, silent, away, or lose answers.
//!
//! It knows of HTTP only as much as it takes to refuse a request. A change of the mode breaks all connections, as a restart of a
//! real proxy does. Of several servers behind it each connection takes the next one that accepts.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, copy_bidirectional, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::fault::Mode;

const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
/// Enough for the head of a request.
const HEAD_BYTES: usize = 16 << 10;
/// While a way is slow, so much goes over it at a time, and so long apart: 160 KiB a second.
const SLOW_BYTES: usize = 16 << 10;
const SLOW_PAUSE: Duration = Duration::from_millis(100);
/// How long a client whose answers are lost waits for one before its connection breaks: enough to act on what it sent.
const UNANSWERED: Duration = Duration::from_millis(300);

/// A way that faults befall.
pub(crate) struct Proxy {
    /// Where it is reached.
    pub(crate) address: SocketAddr,
    mode: watch::Sender<Mode>,
    _serving: JoinSet<()>,
}

impl Proxy {
    /// Carries to one of `servers`.
    pub(crate) async fn start(servers: Vec<SocketAddr>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (mode, current) = watch::channel(Mode::Open);
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, servers.into(), current));
        Ok(Self { address, mode, _serving: serving })
    }

    /// Is so from now on; all connections break.
    pub(crate) fn turn(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

async fn serve(listener: TcpListener, servers: Arc<[SocketAddr]>, mode: watch::Receiver<Mode>) {
    let mut connections = JoinSet::new();
    for nth in 0.. {
        let accepted = loop {
            tokio::select! {
                accepted = listener.accept() => break accepted,
                Some(_) = connections.join_next() => {}
            }
        };
        // A client that is gone before it was accepted is no fault of ours.
        let Ok((client, _)) = accepted else { continue };
        let (servers, mut mode) = (Arc::clone(&servers), mode.clone());
        let now = *mode.borrow_and_update();
        connections.spawn(async move {
            tokio::select! {
                _carried = carry(client, &servers, nth, now) => {}
                _changed = mode.changed() => {}
            }
        });
    }
}

async fn carry(mut client: TcpStream, servers: &[SocketAddr], nth: usize, mode: Mode) -> io::Result<()> {
    client.set_nodelay(true)?;
    match mode {
        Mode::Down => return Ok(()),
        Mode::Silent => std::future::pending().await,
        Mode::Refuses => {
            let _head = client.read(&mut [0; HEAD_BYTES]).await?;
            client.write_all(REFUSAL).await?;
            return client.shutdown().await;
        }
        Mode::Open | Mode::Slow | Mode::LosesAnswers => {}
    }
    let mut server = connect(servers, nth).await?;
    server.set_nodelay(true)?;
    if mode == Mode::Open {
        return copy_bidirectional(&mut client, &mut server).await.map(drop);
    }
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    if mode == Mode::Slow {
        let there = crawl(&mut from_client, &mut to_server);
        let back = copy(&mut from_server, &mut to_client);
        return tokio::try_join!(there, back).map(drop);
    }
    let mut nowhere = sink();
    tokio::select! {
        there = copy(&mut from_client, &mut to_server) => there.map(drop),
        back = copy(&mut from_server, &mut nowhere) => back.map(drop),
        () = sleep(UNANSWERED) => Ok(()),
    }
}

async fn crawl(from: &mut (impl AsyncReadExt + Unpin), to: &mut (impl AsyncWriteExt + Unpin)) -> io::Result<()> {
    let mut bytes = [0; SLOW_BYTES];
    loop {
        let read = from.read(&mut bytes).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        sleep(SLOW_PAUSE).await;
        to.write_all(&bytes[..read]).await?;
    }
}

/// The next server that accepts.
async fn connect(servers: &[SocketAddr], nth: usize) -> io::Result<TcpStream> {
    let mut last = io::ErrorKind::NotFound.into();
    for turn in 0..servers.len() {
        match TcpStream::connect(servers[(nth + turn) % servers.len()]).await {
            Ok(server) => return Ok(server),
            Err(error) => last = error,
        }
    }
    Err(last)
}
