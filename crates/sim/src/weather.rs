//! What one seed lets happen, and how often.
//!
//! Each seed draws its own rates, most of them zero or high: a run with every fault at a middling rate visits the same few
//! states again and again, where one that only loses messages, or only restarts workers, goes far into one corner.

use std::time::Duration;

use shardset_accumulate::Settings;
use shardset_handoff::Limits;

use crate::catalog::POINTS_MAX;
use crate::node::{MS, SECOND, Time};
use crate::random::Random;

/// What happens to the cluster besides its work.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Fault {
    /// A worker's machine loses power.
    Crash,
    /// A worker's process dies.
    Kill,
    /// A worker dies within one of its next operations on its disk.
    DieWithin,
    /// A worker's disk is lost.
    LoseDisk,
    /// A worker's disk is full, or read-only, for a while.
    DiskFull,
    /// One operation of a worker's disk fails.
    DiskError,
    /// Some nodes can not reach the others for a while.
    Partition,
    /// A node is slow for a while.
    Slow,
    /// A worker's clock is set.
    Clock,
    /// A gateway starts again.
    Gateway,
    /// A coordinator dies at once; another takes over.
    Coordinator,
    /// A second coordinator is at work for a while.
    Rival,
    /// Nobody reaches the API server for a while.
    ApiAway,
    /// What is published goes back to what was published before.
    Restore,
    /// The user wants another number of shards.
    Wish,
    /// The user wants another routing key.
    Rekey,
    /// The user gives up a worker that is away in a move.
    GiveUp,
}

/// Each fault, and the mean times between two of its kind where it happens often, and where it does not.
const FAULTS: [(Fault, Time, Time); 17] = [
    (Fault::Crash, 2 * SECOND, 8 * SECOND),
    (Fault::Kill, 2 * SECOND, 8 * SECOND),
    (Fault::DieWithin, 2 * SECOND, 6 * SECOND),
    (Fault::LoseDisk, 4 * SECOND, 15 * SECOND),
    (Fault::DiskFull, 2 * SECOND, 10 * SECOND),
    (Fault::DiskError, SECOND, 5 * SECOND),
    (Fault::Partition, 2 * SECOND, 8 * SECOND),
    (Fault::Slow, 2 * SECOND, 8 * SECOND),
    (Fault::Clock, 2 * SECOND, 10 * SECOND),
    (Fault::Gateway, 2 * SECOND, 8 * SECOND),
    (Fault::Coordinator, SECOND, 5 * SECOND),
    (Fault::Rival, 3 * SECOND, 10 * SECOND),
    (Fault::ApiAway, 3 * SECOND, 10 * SECOND),
    (Fault::Restore, 4 * SECOND, 15 * SECOND),
    (Fault::Wish, 500 * MS, 2 * SECOND),
    (Fault::Rekey, 3 * SECOND, 12 * SECOND),
    (Fault::GiveUp, SECOND, 3 * SECOND),
];

/// The rates of one seed.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    /// How long faults go on.
    pub(crate) length: Time,
    pub(crate) workers: u32,
    pub(crate) gateways: usize,
    pub(crate) clients: usize,
    pub(crate) streams: u64,
    /// The mean time between two batches of a client.
    pub(crate) pause: Time,
    /// How long a client tries.
    pub(crate) patience: Time,
    pub(crate) loss: f64,
    pub(crate) duplication: f64,
    /// The longest ordinary delay of a message.
    pub(crate) delay: Time,
    /// How many messages take far longer.
    pub(crate) stragglers: f64,
    /// The longest that a gateway hears of a membership late.
    pub(crate) lag: Time,
    /// How often a gateway does not take a membership that it is told.
    pub(crate) deafness: f64,
    /// The longest that a worker takes to commit.
    pub(crate) commit: Time,
    /// How often a worker looks after what is left to do.
    pub(crate) background: Time,
    /// How likely a checkpoint is begun each time it does.
    pub(crate) checkpoints: f64,
    /// How far clocks go wrong, either way.
    pub(crate) skew: Time,
    /// How likely the disk of a worker that is stopped goes with it.
    pub(crate) disks_go: f64,
    /// How many acknowledgements are followed by a look at a copy of the disk.
    pub(crate) audits: f64,
    pub(crate) settings: Settings,
    pub(crate) limits: Limits,
    pub(crate) segment_bytes: u64,
    /// Mean times between faults.
    pub(crate) faults: Vec<(Fault, Time)>,
}

impl Weather {
    /// Whether a stream may forget points that it counted.
    pub(crate) fn is_forgetful(&self) -> bool {
        u32::from(self.settings.dedupe_points) < POINTS_MAX || self.settings.dedupe_window.as_micros() < 100_000_000
    }

    pub(crate) fn new(random: &mut Random) -> Self {
        let mut settings = Settings {
            dedupe_points: random.pick(&[64, 64, 64, 8]),
            dedupe_window: Duration::from_secs(random.pick(&[300, 300, 300, 4])),
            ..Settings::default()
        };
        if random.chance(0.3) {
            settings.max_stale = Duration::from_secs(random.between(1, 4));
        }
        let limits = Limits {
            parked_bytes: random.pick(&[1 << 20, 1 << 20, 1 << 20, 700]),
            chunk_bytes: random.pick(&[1, 150, 400, 1 << 16]),
        };
        let (length, streams) = (random.between(4, 16) * SECOND, random.pick(&[1, 2, 4, 8, 12]));
        let clients = random.between(1, 3);
        // So that the points last for the run, or for a part of it: a batch is 3 of them on average.
        let pause = length * clients * 3 / (streams * u64::from(POINTS_MAX));
        let pause = random.pick(&[pause, pause / 2, pause / 4]).clamp(20 * MS, 2 * SECOND);
        let often = |random: &mut Random, most: f64| if random.chance(0.5) { 0.0 } else { random.probability(most) };
        let weather = Self {
            length,
            workers: random.between(2, 6) as u32,
            gateways: random.between(2, 3) as usize,
            clients: clients as usize,
            streams,
            pause,
            patience: random.between(1, 8) * SECOND,
            loss: often(random, 0.2),
            duplication: often(random, 0.3),
            delay: random.pick(&[3 * MS, 20 * MS, 100 * MS]),
            stragglers: often(random, 0.1),
            lag: random.pick(&[10 * MS, 500 * MS, 4 * SECOND]),
            deafness: random.pick(&[0.0, 0.0, 0.5, 0.95]),
            commit: random.pick(&[MS, 10 * MS, 60 * MS]),
            background: random.pick(&[60 * MS, 150 * MS, 400 * MS]),
            checkpoints: random.pick(&[0.02, 0.2, 0.6]),
            skew: random.pick(&[0, 100 * MS, 3 * SECOND]),
            disks_go: random.pick(&[0.0, 0.5, 1.0]),
            audits: 0.05,
            settings,
            limits,
            segment_bytes: random.pick(&[600, 4_000, 1 << 20]),
            faults: faults(random),
        };
        if random.chance(0.08) { weather.abandoned(random) } else { weather }
    }

    /// Workers are given up again and again, and come back when others are at a later membership and some gateway is not: the
    /// one corner that the rates above come to too seldom.
    fn abandoned(self, random: &mut Random) -> Self {
        Self {
            workers: random.between(2, 3) as u32,
            streams: random.between(1, 2),
            loss: 0.2,
            deafness: 0.95,
            disks_go: 0.0,
            faults: vec![(Fault::Wish, 400 * MS), (Fault::GiveUp, 300 * MS), (Fault::LoseDisk, 2 * SECOND)],
            ..self
        }
    }
}

fn faults(random: &mut Random) -> Vec<(Fault, Time)> {
    let mut drawn = Vec::new();
    for (fault, often, seldom) in FAULTS {
        let likely = match fault {
            Fault::Wish => 0.95,
            Fault::LoseDisk | Fault::Restore | Fault::Rekey => 0.25,
            _ => 0.4,
        };
        if random.chance(likely) {
            drawn.push((fault, random.pick(&[often, seldom, seldom])));
        }
    }
    drawn
}
