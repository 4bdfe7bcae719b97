//! Sends a fleet's requests when they are due, and keeps the books.
//!
//! One task hands out requests by the clock; each of `connections x in_flight` lanes sends one request at a time and
//! insists as an SDK does. A session always uses the same lane, so its requests keep their order, as they do in an SDK.
//! The queue of a lane is short: when the server is slow, the fleet falls behind its timeline instead of filling memory.

mod lane;

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use shardset_model::UnixMillis;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::fleet::{Export, Fleet};
use crate::ledger::Ledger;
use crate::progress::{Counters, Progress, Summary};
use crate::send::{Certificates, Connection};
use crate::settings::{InvalidSettings, Settings};
use lane::Lane;

/// Requests that may wait in a lane.
const QUEUE: usize = 16;

/// What a run leaves.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How it went.
    pub summary: Summary,
    /// What must be found.
    pub ledger: Ledger,
}

/// Why a run did not come about.
#[derive(Debug, Error)]
pub enum RunError {
    /// The settings contradict themselves.
    #[error("the settings can not be followed")]
    Settings(#[from] InvalidSettings),
    /// The gRPC endpoint is no URL, or can not be had with these certificates.
    #[error("`{url}` can not be sent to by gRPC")]
    Grpc {
        /// What was given.
        url: String,
        /// What is wrong with it.
        source: tonic::transport::Error,
    },
    /// The HTTP client can not be made.
    #[error("the HTTP client can not be made")]
    Http(#[source] reqwest::Error),
    /// A file of certificates can not be read.
    #[error("can not read {path}", path = path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that should name whom to trust does not.
    #[error("{path} holds no certificates in PEM that can be trusted", path = path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong with it; nothing where there is none in it.
        source: Option<reqwest::Error>,
    },
    /// The clients' certificate and its key can not be used, or not together.
    #[error("the certificate {certificate} and the key {key} can not be used", certificate = certificate.display(), key = key.display())]
    Identity {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong with them.
        source: reqwest::Error,
    },
    /// A task of the generator died.
    #[error("a task of the generator failed")]
    Task(#[from] JoinError),
}

/// Sends what the settings mean until they say that it is over or `stop` is ready, then waits for the last answers. Tells
/// `on_progress` every second. `base` is the present time: what the first points are stamped with.
///
/// # Errors
///
/// See [`RunError`]; what servers answer is never an error but stands in the outcome.
pub async fn run(
    settings: &Settings,
    base: UnixMillis,
    stop: impl Future<Output = ()>,
    mut on_progress: impl FnMut(&Progress),
) -> Result<Outcome, RunError> {
    settings.check()?;
    let counters = Arc::new(Counters::default());
    let mut lanes = JoinSet::new();
    let queues = open_lanes(settings, &counters, &mut lanes)?;
    let (stopper, stopped) = watch::channel(false);
    let shared = Arc::new(Shared::default());
    let begun = Instant::now();
    let mut scheduler = JoinSet::new();
    scheduler.spawn(schedule(Fleet::new(settings, base), settings.clone(), queues, stopped, Arc::clone(&shared)));

    let mut reporter = Reporter { begun, accepted: 0, at: begun };
    let mut ledger = Ledger::default();
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks.tick().await;
    tokio::pin!(stop);
    let mut is_stopping = false;
    loop {
        tokio::select! {
            () = &mut stop, if !is_stopping => {
                is_stopping = true;
                stopper.send_replace(true);
            }
            _ = ticks.tick() => on_progress(&reporter.progress(&counters, &shared)),
            Some(ended) = scheduler.join_next() => ended?,
            ended = lanes.join_next() => match ended {
                Some(part) => ledger.merge(part?),
                None => break,
            },
        }
    }
    let mut summary = counters.summary();
    summary.seed = settings.seed;
    summary.seconds = begun.elapsed().as_secs_f64();
    summary.sessions = shared.started.load(Relaxed);
    summary.streams = ledger.streams();
    Ok(Outcome { summary, ledger })
}

/// What the scheduler tells.
#[derive(Debug, Default)]
struct Shared {
    alive: AtomicU64,
    started: AtomicU64,
    behind_ms: AtomicU64,
}

struct Reporter {
    begun: Instant,
    accepted: u64,
    at: Instant,
}

impl Reporter {
    fn progress(&mut self, counters: &Counters, shared: &Shared) -> Progress {
        let (now, summary) = (Instant::now(), counters.summary());
        let since = now.duration_since(self.at).as_secs_f64();
        let rate = (summary.points_accepted - self.accepted) as f64 / since.max(1e-9);
        (self.at, self.accepted) = (now, summary.points_accepted);
        Progress {
            elapsed: now.duration_since(self.begun),
            rate,
            sessions: usize::try_from(shared.alive.load(Relaxed)).unwrap_or(usize::MAX),
            behind: Duration::from_millis(shared.behind_ms.load(Relaxed)),
            summary,
        }
    }
}

fn open_lanes(
    settings: &Settings,
    counters: &Arc<Counters>,
    lanes: &mut JoinSet<Ledger>,
) -> Result<Vec<mpsc::Sender<Export>>, RunError> {
    let tls = Certificates::read(&settings.endpoints.tls)?;
    let connections = (0..settings.connections)
        .map(|_| Connection::new(&settings.endpoints, &tls, settings.retry.timeout))
        .collect::<Result<Vec<_>, _>>()?;
    let mut queues = Vec::new();
    for number in 0..settings.connections as usize * settings.in_flight as usize {
        let (queue, requests) = mpsc::channel(QUEUE);
        let own = connections[number % connections.len()].clone();
        let other = connections[(number + 1) % connections.len()].clone();
        lanes.spawn(Lane::new(own, other, settings.retry, Arc::clone(counters)).serve(requests));
        queues.push(queue);
    }
    Ok(queues)
}

/// Hands each request to its lane when it is due. Dropping the queues at the end is what tells the lanes to end.
async fn schedule(
    mut fleet: Fleet,
    settings: Settings,
    queues: Vec<mpsc::Sender<Export>>,
    mut stopped: watch::Receiver<bool>,
    shared: Arc<Shared>,
) {
    let begun = Instant::now();
    let mut points = 0;
    while settings.points.is_none_or(|most| points < most) {
        let export = fleet.next_export();
        if settings.duration.is_some_and(|duration| export.due >= duration) {
            break;
        }
        points += export.points;
        let due = begun + export.due;
        let queue = &queues[(export.lane % queues.len() as u64) as usize];
        let hand_over = async {
            if due > Instant::now() {
                sleep_until(due).await;
            }
            queue.send(export).await.is_ok()
        };
        let handed_over = tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => false,
            handed_over = hand_over => handed_over,
        };
        if !handed_over {
            break;
        }
        shared.alive.store(fleet.sessions() as u64, Relaxed);
        shared.started.store(fleet.sessions_started(), Relaxed);
        shared.behind_ms.store(due.elapsed().as_millis() as u64, Relaxed);
    }
}
