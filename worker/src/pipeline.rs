//! A worker, end to end: admit -> accumulate -> persist -> export.
//!
//! ```text
//! gateway ──gRPC──▶ admit ──▶ mailbox ──▶ the shard's thread: accumulate ─▶ persist ─▶ answers
//!                                │                 │
//!                        sweep, scrape, stop       ├── pieces of passes ──▶ one exporter per destination
//! coordinator ─▶ control ────────┤                 └── streams that move ──▶ other workers
//! other workers ─▶ handoff ──────┘
//! ```
//!
//! Everything that changes belongs to the shard's one thread, so nothing is locked per point and nothing is half done
//! between two events. The rest are tasks that ask it.
//!
//! At a stop, the order is the street's: no more requests, one last pass to every destination, then the state is kept.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use shardset_journal::{CommitError, Opening, Storage};
use shardset_model::ShardIndex;
use shardset_process::{Condition, Readiness, Tasks};
use shardset_wire::{ControlServer, HandoffServer};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::InterceptorLayer;
use tonic::transport::Server;

use crate::addressed::Door;
use crate::admit::{self, MISADDRESSED};
use crate::export::{ExportTo, Exporter, StopExport};
use crate::handoff::{Handle, Peers, Sender};
use crate::metrics::{Metrics, ShardMetrics};
use crate::persist::Committer;
use crate::settings::Settings;
use crate::shard::{Event, Mailbox, RecoverError, Shard};

/// HTTP/2 windows of the hop. The default of 64 KiB costs half as much again on large requests; the connection's window
/// bounds what a gateway may have on the way before it is weighed.
const STREAM_WINDOW_BYTES: u32 = 8 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 32 << 20;
/// A gateway keeps few requests in flight per worker; more than this is no gateway.
const STREAMS_PER_CONNECTION_MAX: u32 = 256;
/// A gateway that vanished without a word is noticed after the sum of both.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the shard is asked to look at a part of its streams for those whose time is over.
const SWEEP_INTERVAL: Duration = Duration::from_millis(250);

/// What a worker is started with.
#[derive(Debug)]
pub struct Setup {
    /// What a user can set.
    pub settings: Settings,
    /// The shard that this worker owns.
    pub shard: ShardIndex,
    /// Where it exports to.
    pub destinations: Vec<ExportTo>,
}

/// The process that a worker runs in.
#[derive(Clone, Debug)]
pub struct Process {
    /// Notices when a part of the worker fails, and stops the process.
    pub tasks: Tasks,
    /// Learns when the worker may be sent to.
    pub readiness: Readiness,
    /// Counts what the worker does.
    pub metrics: Metrics,
}

/// Why a worker can not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address is taken or not ours.
    #[error("can not listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system gives no more threads.
    #[error("can not start the thread of shard {shard}")]
    Thread {
        /// Whose.
        shard: ShardIndex,
        /// What the system said.
        source: io::Error,
    },
    /// The shard's state can not be recovered.
    #[error("can not recover shard {shard}")]
    Recover {
        /// Whose.
        shard: ShardIndex,
        /// Why.
        source: RecoverError,
    },
    /// The thread died while it recovered; the process stops with the cause.
    #[error("the thread of shard {shard} died while it recovered")]
    Died {
        /// Whose.
        shard: ShardIndex,
    },
}

/// Why a worker could not stop as it should: some of its state may not be kept.
#[derive(Debug, Error)]
pub enum StopError {
    /// The shard's thread had ended before.
    #[error("the thread of shard {shard} is gone")]
    Gone {
        /// Whose.
        shard: ShardIndex,
    },
    /// The state could not be written.
    #[error("can not keep the state of shard {shard}")]
    Keep {
        /// Whose.
        shard: ShardIndex,
        /// Why.
        source: CommitError,
    },
}

/// A running worker. It runs until [`Worker::stop`], which must be called: dropping it leaves its tasks running.
#[derive(Debug)]
pub struct Worker {
    shard: ShardIndex,
    address: SocketAddr,
    mailbox: Mailbox,
    peers: Peers,
    ready: Condition,
    stop_requests: CancellationToken,
    /// The grace period is over: connections are let go as they are.
    drop_connections: CancellationToken,
    stop_export: StopExport,
    server: TaskTracker,
    exporters: TaskTracker,
    grace: Duration,
}

impl Worker {
    /// Starts a worker: recovers its shard's state from the journal that was opened, then takes requests. It counts once it has a
    /// membership: from its journal, or from the coordinator.
    ///
    /// # Errors
    ///
    /// What it needs and can not have. Nothing of it runs then.
    pub async fn start<S: Storage + 'static>(
        setup: Setup,
        opening: Opening<S>,
        process: &Process,
    ) -> Result<Self, StartError> {
        let Setup { settings, shard, destinations } = setup;
        let listener = listen(settings.listen).await?;
        let address =
            listener.local_addr().map_err(|source| StartError::Listen { address: settings.listen, source })?;
        let metrics = process.metrics.of(shard);
        let (mailbox, events) = Mailbox::new(settings.mailbox_events_max, metrics.mailbox.clone());
        let moves = Arc::new(Notify::new());
        let protocols: Vec<_> = destinations.iter().map(|to| to.destination.protocol()).collect();
        let (committer, commits) = Committer::new(metrics.journal.clone(), mailbox.waker());
        let committing = process.tasks.spawn_thread(format!("shard-{shard}-disk"), commits);
        committing.map_err(|source| StartError::Thread { shard, source })?;
        let recover = {
            let (settings, metrics, moves) = (settings.clone(), metrics.clone(), Arc::clone(&moves));
            move || Shard::recover(&settings, shard, opening, &protocols, committer, moves, metrics)
        };
        recover_and_run(shard, recover, events, process).await?;

        let worker = Self {
            shard,
            address,
            mailbox,
            peers: Peers::of(settings.set.clone(), settings.tls.clone()),
            ready: process.readiness.condition(format!("shard {shard}")),
            stop_requests: CancellationToken::new(),
            drop_connections: CancellationToken::new(),
            stop_export: StopExport::default(),
            server: TaskTracker::new(),
            exporters: TaskTracker::new(),
            grace: settings.stop_grace,
        };
        worker.export(destinations, &settings, &metrics, &process.tasks);
        worker.sweep(&process.tasks);
        worker.hand_over(moves, &process.tasks);
        worker.serve(listener, &settings, metrics, &process.tasks);
        worker.ready.set(true);
        tracing::info!(%shard, %address, "worker takes requests");
        Ok(worker)
    }

    /// Where it takes requests.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// For a coordinator in the same process.
    pub fn handle(&self) -> Handle {
        Handle::new(self.mailbox.clone(), self.peers.clone())
    }

    /// Which shard it serves.
    pub fn shard(&self) -> ShardIndex {
        self.shard
    }

    pub(crate) fn mailbox(&self) -> Mailbox {
        self.mailbox.clone()
    }

    /// Stops in the order of the street: requests, export, state. Takes at most twice the grace period and the time to
    /// write the state.
    ///
    /// # Errors
    ///
    /// The state is not kept.
    pub async fn stop(self) -> Result<(), StopError> {
        let shard = self.shard;
        self.ready.set(false);
        self.stop_requests.cancel();
        self.end(&self.server).await;
        self.drop_connections.cancel();
        self.stop_export.finish.cancel();
        self.end(&self.exporters).await;
        self.stop_export.give_up.cancel();
        self.exporters.wait().await;
        let kept = self.mailbox.ask(|reply| Event::Stop { reply }).await;
        kept.map_err(|_| StopError::Gone { shard })?.map_err(|source| StopError::Keep { shard, source })?;
        tracing::info!(%shard, "worker stopped, its state is kept");
        Ok(())
    }

    async fn end(&self, tasks: &TaskTracker) {
        tasks.close();
        if tokio::time::timeout(self.grace, tasks.wait()).await.is_err() {
            tracing::warn!(shard = %self.shard, grace = ?self.grace, "the grace period is over; going on with the stop");
        }
    }

    fn serve(&self, listener: TcpListener, settings: &Settings, metrics: ShardMetrics, tasks: &Tasks) {
        let (requests_max, inflight_max) = (settings.message_bytes_max, settings.inflight_bytes_max);
        let door = Door { set: settings.set.clone(), sent_back: metrics.requests(MISADDRESSED) };
        let service = admit::service(self.shard, self.mailbox.clone(), requests_max, inflight_max, metrics);
        let control = ControlServer::new(self.handle());
        let handoff = HandoffServer::new(self.handle());
        let server = Server::builder()
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
            .layer(InterceptorLayer::new(door))
            .add_service(service)
            .add_service(control)
            .add_service(handoff);
        let incoming = settings.tls.acceptor().incoming(listener);
        let serving = server.serve_with_incoming_shutdown(incoming, self.stop_requests.clone().cancelled_owned());
        let dropped = self.drop_connections.clone();
        // A peer that is stopped or cut off never says goodbye, and must not keep the process.
        let serving = async move { dropped.run_until_cancelled(serving).await.unwrap_or(Ok(())) };
        tasks.spawn(format!("worker-{}-server", self.shard), self.server.track_future(serving));
    }

    fn export(&self, destinations: Vec<ExportTo>, settings: &Settings, metrics: &ShardMetrics, tasks: &Tasks) {
        for (index, to) in destinations.into_iter().enumerate() {
            let exporter = Exporter {
                index,
                metrics: metrics.to(&to.name),
                interval: settings.export_interval,
                mailbox: self.mailbox.clone(),
                stop: self.stop_export.clone(),
                to,
            };
            let name = format!("worker-{}-export-{}", self.shard, exporter.to.name);
            tasks.spawn(name, self.exporters.track_future(exporter.run()));
        }
    }

    fn hand_over(&self, moves: Arc<Notify>, tasks: &Tasks) {
        let sender = Sender::new(self.mailbox.clone(), self.peers.clone(), moves, self.stop_requests.clone());
        tasks.spawn(format!("worker-{}-handoff", self.shard), sender.run());
    }

    fn sweep(&self, tasks: &Tasks) {
        let (mailbox, stop) = (self.mailbox.clone(), self.stop_requests.clone());
        tasks.spawn(format!("worker-{}-sweep", self.shard), async move {
            while stop.run_until_cancelled(tokio::time::sleep(SWEEP_INTERVAL)).await.is_some() {
                if mailbox.send(Event::Sweep).await.is_err() {
                    break;
                }
            }
            Ok::<(), std::convert::Infallible>(())
        });
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    shardset_process::listen(address).await.map_err(|source| StartError::Listen { address, source })
}

/// Gives the shard its thread and waits until it has recovered.
async fn recover_and_run<S: Storage + 'static>(
    shard: ShardIndex,
    recover: impl FnOnce() -> Result<Shard<S>, RecoverError> + Send + 'static,
    events: mpsc::Receiver<Event>,
    process: &Process,
) -> Result<(), StartError> {
    let (recovered, is_recovered) = oneshot::channel();
    // Nobody waits any more where the start was given up meanwhile; then the mailbox is closed as well.
    let thread = move || {
        let (state, outcome) = match recover() {
            Ok(state) => (Some(state), Ok(())),
            Err(error) => (None, Err(error)),
        };
        if let (Ok(()), Some(state)) = (recovered.send(outcome), state) {
            state.run(events);
        }
    };
    let started = process.tasks.spawn_thread(format!("shard-{shard}"), thread);
    started.map_err(|source| StartError::Thread { shard, source })?;
    let outcome = is_recovered.await.map_err(|_| StartError::Died { shard })?;
    outcome.map_err(|source| StartError::Recover { shard, source })
}
