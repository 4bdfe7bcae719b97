//! The cluster: workers, gateways, whoever coordinates, what stands between them, and one disk that is small.
//!
//! All workers run all the time, as far as faults let them, members or not: an ordinal that is used again finds its old disk,
//! and one that was left out may have missed that.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use shardset_e2e::ports;
use shardset_load::Endpoints;

use crate::disk::SmallDisk;
use crate::fault::{Event, GATEWAYS, Mode, Node, SMALL_DISK, WORKERS, Way};
use crate::proxy::Proxy;
use crate::status::Status;
use crate::unit::{Ground, Unit};

/// How many shards there are at first.
pub(crate) const SHARDS_AT_FIRST: u32 = 3;

/// A worker's settings beside its place: a clock that ticks often, streams that leave memory soon and come back later, and a
/// memory of counted points that outlasts clients which insist for minutes and then catch up (their limit is the documented
/// one: a resent point is known while it is remembered).
#[rustfmt::skip]
const WORKER: [&str; 14] = [
    "--export-interval", "500ms", "--heartbeat", "10s", "--stop-grace", "2s", "--max-stale", "15s",
    "--dedupe-window", "30m", "--dedupe-points", "1024", "--log", "info",
];

/// Everything that runs, but the backend itself.
pub(crate) struct Cluster {
    workers: Vec<Unit>,
    gateways: Vec<Unit>,
    coordinator: Unit,
    /// The coordinator of the wish before, where it runs on for a while.
    former: Option<Unit>,
    shards: u32,
    ground: Ground,
    fronts: [Proxy; 2],
    backend: Proxy,
    /// What stands before each worker.
    before: Vec<Proxy>,
    // The last: processes end before their disk does.
    disk: Option<SmallDisk>,
}

impl Cluster {
    /// Starts everything. Without `disk`, the small disk is as large as the others.
    pub(crate) async fn start(ground: &Ground, backend: SocketAddr, disk: Option<SmallDisk>) -> anyhow::Result<Self> {
        let backend = Proxy::start(vec![backend]).await?;
        let (mut workers, mut before) = (Vec::new(), Vec::new());
        for number in 0..WORKERS {
            let at = ports::free();
            workers.push(worker(ground, number, at, backend.address));
            before.push(Proxy::start(vec![at]).await?);
        }
        let inlets: Vec<[SocketAddr; 2]> = (0..GATEWAYS).map(|_| [ports::free(), ports::free()]).collect();
        let gateways = (0..).zip(&inlets).map(|(number, inlets)| gateway(ground, number, *inlets)).collect();
        let front = |protocol: usize| Proxy::start(inlets.iter().map(|inlet| inlet[protocol]).collect());
        let fronts = [front(0).await?, front(1).await?];
        let coordinator = coordinator(ground, SHARDS_AT_FIRST, &before);
        let (shards, ground) = (SHARDS_AT_FIRST, ground.clone());
        let mut cluster =
            Self { workers, gateways, coordinator, former: None, shards, ground, fronts, backend, before, disk };
        cluster.heal().await?;
        Ok(cluster)
    }

    /// Where clients send to.
    pub(crate) fn endpoints(&self) -> Endpoints {
        let url = |front: &Proxy| format!("http://{}", front.address);
        Endpoints { grpc: url(&self.fronts[0]), http: url(&self.fronts[1]), ..Endpoints::default() }
    }

    /// Lets something happen.
    pub(crate) async fn happen(&mut self, event: Event) -> anyhow::Result<()> {
        match event {
            Event::Kill(node) => self.unit(node).kill(),
            Event::Terminate(node) => self.unit(node).terminate().await,
            Event::Pause(node) => self.unit(node).pause(),
            Event::Resume(node) => self.unit(node).resume(),
            Event::Start(node) => self.unit(node).start().await,
            Event::Scale { shards, overlap } => self.scale(shards, overlap).await,
            Event::Retire => self.retire(),
            Event::Turn(way, mode) => {
                self.ways(way).iter().for_each(|proxy| proxy.turn(mode));
                Ok(())
            }
            Event::FillDisk => self.disk.as_ref().context("the small disk is not mounted")?.fill(),
            Event::FreeDisk => self.disk.as_ref().context("the small disk is not mounted")?.free(),
            Event::LoseDisk(number) => {
                let shard = data(&self.ground.folder, number).join(format!("shard-{number}"));
                fs::remove_dir_all(&shard).with_context(|| format!("remove {}", shard.display()))
            }
        }
    }

    /// Ends all faults: everything runs, and nothing stands in between.
    pub(crate) async fn heal(&mut self) -> anyhow::Result<()> {
        self.retire()?;
        for way in [Way::Front, Way::Backend].into_iter().chain((0..WORKERS).map(Way::Worker)) {
            self.happen(Event::Turn(way, Mode::Open)).await?;
        }
        if let Some(disk) = &self.disk {
            disk.free()?;
        }
        for unit in self.units() {
            if unit.is_away() {
                unit.start().await?;
            } else {
                unit.resume()?;
            }
        }
        Ok(())
    }

    /// Looks at all processes: an error where one has ended on its own.
    pub(crate) fn look(&mut self) -> anyhow::Result<()> {
        self.units().try_for_each(Unit::look)
    }

    /// What the workers say, where all is settled as it was wished last.
    pub(crate) fn settled(&self) -> anyhow::Result<Status> {
        let status = Status::ask(&self.ground.binary, &membership(&self.ground.folder))?;
        status.settled(self.shards)?;
        Ok(status)
    }

    /// The most memory that a worker had at a time, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        self.workers.iter().map(Unit::peak).max().unwrap_or(0)
    }

    /// The bytes on each worker's disk.
    pub(crate) fn disk_bytes(&self) -> Vec<u64> {
        (0..WORKERS).map(|number| crate::disk::bytes(&data(&self.ground.folder, number))).collect()
    }

    /// Where the logs are.
    pub(crate) fn logs(&mut self) -> Vec<PathBuf> {
        self.units().map(|unit| unit.log()).collect()
    }

    /// Copies what would end with the run to where it stays.
    pub(crate) fn keep_disk(&self) -> anyhow::Result<()> {
        let kept = self.ground.folder.join(format!("worker-{SMALL_DISK}-disk"));
        self.disk.as_ref().map_or(Ok(()), |disk| disk.keep(&kept))
    }

    async fn scale(&mut self, shards: u32, overlap: bool) -> anyhow::Result<()> {
        self.retire()?;
        self.shards = shards;
        let mut former = std::mem::replace(&mut self.coordinator, coordinator(&self.ground, shards, &self.before));
        if former.is_away() {
            // Whoever starts it again starts it with the new wish.
            return Ok(());
        }
        if overlap {
            self.former = Some(former);
        } else {
            former.kill()?;
        }
        self.coordinator.start().await
    }

    fn retire(&mut self) -> anyhow::Result<()> {
        self.former.take().map_or(Ok(()), |mut former| former.kill())
    }

    fn ways(&self, way: Way) -> &[Proxy] {
        match way {
            Way::Front => &self.fronts,
            Way::Backend => std::slice::from_ref(&self.backend),
            Way::Worker(number) => &self.before[number as usize..=number as usize],
        }
    }

    fn unit(&mut self, node: Node) -> &mut Unit {
        match node {
            Node::Worker(number) => &mut self.workers[number as usize],
            Node::Gateway(number) => &mut self.gateways[number as usize],
            Node::Coordinator => &mut self.coordinator,
        }
    }

    fn units(&mut self) -> impl Iterator<Item = &mut Unit> {
        self.workers.iter_mut().chain(&mut self.gateways).chain([&mut self.coordinator])
    }
}

fn worker(ground: &Ground, number: u32, at: SocketAddr, backend: SocketAddr) -> Unit {
    let mut arguments = vec!["worker".to_owned()];
    arguments.extend(WORKER.map(str::to_owned));
    let flags = [
        ("--shard", number.to_string()),
        ("--listen", at.to_string()),
        ("--scrape", ports::free().to_string()),
        ("--data-dir", data(&ground.folder, number).display().to_string()),
        ("--remote-write", format!("http://{backend}/api/v1/write")),
    ];
    arguments.extend(flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]));
    Unit::new(Node::Worker(number), ground, arguments).with_admin(ports::free())
}

fn gateway(ground: &Ground, number: u32, [grpc, http]: [SocketAddr; 2]) -> Unit {
    let mut arguments = vec!["gateway".to_owned()];
    let flags = [
        ("--membership", membership(&ground.folder).display().to_string()),
        ("--otlp-grpc", grpc.to_string()),
        ("--otlp-http", http.to_string()),
        ("--log", "info".to_owned()),
    ];
    arguments.extend(flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]));
    Unit::new(Node::Gateway(number), ground, arguments).with_admin(ports::free())
}

fn coordinator(ground: &Ground, shards: u32, workers: &[Proxy]) -> Unit {
    let mut arguments = vec!["scale".to_owned(), shards.to_string()];
    arguments.extend(["--membership".to_owned(), membership(&ground.folder).display().to_string()]);
    arguments.extend(workers.iter().flat_map(|worker| ["--worker".to_owned(), worker.address.to_string()]));
    arguments.extend(["--stay", "--timeout", "1000h", "--log", "info"].map(str::to_owned));
    Unit::new(Node::Coordinator, ground, arguments)
}

fn membership(folder: &Path) -> PathBuf {
    folder.join("membership.json")
}

/// Where a worker's data is.
pub(crate) fn data(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("worker-{number}"))
}
