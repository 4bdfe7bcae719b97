//! One Claude Code session: who runs it, what it records in an interval, and the points that an export makes of that.
//!
//! Starts and times follow what OpenTelemetry's JavaScript SDK really sends: a stream that was in the previous export
//! starts where that one ended; any other starts at its first recording, so there is a gap before it; a recording in the
//! same millisecond as the export has `start == time`; an interval without recordings sends nothing.

use std::collections::HashMap;
use std::sync::Arc;

use super::point::{Point, Stream, Value};
use crate::Protocol;
use crate::ledger::StreamName;
use crate::metric::{
    ACTIVE_TIME, COMMITS, COST, DECISIONS, DURATION, HANDLED, Kind, LINES_OF_CODE, Metric, PULL_REQUESTS, QUEUE,
    SESSION_COUNT, SIZE, TEMPERATURE, TOKENS, canonical,
};
use crate::payload::Attributes;
use crate::random::Random;
use crate::settings::{Extras, Settings};

/// A session alive.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) index: u64,
    pub(crate) protocol: Protocol,
    pub(crate) gzip: bool,
    pub(crate) resource: Attributes,
    /// What stands on each of its points.
    pub(crate) attributes: Attributes,
    /// The same in canonical writing.
    label: Arc<str>,
    random: Random,
    model: &'static str,
    streams: HashMap<(&'static str, String), State>,
    /// Exports so far, idle ones included.
    exports: u64,
    /// How many there will be.
    lifetime: u64,
    born: i64,
    previous_export: i64,
}

#[derive(Debug)]
struct State {
    stream: Arc<Stream>,
    /// The number of the last export that it was in; 0 for none.
    reported: u64,
    /// For cumulative streams.
    total: f64,
}

/// Something recorded in an interval: the attributes that tell its stream apart, and the value.
struct Recording {
    metric: &'static Metric,
    attributes: Vec<(&'static str, &'static str)>,
    value: Value,
}

const MODELS: [&str; 3] = ["claude-opus-4-5", "claude-sonnet-4-5", "claude-opus-4-5[1m]"];
const SMALL_MODEL: &str = "claude-haiku-4-5";
const TERMINALS: [&str; 4] = ["iTerm.app", "vscode", "cursor", "tmux"];
const LANGUAGES: [&str; 4] = ["Rust", "TypeScript", "Python", "Go"];
const ROUTES: [&str; 8] = ["/a", "/b", "/c", "/d", "/e", "/f", "/g", "/h"];

/// How often a session has nothing to say in an interval.
const IDLE: f64 = 0.25;
/// How many sessions end after one or two exports.
const SHORT: f64 = 0.2;

impl Session {
    /// The `index`-th session of the fleet, born at `born` (Unix time in ms).
    pub(crate) fn new(index: u64, born: i64, settings: &Settings) -> Self {
        let mut random = Random::new(settings.seed, index + 1);
        let protocol = settings.protocols.at(random.below(settings.protocols.total()));
        let gzip = random.chance(settings.gzip);
        let person = person(settings.seed, &mut random, index);
        let lifetime = lifetime(&mut random, u64::from(settings.lifetime));
        let resource = resource(&mut random);
        Self {
            index,
            protocol,
            gzip,
            resource: Attributes::new(protocol, &resource),
            label: canonical(person.iter().map(|(key, value)| (*key, value.as_str()))).into(),
            attributes: Attributes::new(protocol, &person),
            model: random.pick(&MODELS),
            random,
            streams: HashMap::new(),
            exports: 0,
            lifetime,
            born,
            previous_export: born,
        }
    }

    /// Whether it has exported for the last time.
    pub(crate) fn is_over(&self) -> bool {
        self.exports >= self.lifetime
    }

    /// The points of the export at `now`. None where nothing was recorded since the one before.
    pub(crate) fn export(&mut self, now: i64, extras: &Extras) -> Vec<Point> {
        self.exports += 1;
        let mut recordings = Vec::new();
        if self.exports == 1 {
            let start = self.random.pick(&["fresh", "fresh", "resume", "continue"]);
            recordings.push(counted(&SESSION_COUNT, vec![("start_type", start)], 1.0));
        }
        if !self.random.chance(IDLE) {
            self.work(&mut recordings);
        }
        let own = recordings.len();
        self.extra(&mut recordings, own, extras);
        let points = recordings.into_iter().map(|recording| self.point(recording, now)).collect();
        self.previous_export = now;
        points
    }

    /// An active interval.
    fn work(&mut self, recordings: &mut Vec<Recording>) {
        self.answer(recordings, self.model, "main", 0.9);
        if self.random.chance(0.3) {
            self.answer(recordings, SMALL_MODEL, "auxiliary", 0.5);
        }
        recordings.push(counted(&ACTIVE_TIME, vec![("type", "cli")], self.random.exact(60)));
        if self.random.chance(0.7) {
            recordings.push(counted(&ACTIVE_TIME, vec![("type", "user")], self.random.exact(30)));
        }
        for (kind, probability) in [("added", 0.35), ("removed", 0.25)] {
            if self.random.chance(probability) {
                let lines = self.random.between(1, 200) as f64;
                recordings.push(counted(&LINES_OF_CODE, vec![("type", kind), ("model", self.model)], lines));
            }
        }
        if self.random.chance(0.3) {
            recordings.push(self.decision());
        }
        for (metric, probability) in [(&COMMITS, 0.05), (&PULL_REQUESTS, 0.02)] {
            if self.random.chance(probability) {
                recordings.push(counted(metric, Vec::new(), 1.0));
            }
        }
    }

    /// What a model's answers used up.
    fn answer(&mut self, recordings: &mut Vec<Recording>, model: &'static str, source: &'static str, each: f64) {
        let attributes = [("model", model), ("query_source", source), ("effort", "high")];
        for (kind, most) in [("input", 2_000), ("output", 4_000), ("cacheRead", 150_000), ("cacheCreation", 20_000)] {
            if self.random.chance(each) {
                let tokens = self.random.between(1, most) as f64;
                let attributes = [("type", kind)].into_iter().chain(attributes).collect();
                recordings.push(counted(&TOKENS, attributes, tokens));
            }
        }
        recordings.push(counted(&COST, attributes.to_vec(), self.random.exact(2)));
    }

    fn decision(&mut self) -> Recording {
        let (decision, source) = self.random.pick(&[
            ("accept", "config"),
            ("accept", "user_permanent"),
            ("accept", "user_temporary"),
            ("reject", "user_reject"),
        ]);
        let attributes = vec![
            ("tool_name", self.random.pick(&["Edit", "Write", "NotebookEdit"])),
            ("decision", decision),
            ("source", source),
            ("language", self.random.pick(&LANGUAGES)),
        ];
        counted(&DECISIONS, attributes, self.random.between(1, 5) as f64)
    }

    /// Points of other kinds, in proportion to the `own` ones.
    fn extra(&mut self, recordings: &mut Vec<Recording>, own: usize, extras: &Extras) {
        let kinds: [(&'static Metric, f64); 5] = [
            (&DURATION, extras.histograms),
            (&SIZE, extras.exponential),
            (&QUEUE, extras.up_down),
            (&HANDLED, extras.cumulative),
            (&TEMPERATURE, extras.gauges),
        ];
        for (metric, share) in kinds.into_iter().filter(|(_, share)| *share > 0.0) {
            let wanted = own as f64 * share;
            let count = wanted as usize + usize::from(self.random.chance(wanted.fract()));
            for route in ROUTES.into_iter().take(count) {
                let value = value(metric.kind, &mut self.random);
                recordings.push(Recording { metric, attributes: vec![("route", route)], value });
            }
        }
    }

    fn point(&mut self, recording: Recording, now: i64) -> Point {
        let Recording { metric, attributes, mut value } = recording;
        let key = (metric.name, canonical(attributes.iter().copied()));
        let (label, protocol) = (&self.label, self.protocol);
        let state = self.streams.entry(key).or_insert_with_key(|(_, canonical)| {
            let name = StreamName { metric, session: Arc::clone(label), attributes: canonical.as_str().into() };
            let attributes = Attributes::new(protocol, &attributes);
            State { stream: Arc::new(Stream { name: Arc::new(name), attributes }), reported: 0, total: 0.0 }
        });
        let in_previous = state.reported + 1 == self.exports && self.exports > 1;
        state.reported = self.exports;
        if let (Kind::Cumulative, Value::Number(number)) = (metric.kind, &mut value) {
            state.total += *number;
            *number = state.total;
        }
        let stream = Arc::clone(&state.stream);
        let start = match metric.kind {
            Kind::Cumulative | Kind::Gauge => self.born,
            _ if in_previous => self.previous_export,
            _ if self.random.chance(0.03) => now,
            _ => now - self.random.below((now - self.previous_export) as u64) as i64,
        };
        Point { stream, start, time: now, value }
    }
}

fn counted(metric: &'static Metric, attributes: Vec<(&'static str, &'static str)>, number: f64) -> Recording {
    Recording { metric, attributes, value: Value::Number(number) }
}

fn value(kind: Kind, random: &mut Random) -> Value {
    match kind {
        Kind::Histogram => Value::histogram(random),
        Kind::Exponential => Value::exponential(random),
        Kind::UpDown if random.chance(0.5) => Value::Number(-random.exact(10)),
        Kind::Counter | Kind::UpDown | Kind::Cumulative | Kind::Gauge => Value::Number(random.exact(10)),
    }
}

/// Who runs the session. One in ten is known by an API key only; the others share people, two sessions to one on average.
fn person(seed: u64, random: &mut Random, index: u64) -> Vec<(&'static str, String)> {
    let mut attributes = vec![("session.id", random.uuid())];
    let someone = random.below(index / 2 + 1);
    // People are parts of the seed too, counted down from the top so that they never meet the sessions.
    let mut person = Random::new(seed, u64::MAX - someone);
    attributes.push(("user.id", person.hex(64)));
    if random.chance(0.1) {
        return attributes;
    }
    attributes.push(("organization.id", Random::new(seed, 0).uuid()));
    attributes.push(("user.account_uuid", person.uuid()));
    attributes.push(("user.account_id", format!("user_{}", person.hex(24))));
    attributes.push(("user.email", format!("person{someone}@example.com")));
    attributes.push(("terminal.type", random.pick(&TERMINALS).to_owned()));
    attributes
}

fn resource(random: &mut Random) -> Vec<(&'static str, String)> {
    let (os, version, arch) = random.pick(&[
        ("darwin", "25.1.0", "arm64"),
        ("linux", "6.8.0-51-generic", "amd64"),
        ("windows", "10.0.26100", "amd64"),
    ]);
    [
        ("host.arch", arch),
        ("os.type", os),
        ("os.version", version),
        ("service.name", "claude-code"),
        ("service.version", "2.1.239"),
    ]
    .map(|(key, value)| (key, value.to_owned()))
    .to_vec()
}

/// How many exports a session lives: some are over at once, the others are spread evenly so that the mean is `mean`.
fn lifetime(random: &mut Random, mean: u64) -> u64 {
    if random.chance(SHORT) {
        return random.between(1, 2.min(mean));
    }
    let rest = ((mean as f64 - SHORT * 1.5) / (1.0 - SHORT)).max(1.0) as u64;
    random.between(1, 2 * rest - 1)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};

    use super::Session;
    use crate::metric::{SESSION_KEYS, STREAM_KEYS};
    use crate::settings::{Extras, POINTS_PER_EXPORT, Settings};

    const BORN: i64 = 1_800_000_000_000;

    #[test]
    fn starts_follow_the_javascript_sdk() {
        let extras = Extras::default();
        let mut gaps = 0;
        let mut points_at_once = 0;
        for index in 0..200 {
            let mut session = Session::new(index, BORN, &Settings::default());
            let mut last: HashMap<String, i64> = HashMap::new();
            let mut now = BORN;
            while !session.is_over() {
                let previous = now;
                now += 60_000;
                for point in session.export(now, &extras) {
                    let before = last.insert(point.stream.name.to_string(), now);
                    assert_eq!(point.time, now);
                    if before == Some(previous) {
                        assert_eq!(point.start, previous, "a stream of the previous export is contiguous");
                    } else {
                        assert!(point.start > previous && point.start <= now, "others start at their first recording");
                        gaps += usize::from(before.is_some());
                        points_at_once += usize::from(point.start == now);
                    }
                }
            }
        }
        assert!(gaps > 100 && points_at_once > 20, "{gaps} gaps, {points_at_once} of no length");
    }

    #[test]
    fn an_export_names_a_stream_once() {
        let extras = Extras { histograms: 2.0, exponential: 1.0, up_down: 0.5, cumulative: 0.5, gauges: 0.5 };
        let mut session = Session::new(7, BORN, &Settings::default());
        for export in 1..50 {
            let points = session.export(BORN + export * 1000, &extras);
            let names: BTreeSet<_> = points.iter().map(|point| point.stream.name.to_string()).collect();
            assert_eq!(names.len(), points.len());
        }
    }

    #[test]
    fn a_rate_is_turned_into_sessions_by_the_points_that_they_really_send() {
        let (mut points, mut exports) = (0, 0);
        for index in 0..2000 {
            let mut session = Session::new(index, BORN, &Settings::default());
            while !session.is_over() {
                exports += 1;
                points += session.export(BORN + exports * 1000, &Extras::default()).len();
            }
        }
        let measured = points as f64 / exports as f64;
        assert!((measured / POINTS_PER_EXPORT - 1.0).abs() < 0.02, "{measured} points per export");
        let lifetime = exports as f64 / 2000.0;
        assert!((lifetime / 12.0 - 1.0).abs() < 0.05, "{lifetime} exports per session");
    }

    #[test]
    fn every_attribute_is_known_to_the_verification() {
        let extras = Extras { histograms: 1.0, ..Extras::default() };
        let key = |label: &str| label.split_once('=').unwrap().0.to_owned();
        for index in 0..50 {
            let mut session = Session::new(index, BORN, &Settings::default());
            for export in 1..20 {
                for point in session.export(BORN + export * 1000, &extras) {
                    let session_labels = SESSION_KEYS.map(|key| key.replace('.', "_"));
                    assert!(point.stream.name.session.split(',').all(|label| session_labels.contains(&key(label))));
                    let own = point.stream.name.attributes.split(',').filter(|label| !label.is_empty());
                    assert!(own.map(key).all(|label| STREAM_KEYS.contains(&label.as_str())));
                }
            }
        }
    }
}
