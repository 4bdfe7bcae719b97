//! A fifth worker for `shardset local` with four, while points come in: how long it takes, and what clients notice.
//!
//! *Settled* is what `shardset scale` waits for: the membership is stable and nobody has anything left to drop. A gap is a time
//! in which no request is accepted; between two that are accepted it is at least the interval at which they are sent.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::load::{self, Answer, POINTS, Ring};
use crate::http;
use crate::measure::percentile;
use crate::server::{self, Server};
use crate::table::{Table, against};

const CONNECTIONS: usize = 4;
const IN_FLIGHT: usize = 8;
/// Load without a move, before and after it.
const AROUND: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(5);
/// A move that takes longer than this is not measured.
const PATIENCE: Duration = Duration::from_secs(120);

/// system.md: the move of a fifth of a million streams, in ms; and what ends a client's patience long before.
const BUDGET: f64 = 5_000.0;
const BUDGET_GAP: f64 = 250.0;

/// When what was seen.
struct Seen {
    wished: Instant,
    moving: Instant,
    stable: Instant,
    settled: Instant,
    moved: u64,
}

pub(super) fn measure(binary: &Path, thousands: u64, points_per_second: u32) -> anyhow::Result<Table> {
    let server = Server::local(binary, server::empty_directory()?, 4, &["--export-interval", "15s"])?;
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (seen, answers) = runtime.block_on(scaled(&server, thousands, points_per_second))?;
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let during =
        |from: Instant, to: Instant| answers.iter().filter(move |answer| answer.answered >= from && answer.sent <= to);
    let p99 = |from, to| percentile(&during(from, to).map(Answer::took).collect::<Vec<_>>(), 99.0) * 1e3;
    let errors = during(seen.wished, seen.settled).filter(|answer| answer.error.is_some()).count();
    let gap = ms(longest_gap(during(seen.wished, seen.settled)));
    let to_stable = ms(seen.stable - seen.moving);

    let mut table = Table::new(&["4 to 5 workers under load", "measured", "budget"]);
    let mut row = |name: &str, figure: f64, budget| {
        table.row([name.to_owned(), format!("{figure:.0}"), against(budget, figure)]);
    };
    row("points per second that come in", f64::from(points_per_second), None);
    row("streams that move", seen.moved as f64, None);
    row("wish to moving, ms", ms(seen.moving - seen.wished), None);
    row("moving to stable, ms", to_stable, None);
    row("streams moved per second", seen.moved as f64 / to_stable * 1e3, None);
    row("wish to settled, ms", ms(seen.settled - seen.wished), Some(BUDGET));
    row("longest gap without an accepted request, ms", gap, Some(BUDGET_GAP));
    row("requests with errors", errors as f64, Some(0.0));
    row("p99 of answers before, ms", p99(seen.wished - AROUND, seen.wished), None);
    row("p99 of answers from the wish to settled, ms", p99(seen.wished, seen.settled), None);
    row(
        "longest answer from the wish to settled, ms",
        percentile(&during(seen.wished, seen.settled).map(Answer::took).collect::<Vec<_>>(), 100.0) * 1e3,
        None,
    );
    if let Some(error) = during(seen.wished, seen.settled).find_map(|answer| answer.error.as_ref()) {
        table.row(["the first error".to_owned(), error.clone(), "-".to_owned()]);
    }
    Ok(table)
}

async fn scaled(server: &Server, thousands: u64, points_per_second: u32) -> anyhow::Result<(Seen, Vec<Answer>)> {
    let channels = load::connect(&server.grpc_url(), CONNECTIONS).await?;
    let mut ring = Ring::new(thousands);
    let requests = ring.len();
    load::send_all(&channels, &mut ring, requests, IN_FLIGHT).await?;
    let (over, is_over) = watch::channel(false);
    let admin = server.admin();
    let sending = load::send_at(channels, &mut ring, f64::from(points_per_second) / f64::from(POINTS), is_over);
    let moving = async {
        sleep(AROUND).await;
        let seen = move_to(&admin, 5).await;
        sleep(AROUND).await;
        over.send_replace(true);
        seen
    };
    let (answers, seen) = tokio::join!(sending, moving);
    Ok((seen?, answers?))
}

async fn move_to(admin: &str, shards: u32) -> anyhow::Result<Seen> {
    let wished = Instant::now();
    ask(admin, move |admin| http::post(admin, "/scale", &format!(r#"{{"shards":{shards}}}"#))).await?;
    let is_at = |view: &Value, phase: &str| {
        let membership = &view["membership"];
        membership["shards"] == shards && membership["phase"] == phase
    };
    let is_settled = |view: &Value| is_at(view, "Stable") && view["waiting"].as_array().is_some_and(Vec::is_empty);
    let (moving, _) = until(admin, |view| is_at(view, "Moving") || is_at(view, "Stable")).await?;
    let (stable, _) = until(admin, |view| is_at(view, "Stable")).await?;
    let (settled, view) = until(admin, is_settled).await?;
    let newest = view["workers"].as_array().and_then(|workers| workers.last()).context("a view without workers")?;
    let moved = newest["streams"].as_u64().context("a worker without streams")?;
    Ok(Seen { wished, moving, stable, settled, moved })
}

async fn until(admin: &str, is_so: impl Fn(&Value) -> bool) -> anyhow::Result<(Instant, Value)> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let view: Value = serde_json::from_str(&ask(admin, |admin| http::get(admin, "/status")).await?)?;
        if is_so(&view) {
            return Ok((Instant::now(), view));
        }
        sleep(LOOK).await;
    }
    anyhow::bail!("the move does not end")
}

async fn ask(
    admin: &str,
    question: impl FnOnce(&str) -> anyhow::Result<String> + Send + 'static,
) -> anyhow::Result<String> {
    let admin = admin.to_owned();
    tokio::task::spawn_blocking(move || question(&admin)).await?
}

fn longest_gap<'a>(answers: impl Iterator<Item = &'a Answer>) -> Duration {
    let mut accepted: Vec<Instant> =
        answers.filter(|answer| answer.error.is_none()).map(|answer| answer.answered).collect();
    accepted.sort_unstable();
    accepted.windows(2).map(|two| two[1] - two[0]).max().unwrap_or_default()
}
