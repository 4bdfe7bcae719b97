//! How long a worker takes to answer, over loopback and from its disk: first as many requests as it takes, then parts of that,
//! each request at its time.
//!
//! The client has the same two cores. How busy they are is told beside the times: where both are all but full, it is not the
//! worker that is waited for.

use std::path::Path;
use std::time::Duration;

use shardset_handoff::Adopt;
use shardset_wire::{AdoptRequest, ControlClient};
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tonic::transport::Channel;

use super::load::{self, Ring};
use super::shard::{alone, index};
use crate::machine;
use crate::measure::percentile;
use crate::server::{self, Server};
use crate::table::{Table, against};

/// A gateway has one connection; two, so that the client is not what is measured.
const CONNECTIONS: usize = 2;
/// Points of a request: what a gateway makes of a thousand for one of 8 workers.
const POINTS: u32 = 125;
/// Enough to have a group waiting whenever one is committed.
const IN_FLIGHT: usize = 64;
/// Streams: half a million, each of which has a point a second or so.
const REQUESTS: u64 = 4_096;
/// Requests until all streams are known, and until the rate is: some checkpoints long.
const WARM_UP: usize = 8_192;
const SATURATING: usize = 64_000;
const LOADS: [f64; 3] = [0.3, 0.5, 0.7];
const LENGTH: Duration = Duration::from_secs(15);

/// system.md: p99, durable, at 70 % load, in ms.
const BUDGET: f64 = 15.0;

pub(super) fn measure(binary: &Path) -> anyhow::Result<Table> {
    let columns = ["a worker's answers, ms", "M points/s", "p50", "p99", "longest", "cores busy", "budget, p99"];
    let mut table = Table::new(&columns);
    for durability in ["fsync", "interval:100ms"] {
        let server = Server::worker(binary, server::empty_directory()?, &["--durability", durability])?;
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        for answers in runtime.block_on(answers(&server))? {
            let times: Vec<Duration> = answers.answers.iter().map(load::Answer::took).collect();
            let [p50, p99, longest] = [50.0, 99.0, 100.0].map(|percent| percentile(&times, percent) * 1e3);
            let figures = [answers.points_per_second / 1e6, p50, p99, longest, answers.busy];
            let figures = figures.map(|figure| format!("{figure:.2}"));
            let name = format!("{durability}, {}", answers.load);
            table.row([name].into_iter().chain(figures).chain([against(answers.budget, p99)]));
        }
    }
    Ok(table)
}

/// Answers at one load.
struct Answers {
    load: String,
    points_per_second: f64,
    answers: Vec<load::Answer>,
    /// How many of the machine's cores were busy, whoever kept them so.
    busy: f64,
    budget: Option<f64>,
}

/// As many requests as the worker takes, then parts of that.
async fn answers(server: &Server) -> anyhow::Result<Vec<Answers>> {
    let channels = load::connect(&server.grpc_url(), CONNECTIONS).await?;
    begin(channels[0].clone(), &server.grpc()).await?;
    let mut ring = Ring::of(REQUESTS, POINTS);
    load::send_all(&channels, &mut ring, WARM_UP, IN_FLIGHT).await?;
    let begun = Instant::now();
    load::send_all(&channels, &mut ring, SATURATING, IN_FLIGHT).await?;
    let most = SATURATING as f64 / begun.elapsed().as_secs_f64();
    let mut all = Vec::new();
    for part in LOADS {
        let (over, is_over) = watch::channel(false);
        let (busy, begun) = (machine::busy()?, Instant::now());
        let sending = load::send_at(channels.clone(), &mut ring, most * part, is_over);
        let (answers, ()) = tokio::join!(sending, async {
            sleep(LENGTH).await;
            over.send_replace(true);
        });
        let answers = answers?;
        anyhow::ensure!(answers.iter().all(|answer| answer.error.is_none()), "requests were not accepted");
        let busy = (machine::busy()? - busy).as_secs_f64() / begun.elapsed().as_secs_f64();
        let (load, points_per_second) = (format!("{:.0} % of the most", part * 1e2), most * part * f64::from(POINTS));
        let budget = (part == LOADS[LOADS.len() - 1]).then_some(BUDGET);
        all.push(Answers { load, points_per_second, answers, busy, budget });
    }
    Ok(all)
}

/// Tells a worker with an empty disk that it is alone. Answers when the worker serves.
pub(super) async fn begin(channel: Channel, address: &str) -> anyhow::Result<()> {
    let mut control = ControlClient::new(channel);
    let incarnation = control.status().await?.incarnation;
    let adopt = Adopt { incarnation, membership: alone(), incarnations: vec![(index(), incarnation)] };
    control.adopt(AdoptRequest { adopt, addresses: vec![(index(), address.to_owned())] }).await?;
    Ok(())
}
