//! The end that connects: a part to the workers of its set.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::Service;

use crate::accept::{Acceptor, Connection};
use crate::identity::Identity;

/// Whether parts insist on TLS.
///
/// Parts that run without it get it in two steps: all with `Preferred` first, one after the other, then all with `Required`. In each of
/// the mixtures on the way everybody reaches everybody. The way back is the same.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Mode {
    /// Nothing goes without.
    #[default]
    Required,
    /// TLS with those that can, plain with those that can not. Whoever can change what is sent can prevent TLS.
    Preferred,
}

/// How parts of one set reach each other: by default without TLS. Clones share certificates.
#[derive(Clone, Debug, Default)]
pub struct PeerTls(Option<Arc<Terms>>);

#[derive(Debug)]
struct Terms {
    identity: Identity,
    workers: ServerName<'static>,
    mode: Mode,
}

/// Whether both reach the same workers in the same way, whatever certificates there are just now.
impl PartialEq for PeerTls {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(ours), Some(theirs)) => ours.workers == theirs.workers && ours.mode == theirs.mode,
            _ => false,
        }
    }
}

impl PeerTls {
    pub(crate) fn new(identity: Identity, workers: ServerName<'static>, mode: Mode) -> Self {
        Self(Some(Arc::new(Terms { identity, workers, mode })))
    }

    /// How a worker takes connections of them.
    pub fn acceptor(&self) -> Acceptor {
        self.0.as_ref().map_or_else(Acceptor::default, |terms| {
            Acceptor::of_peers(terms.identity.clone(), terms.mode == Mode::Preferred)
        })
    }

    /// A connection that is made when it is needed, and made again when it breaks.
    pub fn connect_lazy(&self, endpoint: &Endpoint) -> Channel {
        match &self.0 {
            None => endpoint.connect_lazy(),
            Some(terms) => endpoint.connect_with_connector_lazy(Connector(Arc::clone(terms))),
        }
    }

    /// A connection that is there.
    ///
    /// # Errors
    ///
    /// Nobody is there, or nobody who can show that it is a worker of the set.
    pub async fn connect(&self, endpoint: &Endpoint) -> Result<Channel, tonic::transport::Error> {
        match &self.0 {
            None => endpoint.connect().await,
            Some(terms) => endpoint.connect_with_connector(Connector(Arc::clone(terms))).await,
        }
    }
}

/// What tonic makes connections with.
#[derive(Clone)]
struct Connector(Arc<Terms>);

impl Service<Uri> for Connector {
    type Response = TokioIo<Connection>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Connection>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let terms = Arc::clone(&self.0);
        Box::pin(async move { Ok(TokioIo::new(terms.connect(&uri).await?)) })
    }
}

impl Terms {
    async fn connect(&self, uri: &Uri) -> io::Result<Connection> {
        let connector = TlsConnector::from(self.identity.client());
        match connector.connect(self.workers.clone(), tcp(uri).await?).await {
            Ok(stream) => Ok(Connection::Tls(Box::new(stream.into()))),
            Err(error) if self.mode == Mode::Preferred && speaks_no_tls(&error) => {
                tracing::debug!(%uri, %error, "a peer without TLS is talked to as it is");
                Ok(Connection::Plain(tcp(uri).await?))
            }
            Err(error) => Err(error),
        }
    }
}

async fn tcp(uri: &Uri) -> io::Result<TcpStream> {
    let address = uri.authority().ok_or(io::ErrorKind::InvalidInput)?;
    let stream = TcpStream::connect(address.as_str()).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Whether the other party took a handshake for garbage, or answered with it: not one that speaks TLS and shows a wrong certificate, or
/// refuses ours.
fn speaks_no_tls(error: &io::Error) -> bool {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(error) => matches!(error, rustls::Error::InvalidMessage(_)),
        None => matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use shardset_process::Tasks;
    use shardset_process::logging::chain;
    use tokio::net::TcpListener;
    use tonic::transport::{Endpoint, Server};
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;

    use super::{Connection, Mode, PeerTls};
    use crate::fixtures::Authority;
    use crate::identity::Identity;
    use crate::metrics::Metrics;

    const WORKERS: &str = "demo-worker.metrics.svc";
    const FIRST_OF_2100: i64 = 4_102_444_800;

    fn identity(authority: &Authority, place: &str, name: &str) -> Identity {
        Identity::load(authority.files(place, name), &Tasks::default(), Metrics::default()).unwrap()
    }

    fn peers(authority: &Authority, mode: Mode) -> PeerTls {
        identity(authority, "part", WORKERS).to(WORKERS, mode).unwrap()
    }

    /// A worker's server. Where it is.
    async fn serve(tls: &PeerTls) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (_, health) = tonic_health::server::health_reporter();
        let server = Server::builder().add_service(health);
        #[expect(clippy::disallowed_methods, reason = "a server that ends with its test")]
        tokio::spawn(server.serve_with_incoming(tls.acceptor().incoming(listener)));
        address
    }

    /// How a request reaches the server there, or why not.
    async fn way(from: &PeerTls, address: &str) -> Result<&'static str, String> {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let channel = from.connect(&endpoint).await.map_err(|error| chain(&error))?;
        let asked = HealthClient::new(channel).check(HealthCheckRequest::default()).await;
        asked.map_err(|status| chain(&status))?;
        let Some(terms) = &from.0 else { return Ok("plain") };
        match terms.connect(endpoint.uri()).await {
            Ok(Connection::Plain(_)) => Ok("plain"),
            Ok(Connection::Tls(_)) => Ok("TLS"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[tokio::test]
    async fn parts_reach_each_other_in_every_mixture_on_the_way_to_tls() {
        let authority = Authority::new();
        let [plain, preferred, required] =
            [PeerTls::default(), peers(&authority, Mode::Preferred), peers(&authority, Mode::Required)];
        // From, to, how.
        let ways = [
            (&plain, &plain, Some("plain")),
            (&plain, &preferred, Some("plain")),
            (&preferred, &plain, Some("plain")),
            (&preferred, &preferred, Some("TLS")),
            (&preferred, &required, Some("TLS")),
            (&required, &preferred, Some("TLS")),
            (&required, &required, Some("TLS")),
            (&plain, &required, None),
            (&required, &plain, None),
        ];
        for (row, (from, to, expected)) in ways.into_iter().enumerate() {
            let found = way(from, &serve(to).await).await;
            assert_eq!(found.as_ref().ok().copied(), expected, "row {row}: {found:?}");
        }
    }

    #[tokio::test]
    async fn a_peer_of_another_authority_or_name_is_refused_in_both_modes() {
        let (ours, other) = (Authority::new(), Authority::new());
        for mode in [Mode::Required, Mode::Preferred] {
            let us = peers(&ours, mode);
            let strangers = identity(&other, "stranger", WORKERS).to(WORKERS, mode).unwrap();
            let namesakes = identity(&ours, "other-set", "other-worker.metrics.svc").to(WORKERS, mode).unwrap();
            let [our_address, strange_address, other_address] =
                [serve(&us).await, serve(&strangers).await, serve(&namesakes).await];
            assert_eq!(way(&us, &our_address).await, Ok("TLS"));
            for address in [strange_address, other_address] {
                let refused = way(&us, &address).await.unwrap_err();
                assert!(refused.contains("invalid peer certificate"), "{refused}");
            }
            assert!(way(&strangers, &our_address).await.is_err(), "the worker takes nobody of another authority");
            assert_eq!(way(&namesakes, &our_address).await, Ok("TLS"), "who connects needs no name");
        }
    }

    #[test]
    fn a_part_that_would_check_nobody_is_none() {
        let authority = Authority::new();
        let files = crate::Files { authority: None, ..authority.files("part", WORKERS) };
        assert!(matches!(
            Identity::load(files, &Tasks::default(), Metrics::default()),
            Err(crate::TlsError::NoAuthority)
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_certificate_is_shown_without_a_restart_and_a_broken_one_never() {
        let (old, new) = (Authority::new().for_years(2020..2100), Authority::new().for_years(2020..2101));
        let files = old.files("worker", WORKERS);
        let metrics = Metrics::default();
        let worker = Identity::load(files.clone(), &Tasks::default(), metrics.clone()).unwrap();
        let worker = worker.to(WORKERS, Mode::Required).unwrap();
        let address = serve(&worker).await;
        let [of_old, of_new] = [peers(&old, Mode::Required), peers(&new, Mode::Required)];
        assert_eq!(way(&of_old, &address).await, Ok("TLS"));
        assert!(way(&of_new, &address).await.is_err());

        let replacement = new.files("worker", WORKERS);
        std::fs::copy(&replacement.certificate, &files.certificate).unwrap();
        wait().await;
        assert_eq!(way(&of_old, &address).await, Ok("TLS"), "half of a pair is passed over");
        assert_eq!(metrics.not_after("peers"), FIRST_OF_2100);
        std::fs::copy(&replacement.private_key, &files.private_key).unwrap();
        std::fs::copy(replacement.authority.unwrap(), files.authority.unwrap()).unwrap();
        wait().await;
        assert_eq!(way(&of_new, &address).await, Ok("TLS"));
        assert_eq!(metrics.not_after("peers"), FIRST_OF_2100 + 365 * 24 * 60 * 60);
        assert!(way(&of_old, &address).await.is_err());
    }

    /// Until files were read again; reading is done by a thread whose time is not paused.
    async fn wait() {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(11)).await;
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
