//! The whole of `shardset local` over loopback: real gRPC from client to gateway and from gateway to workers, all answers
//! awaited. What is counted is what the server's process spends; the clients share the machine but not the bill.
//!
//! Every request is a standard payload with newer times, so that no point is a duplicate. Threads are told apart by their
//! names: those of the shards, and all others, which receive, split, deliver and receive again at the worker. State is on
//! the disk and synced before answers; one way is also measured with a sync a second, to tell what the disk costs.

mod client;

use std::path::Path;
use std::time::Duration;

use shardset_load::PayloadShape;
use tonic::codec::CompressionEncoding;

use crate::server::{self, Server};
use crate::table::Table;
use client::Load;

/// Windows of this length, after one of warm-up.
const WINDOW: Duration = Duration::from_secs(3);
const WINDOWS: usize = 3;

/// One way to send.
struct Way {
    name: &'static str,
    load: Load,
    flags: &'static [&'static str],
    /// What system.md asks of the gateway alone, in points (or requests) per second and core.
    budget: &'static str,
}

pub(super) fn measure(workers: u32, binary: Option<&Path>) -> anyhow::Result<Table> {
    let binary = server::binary(binary)?;
    let columns =
        ["over loopback", "M points/s", "requests/s", "cores", "ns a point", "of it in shards", "M points/s a core"];
    let mut table = Table::new(&[&columns[..], &["budget of the gateway alone"]].concat());
    for way in ways() {
        let server = Server::local(&binary, server::empty_directory()?, workers, way.flags)?;
        let windows = client::windows(server.grpc_url(), &way.load, WINDOW, WINDOWS, || server.cpu_times())?;
        let mut rates: Vec<[f64; 5]> = windows.iter().map(|window| window.figures()).collect();
        rates.sort_unstable_by(|a, b| a[3].total_cmp(&b[3]));
        let [points, requests, cores, per_point, in_shards] = rates[rates.len() / 2];
        table.row([
            way.name.to_owned(),
            format!("{:.2}", points / 1e6),
            format!("{requests:.0}"),
            format!("{cores:.2}"),
            format!("{per_point:.0}"),
            format!("{in_shards:.0}"),
            format!("{:.2}", 1e3 / per_point),
            way.budget.to_owned(),
        ]);
    }
    Ok(table)
}

fn ways() -> [Way; 6] {
    let large = Load { shape: PayloadShape::Big, points: 1000, connections: 4, in_flight: 2, compression: None };
    let small = Load { shape: PayloadShape::Tiny, points: 10, connections: 100, in_flight: 1, compression: None };
    let compressed = |compression| Load { compression: Some(compression), ..large };
    let middle = Load { points: 100, connections: 16, ..large };
    let way = |name, load, budget| Way { name, load, flags: &[], budget };
    [
        way("1000 points a request, 4 connections", large, "1.2 M points/s"),
        Way { flags: &["--durability", "interval:1s"], ..way("the same, synced once a second", large, "-") },
        way("the same, zstd", compressed(CompressionEncoding::Zstd), "1.0 M points/s"),
        way("the same, gzip", compressed(CompressionEncoding::Gzip), "0.5 M points/s"),
        way("10 points a request, 100 connections", small, "15 k requests/s"),
        way("100 points a request, 16 connections", middle, "-"),
    ]
}
