//! Accepts connections, keeps them by the settings, and lets them go.
//!
//! One loop for both ports. A connection goes when it is silent from the beginning, when it is old, or when the server
//! stops; each time by HTTP's own ways (GOAWAY, `Connection: close`), so that requests under way get their answers.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use prometheus_client::metrics::gauge::Gauge;
use shardset_tls::Acceptor;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::codegen::StdError;

use super::ConnectionSettings;
use super::metrics::{ProtocolLabel, ReceiveMetrics};

/// What a port does with a request.
pub(super) trait Serve: Clone + Send + Sync + 'static {
    /// The body of its responses.
    type Body: HttpBody<Data = Bytes, Error: Into<StdError>> + Send + 'static;
    /// What the port counts as.
    const LABEL: ProtocolLabel;

    fn serve(&self, request: http::Request<Incoming>) -> impl Future<Output = http::Response<Self::Body>> + Send;
}

/// Which versions of HTTP a port speaks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Versions {
    Both,
    Http2Only,
}

/// How long to wait when the system gives no more sockets; accepting again at once would only burn a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// One port.
#[derive(Debug)]
pub(super) struct Port<S> {
    pub(super) listener: TcpListener,
    pub(super) tls: Acceptor,
    pub(super) service: S,
    pub(super) versions: Versions,
    pub(super) settings: ConnectionSettings,
    pub(super) metrics: ReceiveMetrics,
}

impl<S: Serve> Port<S> {
    /// Serves until `stop`, then until all requests have their answers or the grace is over.
    pub(super) async fn serve(self, stop: CancellationToken) {
        let builder = Arc::new(self.settings.builder(self.versions));
        let open = self.metrics.connections(S::LABEL);
        let mut connections = JoinSet::new();
        for number in 0_u64.. {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = connections.join_next() => { report(ended); continue }
                accepted = self.accept() => accepted,
            };
            let Some(stream) = accepted else { continue };
            if connections.len() >= self.settings.connections_max {
                self.metrics.connection_refused(S::LABEL);
                continue;
            }
            let attended = self.connection(&builder).attend(stream, self.settings.age_of(number), stop.clone());
            connections.spawn(Counted::new(open.clone()).during(attended));
        }
        drop(self.listener);
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    }

    async fn accept(&self) -> Option<TcpStream> {
        match self.listener.accept().await {
            Ok((stream, _)) => Some(stream),
            Err(error) => {
                tracing::warn!(%error, "no connection could be accepted");
                sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }

    fn connection(&self, builder: &Arc<auto::Builder<TokioExecutor>>) -> Connection<S> {
        Connection {
            builder: Arc::clone(builder),
            tls: self.tls.clone(),
            service: self.service.clone(),
            settings: self.settings.clone(),
            metrics: self.metrics.clone(),
        }
    }
}

/// An open connection in the gauge, however it ends.
struct Counted(Gauge);

impl Counted {
    fn new(open: Gauge) -> Self {
        open.inc();
        Self(open)
    }

    async fn during(self, work: impl Future<Output = ()>) {
        work.await;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection's task failed; its client sees no answer and sends again");
    }
}

struct Connection<S> {
    builder: Arc<auto::Builder<TokioExecutor>>,
    tls: Acceptor,
    service: S,
    settings: ConnectionSettings,
    metrics: ReceiveMetrics,
}

impl<S: Serve> Connection<S> {
    /// Serves until the peer ends it, or until one of the rules does.
    async fn attend(self, stream: TcpStream, age: Duration, stop: CancellationToken) {
        // Answers are small and a client waits for each: nothing is gained by waiting for more to send.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "the connection was gone before it was served");
            return;
        }
        let Self { builder, tls, service, settings, metrics } = self;
        let stream = match tls.accept(stream).await {
            Ok(stream) => stream,
            Err(error) => {
                metrics.handshake_failed(S::LABEL);
                tracing::debug!(%error, "a connection was let go: its TLS handshake failed");
                return;
            }
        };
        let used = AtomicBool::new(false);
        let answer = |request| {
            used.store(true, Ordering::Relaxed);
            let service = service.clone();
            async move { Ok::<_, Infallible>(service.serve(request).await) }
        };
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service_fn(answer)));
        let still_open = tokio::select! {
            ended = connection.as_mut() => Err(ended),
            // Nothing is under way, so the goodbye is said and not waited for.
            () = stays_silent(&used, settings.first_request_timeout) => Ok(Duration::ZERO),
            () = sleep(age) => Ok(settings.grace),
            () = stop.cancelled() => Ok(settings.grace),
        };
        let ended = match still_open {
            Err(ended) => ended,
            Ok(grace) => {
                connection.as_mut().graceful_shutdown();
                timeout(grace, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(error, "a connection broke off");
        }
    }
}

/// Comes back after `patience` if no request has come by then, and never otherwise.
async fn stays_silent(used: &AtomicBool, patience: Duration) {
    sleep(patience).await;
    if used.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

impl ConnectionSettings {
    fn builder(&self, versions: Versions) -> auto::Builder<TokioExecutor> {
        let mut builder = match versions {
            Versions::Both => auto::Builder::new(TokioExecutor::new()),
            Versions::Http2Only => auto::Builder::new(TokioExecutor::new()).http2_only(),
        };
        let frame = usize::try_from(self.frame_bytes).expect("32 bits fit usize");
        builder.http1().timer(TokioTimer::new()).header_read_timeout(self.idle_timeout).max_buf_size(frame);
        builder
            .http2()
            .timer(TokioTimer::new())
            .adaptive_window(false)
            .initial_stream_window_size(self.stream_window)
            .initial_connection_window_size(self.connection_window)
            .max_concurrent_streams(self.streams_max)
            .max_frame_size(self.frame_bytes)
            .max_header_list_size(self.header_bytes)
            .keep_alive_interval(self.keepalive_interval)
            .keep_alive_timeout(self.keepalive_timeout);
        builder
    }

    /// The age of the n-th connection: `age_max` spread evenly over a tenth either way.
    fn age_of(&self, number: u64) -> Duration {
        // Multiples of the golden ratio are the most evenly spread sequence there is, and need no random source.
        let golden = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let spread = golden as f64 / f64::from(u32::MAX);
        self.age_max.mul_f64(0.9 + 0.2 * spread)
    }
}

#[cfg(test)]
mod tests {
    use super::ConnectionSettings;

    #[test]
    fn ages_are_spread_over_a_tenth_either_way() {
        let settings = ConnectionSettings::default();
        let shares = (0..1000).map(|n| settings.age_of(n).as_secs_f64() / settings.age_max.as_secs_f64());
        let mut tenths = [0; 10];
        for share in shares {
            assert!((0.9..=1.1).contains(&share), "{share}");
            tenths[(((share - 0.9) * 50.0) as usize).min(9)] += 1;
        }
        assert!(tenths.iter().all(|n| (95..=105).contains(n)), "{tenths:?}");
    }
}
