//! The flags of `shardset local`.

use std::net::SocketAddr;

use clap::Args;
use shardset_model::RoutingKey;

use crate::args::{Configured, CountArgs, ProcessArgs, ReceiveArgs};

/// Run gateway and workers in one process on this machine.
///
/// Send OTLP metrics to it, by gRPC or HTTP; read the totals from the scrape endpoint, or let it write them to one or more
/// destinations, by remote write or OTLP.
#[derive(Clone, Debug, Args)]
#[command(args_override_self = true)]
pub(crate) struct LocalArgs {
    #[command(flatten)]
    pub(crate) receive: ReceiveArgs,

    /// Where /metrics, /healthz, /readyz and /status of this process are served, and /scale is taken.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9465")]
    pub(crate) admin: SocketAddr,

    /// Where the cumulative series are served to a scraping Prometheus (path /metrics).
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9464")]
    pub(crate) scrape: SocketAddr,

    /// How many workers share the streams. Default: as many as before, 3 at first. Another number than before moves
    /// streams, as `shardset scale` does.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) workers: Option<u32>,

    /// What decides the worker of a point: streamID, resource, service, metric, or attributes:NAME,NAME. Default: as before,
    /// streamID at first. Another one than before moves streams.
    #[arg(long, value_name = "KEY")]
    pub(crate) routing_key: Option<RoutingKey>,

    #[command(flatten)]
    pub(crate) count: CountArgs,

    #[command(flatten)]
    pub(crate) process: ProcessArgs,
}

impl Configured for LocalArgs {
    fn process(&self) -> &ProcessArgs {
        &self.process
    }

    fn exports(&mut self) -> Option<&mut CountArgs> {
        Some(&mut self.count)
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::io::Write;
    use std::time::Duration;

    use clap::Parser;

    use super::LocalArgs;
    use crate::args::configured;

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
        assert_eq!((args.workers, args.count.export_interval), (None, Duration::from_secs(15)));
        assert!(args.count.target_info && !args.count.scope_labels);
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
            (&["--durability", "never"], "interval:100ms"),
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
        let args = configured(parse(&flags).expect("a file"), flags.iter().map(OsString::from)).expect("it is fine");
        assert_eq!((args.workers, args.count.scope_labels, args.count.destinations.all().count()), (Some(7), true, 1));
    }
}
