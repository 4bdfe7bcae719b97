//! How points are counted, kept and told: what a worker takes.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use shardset_export::{Promotion, Strategy, Translation};
use shardset_worker::{Durability, Settings};

use super::receive::RequestLimits;
use super::value::{durability, external_label, interval, size};
use crate::destinations::Destinations;
use crate::memory;

/// What a stream is taken to weigh where `--max-streams` is not given: a sum stream with eight attributes weighs about half
/// of it (docs/benchmarks.md), histograms more.
const BYTES_PER_STREAM: u64 = 2048;

/// A shard's part of a request can be longer than the request: headers of resources are repeated per shard and lengths are
/// padded. Twice is more than any mix of resources and points reaches.
const PART_GROWTH: usize = 2;

/// How points are counted, kept and told.
#[derive(Clone, Debug, Args)]
pub(crate) struct CountArgs {
    /// Where state is kept over a restart.
    #[arg(long, value_name = "DIRECTORY", default_value = "shardset-data")]
    pub(crate) data_dir: PathBuf,

    /// When what is acknowledged is on the disk: fsync (before the answer), or interval:DURATION (at most so much later: a
    /// machine that loses power loses that much; a process that dies loses nothing).
    #[arg(long, value_name = "DURABILITY", default_value = "fsync", value_parser = durability)]
    pub(crate) durability: Durability,

    /// A remote-write 1.0 destination; may be given several times. Credentials, headers and TLS: see [[remote-write]] in
    /// the configuration file.
    #[arg(long, value_name = "URL")]
    pub(crate) remote_write: Vec<String>,

    /// An OTLP destination; may be given several times. A URL without a path is gRPC (http://collector:4317), one with a path is
    /// HTTP/protobuf (http://collector:4318/v1/metrics). Credentials, headers and TLS: see [[export-otlp]] in the configuration file.
    #[arg(long, value_name = "URL")]
    pub(crate) export_otlp: Vec<String>,

    /// Time between samples of one series.
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = interval)]
    pub(crate) export_interval: Duration,

    /// How often a series that does not change is repeated.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = interval)]
    pub(crate) heartbeat: Duration,

    /// How long counted points are remembered, so that a resent one is recognised.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = interval)]
    pub(crate) dedupe_window: Duration,

    /// How many counted points of one stream are remembered at most.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) dedupe_points: u16,

    /// Whether a stream may have many writers, or one (then points that overlap what is counted are refused).
    #[arg(long, value_name = "WRITERS", default_value = "many")]
    pub(crate) writers: WritersArg,

    /// Buckets of an exponential histogram, per sign; above it the scale goes down.
    #[arg(long, value_name = "N", default_value_t = 160, value_parser = clap::value_parser!(u32).range(4..=10_000))]
    pub(crate) max_buckets: u32,

    /// After how long without a point a series is marked as stale. Its total is kept.
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = interval)]
    pub(crate) max_stale: Duration,

    /// After how long without a point a stream's total is forgotten.
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = interval)]
    pub(crate) forget_after: Duration,

    /// How many streams all workers of this process together may have; above it points of new streams are refused. Default:
    /// what half of the memory holds.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_streams: Option<u64>,

    /// How many bytes of points a worker holds that wait, in a change of the number of workers, for streams which are on their
    /// way to it; above it requests are told to come back.
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = size)]
    pub(crate) max_parked: usize,

    /// How metric and label names are made.
    #[arg(long, value_name = "STRATEGY", default_value = "UnderscoreEscapingWithSuffixes")]
    pub(crate) translation_strategy: Strategy,

    /// Put in front of every metric's name.
    #[arg(long, value_name = "PREFIX", default_value = "")]
    pub(crate) namespace: String,

    /// A resource attribute that becomes a label of its series; may be given several times.
    #[arg(long, value_name = "KEY")]
    pub(crate) promote_resource_attribute: Vec<String>,

    /// Make labels of all resource attributes.
    #[arg(long, value_name = "BOOL", default_value_t = false, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub(crate) promote_all_resource_attributes: bool,

    /// Put the scope's name, version and attributes on its series as otel_scope_* labels.
    #[arg(long, value_name = "BOOL", default_value_t = false, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub(crate) scope_labels: bool,

    /// Tell each resource's attributes as a target_info series.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub(crate) target_info: bool,

    /// A label that every series gets unless it has it already, as name=value; may be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = external_label)]
    pub(crate) external_label: Vec<(String, String)>,

    /// How long a stop may take to deliver what is not delivered yet.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(crate) stop_grace: Duration,

    /// Where it exports to: those of the command line, or of the configuration file.
    #[arg(skip)]
    pub(crate) destinations: Destinations,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum WritersArg {
    Many,
    One,
}

impl CountArgs {
    /// Settings of each of so many workers.
    pub(crate) fn settings(&self, limits: &RequestLimits, workers: u32) -> anyhow::Result<Settings> {
        let message_bytes_max = limits.max_request_size.saturating_mul(PART_GROWTH);
        let share = limits.max_in_flight.saturating_mul(PART_GROWTH) / usize::try_from(workers)?.max(1);
        Ok(Settings {
            accumulate: self.accumulate(workers),
            translation: self.translation()?,
            export_interval: self.export_interval,
            heartbeat: self.heartbeat,
            stop_grace: self.stop_grace,
            message_bytes_max,
            // However many workers share it, the largest part must find room, or it would be told to come back for ever.
            inflight_bytes_max: share.max(message_bytes_max.saturating_mul(2)),
            parked_bytes_max: self.max_parked,
            ..Settings::default()
        })
    }

    /// How many streams each of so many workers may have.
    pub(crate) fn max_streams(&self, workers: u32) -> u32 {
        let streams = self.max_streams.unwrap_or_else(|| memory::limit_bytes() / 2 / BYTES_PER_STREAM);
        u32::try_from(streams.div_ceil(u64::from(workers.max(1)))).unwrap_or(u32::MAX)
    }

    fn accumulate(&self, workers: u32) -> shardset_accumulate::Settings {
        shardset_accumulate::Settings {
            dedupe_window: self.dedupe_window,
            dedupe_points: self.dedupe_points,
            writers: match self.writers {
                WritersArg::Many => shardset_accumulate::Writers::Many,
                WritersArg::One => shardset_accumulate::Writers::One,
            },
            max_buckets: self.max_buckets,
            max_stale: self.max_stale,
            forget_after: self.forget_after,
            max_streams: self.max_streams(workers),
        }
    }

    fn translation(&self) -> anyhow::Result<Translation> {
        let translation = Translation {
            strategy: self.translation_strategy,
            namespace: self.namespace.clone(),
            promote_resource_attributes: if self.promote_all_resource_attributes {
                Promotion::AllBut(Vec::new())
            } else {
                Promotion::Listed(self.promote_resource_attribute.clone())
            },
            scope_labels: self.scope_labels,
            target_info: self.target_info,
            external_labels: self.external_label.iter().cloned().collect(),
            ..Translation::default()
        };
        translation.check()?;
        Ok(translation)
    }
}
