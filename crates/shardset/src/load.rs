//! `shardset load`: flags of the load generator, its progress on stderr, its summary on stdout.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use shardset_load::{
    Endpoints, Extras, MischiefRates, Outcome, Progress, ProtocolMix, Retry, Settings, TlsFiles, VerifySettings,
};
use shardset_process::clock;

/// Send the metrics of a made-up fleet of Claude Code sessions, and check that what was accepted is what arrives.
///
/// Content is decided by the seed: the same flags send the same requests. With --verify the exit code says whether the
/// totals at the other end are exactly those that were accepted.
#[derive(Clone, Debug, Args)]
pub(crate) struct LoadArgs {
    /// Where OTLP/gRPC goes.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4317")]
    otlp_grpc: String,

    /// Where OTLP/HTTP goes; /v1/metrics is appended.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4318")]
    otlp_http: String,

    /// Whose certificates the other end may have, in PEM, where the URLs are of https. Default: whom the system trusts.
    #[arg(long, value_name = "FILE")]
    tls_ca_file: Option<PathBuf>,

    /// A certificate to show to an other end that asks for one, in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_key_file")]
    tls_cert_file: Option<PathBuf>,

    /// The private key of the certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert_file")]
    tls_key_file: Option<PathBuf>,

    /// Weights of grpc, http/protobuf and http/json, such as grpc=2,http/json=1.
    #[arg(long, value_name = "MIX", default_value = "grpc,http/protobuf,http/json")]
    protocols: ProtocolMix,

    /// Sessions alive at a time. Default: what the rate needs, or 100.
    #[arg(long, value_name = "N")]
    sessions: Option<u32>,

    /// Points per second of the whole fleet.
    #[arg(long, value_name = "POINTS")]
    rate: Option<f64>,

    /// How often a session exports.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = humantime::parse_duration)]
    interval: Duration,

    /// Exports in a session's life, on average.
    #[arg(long, value_name = "N", default_value_t = 12)]
    lifetime: u32,

    /// End after this long.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, required_unless_present = "points")]
    duration: Option<Duration>,

    /// End after this many points.
    #[arg(long, value_name = "N")]
    points: Option<u64>,

    /// Connections per protocol.
    #[arg(long, value_name = "N", default_value_t = 8)]
    connections: u32,

    /// Requests in flight per connection.
    #[arg(long, value_name = "N", default_value_t = 8)]
    in_flight: u32,

    /// Sessions that share one request, as behind a relay.
    #[arg(long, value_name = "N", default_value_t = 1)]
    batch: u32,

    /// Share of the sessions that compress with gzip, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    gzip: f64,

    /// How long one attempt may take.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    timeout: Duration,

    /// Attempts per request, the first included.
    #[arg(long, value_name = "N", default_value_t = 5)]
    attempts: u32,

    /// No attempt begins later than this after the first.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    patience: Duration,

    /// Probability that a request is sent again although it was accepted.
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    send_twice: f64,

    /// Probability that a request is sent over two connections at once.
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    race: f64,

    /// Probability that a request is abandoned in flight and sent again.
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    abandon: f64,

    /// Delta histograms, per point of the fleet's own.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    histograms: f64,

    /// Delta exponential histograms, per point of the fleet's own.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    exponential: f64,

    /// Delta sums that rise and fall, per point of the fleet's own.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    up_down: f64,

    /// Cumulative sums, per point of the fleet's own.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    cumulative: f64,

    /// Gauges, per point of the fleet's own.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    gauges: f64,

    /// Decides the content of every request. Default: from the clock, so that a second run is other sessions; it is printed.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Compare what was accepted with what this shows: a scrape endpoint (path /metrics) or a Prometheus (its base URL).
    #[arg(long, value_name = "URL")]
    verify: Option<String>,

    /// How long the totals may take to show.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = humantime::parse_duration)]
    verify_timeout: Duration,

    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
}

/// Sends, reports, verifies.
pub(crate) async fn run(args: LoadArgs) -> anyhow::Result<()> {
    let stop_asked = shardset_process::signals::stop_asked().context("can not wait for signals")?;
    let stop = async move {
        let _signal = stop_asked.await;
    };
    let now = clock::now();
    let settings = args.settings(args.seed.unwrap_or(now.0));
    let outcome = shardset_load::run(&settings, now.millis(), stop, progress).await?;
    print_summary(&outcome, args.json)?;
    let Some(url) = &args.verify else { return Ok(()) };
    let settings = VerifySettings { patience: args.verify_timeout, ..VerifySettings::default() };
    let verdict = shardset_load::verify(&outcome, url, &settings).await?;
    print_line(&verdict.to_string());
    if !verdict.passed() {
        bail!("what {url} shows is not what was accepted");
    }
    Ok(())
}

impl LoadArgs {
    fn settings(&self, seed: u64) -> Settings {
        Settings {
            endpoints: Endpoints {
                grpc: self.otlp_grpc.clone(),
                http: self.otlp_http.clone(),
                tls: TlsFiles {
                    authority: self.tls_ca_file.clone(),
                    identity: self.tls_cert_file.clone().zip(self.tls_key_file.clone()),
                },
            },
            protocols: self.protocols,
            sessions: self.sessions,
            rate: self.rate,
            interval: self.interval,
            lifetime: self.lifetime,
            duration: self.duration,
            points: self.points,
            connections: self.connections,
            in_flight: self.in_flight,
            batch: self.batch,
            gzip: self.gzip,
            retry: Retry {
                timeout: self.timeout,
                attempts: self.attempts,
                patience: self.patience,
                ..Retry::default()
            },
            mischief: MischiefRates { send_twice: self.send_twice, race: self.race, abandon: self.abandon },
            extras: Extras {
                histograms: self.histograms,
                exponential: self.exponential,
                up_down: self.up_down,
                cumulative: self.cumulative,
                gauges: self.gauges,
            },
            seed,
        }
    }
}

fn progress(progress: &Progress) {
    say(format_args!("{progress}"));
}

fn print_summary(outcome: &Outcome, json: bool) -> anyhow::Result<()> {
    let text = if json { serde_json::to_string_pretty(&outcome.summary)? } else { outcome.summary.to_string() };
    print_line(&text);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the summary is what the verb is for")]
fn print_line(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "progress is for the person who waits")]
fn say(text: std::fmt::Arguments<'_>) {
    eprintln!("{text}");
}
