//! What a run is asked to do. Plain values: the flags that fill them stand in the binary.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

/// Points that one session sends per interval, on average over its life, Claude Code's own metrics only. Measured by a
/// test beside the generator; it turns a rate into a number of sessions.
pub(crate) const POINTS_PER_EXPORT: f64 = 6.2;

/// The shortest interval: OTel JS stamps milliseconds, and a stream's times must differ by more than its jitter.
pub(crate) const INTERVAL_MIN: Duration = Duration::from_millis(10);

/// What a run does. `Settings::default()` is a small fleet against a local Shardset.
#[derive(Clone, PartialEq, Debug)]
pub struct Settings {
    /// Where requests go.
    pub endpoints: Endpoints,
    /// How sessions are spread over the protocols.
    pub protocols: ProtocolMix,
    /// Sessions alive at one time. `None`: as many as [`Settings::rate`] needs, or 100.
    pub sessions: Option<u32>,
    /// Points per second over the whole fleet. With [`Settings::sessions`] given too, the interval is shortened or
    /// lengthened to fit; otherwise the number of sessions follows from the rate and the interval.
    pub rate: Option<f64>,
    /// How often a session exports. Claude Code's default is 60 s.
    pub interval: Duration,
    /// Exports in a session's life, on average, idle intervals included.
    pub lifetime: u32,
    /// The run ends after this long.
    pub duration: Option<Duration>,
    /// The run ends after this many points.
    pub points: Option<u64>,
    /// Connections per protocol.
    pub connections: u32,
    /// Requests in flight per connection, at most. A session has one at a time, as an SDK has.
    pub in_flight: u32,
    /// Sessions whose exports share one request. 1: each session is a client of its own. More: a relay stands between,
    /// as the Claude apps gateway or a collector does; a relay keeps no order between the requests of a session.
    pub batch: u32,
    /// Share of the sessions that compress with gzip, 0 to 1.
    pub gzip: f64,
    /// How long clients insist.
    pub retry: Retry,
    /// How often clients misbehave.
    pub mischief: MischiefRates,
    /// Points of kinds that Claude Code does not send.
    pub extras: Extras,
    /// Decides the content of every request.
    pub seed: u64,
}

/// Where requests go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoints {
    /// OTLP/gRPC, as `http://host:4317`.
    pub grpc: String,
    /// OTLP/HTTP, as `http://host:4318`; `/v1/metrics` is appended.
    pub http: String,
    /// Certificates for addresses of `https`.
    pub tls: TlsFiles,
}

/// Files in PEM.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct TlsFiles {
    /// The authorities of which servers may have certificates. `None`: those that the system trusts.
    pub authority: Option<PathBuf>,
    /// Certificate and private key of the clients, for servers that ask for them.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// A way to carry OTLP.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Protocol {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP with protobuf bodies.
    HttpProtobuf,
    /// OTLP/HTTP with JSON bodies, written as the JavaScript SDK writes them.
    HttpJson,
}

/// Relative weights of the protocols. Written `grpc=2,http/protobuf=1,http/json=1`; a name alone weighs 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProtocolMix {
    /// Weight of [`Protocol::Grpc`].
    pub grpc: u32,
    /// Weight of [`Protocol::HttpProtobuf`].
    pub http_protobuf: u32,
    /// Weight of [`Protocol::HttpJson`].
    pub http_json: u32,
}

/// How long a client insists. The defaults are those of the JavaScript SDK's HTTP exporter: 5 attempts, pauses from 1 s
/// growing by half up to 5 s, 10 s in all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retry {
    /// One attempt is given up after this long; its fate is then unknown.
    pub timeout: Duration,
    /// Attempts per request, the first included.
    pub attempts: u32,
    /// The pause before the second attempt, where the server names none.
    pub pause: Duration,
    /// The longest pause.
    pub pause_max: Duration,
    /// No attempt begins later than this after the first.
    pub patience: Duration,
}

/// How often clients misbehave, as probabilities per request. The bytes sent again are always the same bytes.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct MischiefRates {
    /// A request is sent again although it was answered with success.
    pub send_twice: f64,
    /// A request is sent over two connections at the same time.
    pub race: f64,
    /// A request is abandoned in flight after a few milliseconds, and sent again.
    pub abandon: f64,
}

/// Points of kinds that Claude Code does not send, each as the number of such points per point of its own.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Extras {
    /// Delta histograms.
    pub histograms: f64,
    /// Delta exponential histograms.
    pub exponential: f64,
    /// Delta sums that rise and fall.
    pub up_down: f64,
    /// Cumulative sums.
    pub cumulative: f64,
    /// Gauges.
    pub gauges: f64,
}

/// Why settings can not be followed.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum InvalidSettings {
    /// Neither a duration nor a number of points.
    #[error("the run would never end: give a duration or a number of points")]
    Endless,
    /// A number that must be above 0 is not.
    #[error("{0} must be above 0")]
    NotPositive(&'static str),
    /// A share or probability is not from 0 to 1.
    #[error("{0} must be from 0 to 1")]
    NotAShare(&'static str),
    /// A protocol's name or weight is wrong.
    #[error("`{0}` is no protocol: write grpc, http/protobuf or http/json, each with =weight if wanted")]
    Protocol(String),
    /// All weights are 0.
    #[error("the mix of protocols is empty")]
    NoProtocol,
}

/// How many sessions, and how often each exports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Pace {
    pub(crate) sessions: u32,
    pub(crate) interval: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            endpoints: Endpoints::default(),
            protocols: ProtocolMix::default(),
            sessions: None,
            rate: None,
            interval: Duration::from_secs(60),
            lifetime: 12,
            duration: None,
            points: None,
            connections: 8,
            in_flight: 8,
            batch: 1,
            gzip: 0.0,
            retry: Retry::default(),
            mischief: MischiefRates::default(),
            extras: Extras::default(),
            seed: 1,
        }
    }
}

impl Default for Endpoints {
    fn default() -> Self {
        let [grpc, http] = ["http://127.0.0.1:4317", "http://127.0.0.1:4318"].map(str::to_owned);
        Self { grpc, http, tls: TlsFiles::default() }
    }
}

impl Default for ProtocolMix {
    fn default() -> Self {
        Self { grpc: 1, http_protobuf: 1, http_json: 1 }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            attempts: 5,
            pause: Duration::from_secs(1),
            pause_max: Duration::from_secs(5),
            patience: Duration::from_secs(10),
        }
    }
}

impl Settings {
    /// Whether these settings can be followed.
    ///
    /// # Errors
    ///
    /// The first that can not.
    pub fn check(&self) -> Result<(), InvalidSettings> {
        if self.duration.is_none() && self.points.is_none() {
            return Err(InvalidSettings::Endless);
        }
        let positive = [
            ("sessions", self.sessions != Some(0)),
            ("rate", self.rate.is_none_or(|rate| rate.is_finite() && rate > 0.0)),
            ("interval", !self.interval.is_zero()),
            ("lifetime", self.lifetime > 0),
            ("connections", self.connections > 0),
            ("in-flight", self.in_flight > 0),
            ("batch", self.batch > 0),
            ("attempts", self.retry.attempts > 0),
        ];
        let shares = [
            ("gzip", self.gzip),
            ("send-twice", self.mischief.send_twice),
            ("race", self.mischief.race),
            ("abandon", self.mischief.abandon),
        ];
        if let Some((name, _)) = positive.into_iter().find(|(_, holds)| !holds) {
            return Err(InvalidSettings::NotPositive(name));
        }
        if let Some((name, _)) = shares.into_iter().find(|(_, share)| !(0.0..=1.0).contains(share)) {
            return Err(InvalidSettings::NotAShare(name));
        }
        if self.protocols.total() == 0 {
            return Err(InvalidSettings::NoProtocol);
        }
        Ok(())
    }

    /// The number of sessions and the interval that follow from what is given.
    pub(crate) fn pace(&self) -> Pace {
        let per_export = POINTS_PER_EXPORT * (1.0 + self.extras.total());
        let interval = self.interval.max(INTERVAL_MIN);
        let Some(rate) = self.rate else {
            return Pace { sessions: self.sessions.unwrap_or(100), interval };
        };
        let interval = match self.sessions {
            Some(sessions) => Duration::from_secs_f64(f64::from(sessions) * per_export / rate).max(INTERVAL_MIN),
            None => interval,
        };
        // A rate that the given sessions can not reach even at the shortest interval takes more sessions.
        let needed = (rate * interval.as_secs_f64() / per_export).round().clamp(1.0, f64::from(u32::MAX));
        Pace { sessions: self.sessions.unwrap_or(1).max(needed as u32), interval }
    }
}

impl Extras {
    pub(crate) fn total(&self) -> f64 {
        self.histograms + self.exponential + self.up_down + self.cumulative + self.gauges
    }
}

impl ProtocolMix {
    pub(crate) fn total(&self) -> u64 {
        u64::from(self.grpc) + u64::from(self.http_protobuf) + u64::from(self.http_json)
    }

    /// The protocol at this place of `0..total()`.
    pub(crate) fn at(&self, place: u64) -> Protocol {
        if place < u64::from(self.grpc) {
            Protocol::Grpc
        } else if place < u64::from(self.grpc) + u64::from(self.http_protobuf) {
            Protocol::HttpProtobuf
        } else {
            Protocol::HttpJson
        }
    }
}

impl FromStr for ProtocolMix {
    type Err = InvalidSettings;

    fn from_str(text: &str) -> Result<Self, InvalidSettings> {
        let mut mix = Self { grpc: 0, http_protobuf: 0, http_json: 0 };
        for part in text.split(',').map(str::trim) {
            let (name, weight) = part.split_once('=').unwrap_or((part, "1"));
            let weight = weight.trim().parse().map_err(|_| InvalidSettings::Protocol(part.to_owned()))?;
            match name.trim() {
                "grpc" => mix.grpc = weight,
                "http/protobuf" => mix.http_protobuf = weight,
                "http/json" => mix.http_json = weight,
                _ => return Err(InvalidSettings::Protocol(part.to_owned())),
            }
        }
        if mix.total() == 0 { Err(InvalidSettings::NoProtocol) } else { Ok(mix) }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grpc => "grpc",
            Self::HttpProtobuf => "http/protobuf",
            Self::HttpJson => "http/json",
        })
    }
}

impl fmt::Display for ProtocolMix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "grpc={},http/protobuf={},http/json={}", self.grpc, self.http_protobuf, self.http_json)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{INTERVAL_MIN, InvalidSettings, POINTS_PER_EXPORT, ProtocolMix, Settings};

    #[test]
    fn a_mix_is_written_as_names_with_weights() {
        let mix: ProtocolMix = "grpc=2, http/json".parse().unwrap();
        assert_eq!(mix, ProtocolMix { grpc: 2, http_protobuf: 0, http_json: 1 });
        assert_eq!(mix.to_string().parse(), Ok(mix));
        assert_eq!("thrift".parse::<ProtocolMix>(), Err(InvalidSettings::Protocol("thrift".to_owned())));
        assert_eq!("grpc=0".parse::<ProtocolMix>(), Err(InvalidSettings::NoProtocol));
    }

    #[test]
    fn settings_that_can_not_be_followed_are_named() {
        let good = Settings { points: Some(1), ..Settings::default() };
        assert_eq!(good.check(), Ok(()));
        assert_eq!(Settings::default().check(), Err(InvalidSettings::Endless));
        let bad = Settings { rate: Some(f64::NAN), ..good.clone() };
        assert_eq!(bad.check(), Err(InvalidSettings::NotPositive("rate")));
        let bad = Settings { gzip: 1.5, ..good };
        assert_eq!(bad.check(), Err(InvalidSettings::NotAShare("gzip")));
    }

    #[test]
    fn a_rate_decides_the_sessions_or_else_the_interval() {
        let minute = Settings { rate: Some(POINTS_PER_EXPORT * 100.0), ..Settings::default() };
        assert_eq!(minute.pace().sessions, 6000);
        let tenfold = Settings { sessions: Some(1000), ..minute.clone() };
        assert_eq!((tenfold.pace().sessions, tenfold.pace().interval), (1000, Duration::from_secs(10)));
        let too_fast = Settings { sessions: Some(1), rate: Some(POINTS_PER_EXPORT * 1000.0), ..minute };
        assert_eq!((too_fast.pace().sessions, too_fast.pace().interval), (10, INTERVAL_MIN));
    }
}
