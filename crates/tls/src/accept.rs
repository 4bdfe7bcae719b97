//! The end that is connected to.

use std::future::ready;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use shardset_process::Tasks;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsStream};
use tonic::transport::server::{Connected, TcpConnectInfo, TcpIncoming};

use crate::files::{Contents, Files, TlsError, provider};
use crate::identity::Identity;
use crate::metrics::Metrics;
use crate::reload::{Current, reloaded};

/// A handshake is two round trips.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes at a time; more connections wait in the system's queue.
const HANDSHAKES_MAX: usize = 256;
/// The first byte of every TLS connection: a record of the handshake (RFC 8446, 5.1).
const HANDSHAKE_RECORD: u8 = 22;

/// Takes connections with TLS, or as they are.
#[derive(Clone, Debug, Default)]
pub struct Acceptor(Option<Terms>);

#[derive(Clone, Debug)]
struct Terms {
    by: By,
    /// Whether connections without TLS are taken too.
    plain_too: bool,
}

#[derive(Clone, Debug)]
enum By {
    Senders(Current<ServerConfig>),
    Peers(Identity),
}

/// A connection, whether it has TLS or not.
#[derive(Debug)]
pub enum Connection {
    /// Without.
    Plain(TcpStream),
    /// With. Larger by a kilobyte.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Acceptor {
    /// Takes connections of senders with the certificate in `files`. Senders must have certificates themselves where `files` name
    /// an authority. `tasks` reads the files again; `metrics` shows when the certificate holds.
    ///
    /// # Errors
    ///
    /// The files can not be used.
    pub fn of_senders(files: Files, tasks: &Tasks, metrics: Metrics) -> Result<Self, TlsError> {
        let config = reloaded(files, tasks, move |files, contents| {
            let config = server(files, contents, &[b"h2", b"http/1.1"])?;
            metrics.show("receive", &files.certificates(contents)?);
            Ok(config)
        })?;
        Ok(Self(Some(Terms { by: By::Senders(config), plain_too: false })))
    }

    pub(crate) const fn of_peers(identity: Identity, plain_too: bool) -> Self {
        Self(Some(Terms { by: By::Peers(identity), plain_too }))
    }

    /// Does the handshake, where there is one to do.
    ///
    /// # Errors
    ///
    /// The other party does not speak TLS, has no certificate that is good enough, is too slow, or is gone.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<Connection> {
        let Some(Terms { by, plain_too }) = &self.0 else { return Ok(Connection::Plain(stream)) };
        let acceptor = TlsAcceptor::from(by.now());
        let shaken = async {
            if *plain_too && !begins_with_tls(&stream).await? {
                return Ok(Connection::Plain(stream));
            }
            Ok(Connection::Tls(Box::new(acceptor.accept(stream).await?.into())))
        };
        timeout(HANDSHAKE, shaken).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Acceptor {
    /// Connections that are ready to be served. Handshakes do not wait for each other, and those that fail are left out.
    pub fn incoming(self, listener: TcpListener) -> impl Stream<Item = io::Result<Connection>> {
        let accepted = TcpIncoming::from(listener).with_nodelay(Some(true)).map(move |accepted| {
            let acceptor = self.clone();
            async move {
                let shaken = acceptor.accept(accepted?).await;
                shaken
                    .inspect_err(|error| tracing::debug!(%error, "a TLS handshake failed"))
                    .map_or(Ok(None), |ok| Ok(Some(ok)))
            }
        });
        accepted.buffer_unordered(HANDSHAKES_MAX).filter_map(|shaken: io::Result<_>| ready(shaken.transpose()))
    }
}

impl By {
    fn now(&self) -> Arc<ServerConfig> {
        match self {
            Self::Senders(config) => config.borrow().clone(),
            Self::Peers(identity) => identity.server(),
        }
    }
}

async fn begins_with_tls(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    let read = stream.peek(&mut first).await?;
    Ok(read > 0 && first[0] == HANDSHAKE_RECORD)
}

/// TLS 1.2 and 1.3, which is what OTLP's SDKs speak.
pub(crate) fn server(files: &Files, contents: &Contents, protocols: &[&[u8]]) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|source| files.unusable(source))?;
    let builder = match files.authorities(contents)? {
        None => builder.with_no_client_auth(),
        Some(authorities) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(authorities, provider()).build();
            let path = files.authority.clone().unwrap_or_default();
            builder.with_client_cert_verifier(
                verifier.map_err(|source| TlsError::Authority { path, reason: source.to_string() })?,
            )
        }
    };
    let mut config = builder
        .with_single_cert(files.certificates(contents)?, files.private_key(contents)?)
        .map_err(|source| files.unusable(source))?;
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(config)
}

impl Connection {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.tcp().connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, into),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, RootCertStore};
    use shardset_process::Tasks;
    use tokio::net::TcpStream;
    use tokio_rustls::TlsConnector;

    use super::Acceptor;
    use crate::files::{Files, provider};
    use crate::fixtures::{Authority, echo, talks};
    use crate::metrics::Metrics;

    const NAME: &str = "metrics.example";

    /// A sender that knows the authority, with a certificate or without one.
    async fn send(files: &Files, has_certificate: bool, address: &str) -> Result<Option<Vec<u8>>, String> {
        let contents = files.read().unwrap();
        let roots: Arc<RootCertStore> = files.authorities(&contents).unwrap().unwrap();
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let mut config = if has_certificate {
            let (chain, key) = (files.certificates(&contents).unwrap(), files.private_key(&contents).unwrap());
            builder.with_client_auth_cert(chain, key).unwrap()
        } else {
            builder.with_no_client_auth()
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from(NAME).unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|e| e.to_string())?;
        let protocol = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        talks(stream).await.map_err(|error| error.to_string())?;
        Ok(protocol)
    }

    #[tokio::test]
    async fn senders_need_a_certificate_where_an_authority_is_named() {
        let authority = Authority::new();
        let files = authority.files("gateway", NAME);
        let open = Files { authority: None, ..files.clone() };
        let address = echo(Acceptor::of_senders(open, &Tasks::default(), Metrics::default()).unwrap()).await;
        assert_eq!(send(&files, false, &address).await, Ok(Some(b"h2".to_vec())));

        let address = echo(Acceptor::of_senders(files.clone(), &Tasks::default(), Metrics::default()).unwrap()).await;
        assert!(send(&files, false, &address).await.is_err());
        assert_eq!(send(&authority.files("sender", "whoever"), true, &address).await, Ok(Some(b"h2".to_vec())));
        assert!(send(&Authority::new().files("stranger", "whoever"), true, &address).await.is_err());
    }

    #[tokio::test]
    async fn a_sender_without_tls_is_let_go() {
        let authority = Authority::new();
        let files = Files { authority: None, ..authority.files("gateway", NAME) };
        let address = echo(Acceptor::of_senders(files, &Tasks::default(), Metrics::default()).unwrap()).await;
        talks(TcpStream::connect(address).await.unwrap()).await.unwrap_err();
    }
}
