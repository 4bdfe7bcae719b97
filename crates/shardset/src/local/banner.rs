//! What `shardset local` says first: where to send, where to look.

use shardset_gateway::receive::Addresses;

use super::{LocalArgs, Served};

/// Everything that a user needs to know to go on.
pub(super) struct Banner<'a> {
    pub(super) addresses: Addresses,
    pub(super) served: Served,
    pub(super) workers: usize,
    pub(super) args: &'a LocalArgs,
}

impl Banner<'_> {
    #[expect(clippy::print_stdout, reason = "it is for the person who started it")]
    pub(super) fn print(&self) {
        println!("{}", self.text());
    }

    fn text(&self) -> String {
        let Self { addresses, served, workers, args } = self;
        let urls: Vec<&str> = args.count.destinations.all().map(|(_, table)| table.url.as_str()).collect();
        let written_to = match urls.as_slice() {
            [] => "nowhere; scrape them, or give --remote-write URL or --export-otlp URL".to_owned(),
            all => all.join(", "),
        };
        format!(
            "shardset local {version}: {workers} workers, state in {data}\n\
             \n\
             Send OTLP metrics to\n\
             \x20 gRPC   http://{grpc}\n\
             \x20 HTTP   http://{http}/v1/metrics   (protobuf or JSON)\n\
             \n\
             Cumulative series\n\
             \x20 scrape      http://{scrape}/metrics\n\
             \x20 written to  {written_to}   (every {interval})\n\
             \n\
             This process\n\
             \x20 http://{admin}/metrics, /healthz, /readyz, /status\n\
             \x20 more or fewer workers: shardset scale N --admin {admin}\n\
             \n\
             Claude Code: CLAUDE_CODE_ENABLE_TELEMETRY=1 OTEL_METRICS_EXPORTER=otlp \\\n\
             \x20 OTEL_EXPORTER_OTLP_PROTOCOL=grpc OTEL_EXPORTER_OTLP_ENDPOINT=http://{grpc} claude",
            version = env!("CARGO_PKG_VERSION"),
            data = args.count.data_dir.display(),
            grpc = addresses.grpc,
            http = addresses.http,
            scrape = served.scrape,
            interval = humantime::format_duration(args.count.export_interval),
            admin = served.admin,
        )
    }
}
