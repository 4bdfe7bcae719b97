//! The flags of `shardset local`. A key of the configuration file has the same name and the same meaning.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use bytesize::ByteSize;
use clap::{Args, FromArgMatches, ValueEnum};
use shardset_model::RoutingKey;
use shardset_remote_write::Strategy;

use super::RemoteWriteTable;
use crate::cli::LogArgs;
use crate::config_file::ConfigFile;

/// Run gateway and workers in one process on this machine.
///
/// Send OTLP metrics to it, by gRPC or HTTP; read the totals from the scrape endpoint, or let it write them to one or more
/// remote-write destinations.
#[derive(Clone, Debug, Args)]
#[command(args_override_self = true)]
pub(crate) struct LocalArgs {
    /// Where OTLP/gRPC is received.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4317")]
    pub(crate) otlp_grpc: SocketAddr,

    /// Where OTLP/HTTP is received (path /v1/metrics, protobuf or JSON).
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4318")]
    pub(crate) otlp_http: SocketAddr,

    /// Where /metrics, /healthz and /readyz of this process are served.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9465")]
    pub(crate) admin: SocketAddr,

    /// Where the cumulative series are served to a scraping Prometheus (path /metrics).
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9464")]
    pub(crate) scrape: SocketAddr,

    /// How many workers share the streams. Keep it over restarts: a change starts streams anew that move.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) workers: u32,

    /// Where state is kept over a restart.
    #[arg(long, value_name = "DIRECTORY", default_value = "shardset-data")]
    pub(crate) data_dir: PathBuf,

    /// A remote-write 1.0 destination; may be given several times. Credentials, headers and TLS: see [[remote-write]] in
    /// the configuration file.
    #[arg(long, value_name = "URL")]
    pub(crate) remote_write: Vec<String>,

    /// Time between samples of one series.
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = interval)]
    pub(crate) export_interval: Duration,

    /// How often a series that does not change is repeated.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = interval)]
    pub(crate) heartbeat: Duration,

    /// What decides the worker of a point: streamID, resource, service, metric, or attributes:NAME,NAME.
    #[arg(long, value_name = "KEY", default_value = "streamID")]
    pub(crate) routing_key: RoutingKey,

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

    /// How many streams all workers together may have; above it points of new streams are refused. Default: what half of
    /// the memory holds.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_streams: Option<u64>,

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

    /// The largest request taken, before and after decompression.
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = size)]
    pub(crate) max_request_size: usize,

    /// How many bytes of unanswered requests may be held; above it clients are told to come back.
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = size)]
    pub(crate) max_in_flight: usize,

    /// How long a stop may take to deliver what is not delivered yet.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(crate) stop_grace: Duration,

    /// A TOML file with settings; its keys are the names of these flags, which win over it.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) logs: LogArgs,

    /// Destinations of the configuration file.
    #[arg(skip)]
    pub(crate) destinations: Vec<RemoteWriteTable>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum WritersArg {
    Many,
    One,
}

impl LocalArgs {
    /// The settings of the file named by `--config`, overridden by those of `command_line` (the flags behind the verb).
    pub(crate) fn with_config_file(self, command_line: impl Iterator<Item = OsString>) -> anyhow::Result<Self> {
        let Some(path) = self.config.clone() else {
            let destinations = self.remote_write.iter().map(|url| RemoteWriteTable::of_url(url)).collect();
            return Ok(Self { destinations, ..self });
        };
        let file = ConfigFile::read(&path, &verb())?;
        parse(file.flags.clone())
            .with_context(|| format!("the configuration file {} can not be used", path.display()))?;
        let both = parse(file.flags.into_iter().chain(command_line))?;
        let destinations = match both.remote_write.as_slice() {
            [] => file.remote_write,
            urls => urls.iter().map(|url| RemoteWriteTable::of_url(url)).collect(),
        };
        Ok(Self { destinations, ..both })
    }
}

fn verb() -> clap::Command {
    LocalArgs::augment_args(clap::Command::new("local").no_binary_name(true))
}

fn parse(flags: impl IntoIterator<Item = OsString>) -> anyhow::Result<LocalArgs> {
    Ok(LocalArgs::from_arg_matches(&verb().try_get_matches_from(flags)?)?)
}

fn interval(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration >= Duration::from_millis(10) => Ok(duration),
        Ok(_) => Err("it must be at least 10ms".to_owned()),
        Err(error) => Err(format!("{error}; examples: 15s, 1m 30s, 24h")),
    }
}

fn size(text: &str) -> Result<usize, String> {
    let bytes: ByteSize = text.parse().map_err(|error| format!("{error}; examples: 64MiB, 1GiB"))?;
    match usize::try_from(bytes.as_u64()) {
        Ok(bytes) if bytes >= 1024 => Ok(bytes),
        _ => Err("it must be at least 1KiB".to_owned()),
    }
}

fn external_label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("it must be name=value".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::io::Write;
    use std::time::Duration;

    use clap::Parser;

    use super::LocalArgs;

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        local: LocalArgs,
    }

    fn parse(flags: &[&str]) -> Result<LocalArgs, clap::Error> {
        Alone::try_parse_from(std::iter::once(&"shardset").chain(flags)).map(|alone| alone.local)
    }

    #[test]
    fn no_flag_is_needed() {
        let args = parse(&[]).expect("defaults");
        assert_eq!((args.workers, args.export_interval), (3, Duration::from_secs(15)));
        assert!(args.target_info && !args.scope_labels);
    }

    #[test]
    fn bad_values_say_what_would_do() {
        for (flags, says) in [
            (&["--workers", "0"][..], "1..=1000"),
            (&["--export-interval", "1ms"], "at least 10ms"),
            (&["--export-interval", "soon"], "examples: 15s"),
            (&["--max-request-size", "big"], "examples: 64MiB"),
            (&["--routing-key", "streamid"], "streamID, resource, service, metric"),
            (&["--external-label", "a"], "name=value"),
        ] {
            let error = parse(flags).expect_err("it is wrong").to_string();
            assert!(error.contains(says), "{flags:?}: {error}");
        }
    }

    #[test]
    fn the_file_sets_what_the_command_line_does_not() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        writeln!(file, "workers = 5\nscope-labels = true\nremote-write = [\"http://a/w\"]").expect("written");
        let path = file.path().to_str().expect("utf-8");
        let flags = ["--config", path, "--workers", "7"];
        let args =
            parse(&flags).expect("a file").with_config_file(flags.iter().map(OsString::from)).expect("it is fine");
        assert_eq!((args.workers, args.scope_labels, args.destinations.len()), (7, true, 1));
    }
}
