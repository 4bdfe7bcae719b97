//! The sequence of requests that a seed means.
//!
//! Sessions live in slots; when one is over, a new one takes its place, so the number alive stays the same. The fleet
//! runs on a timeline of its own, from `base` on: each request says when it is due, and its points are stamped as if it
//! had been sent just then. So the content depends on the settings, the seed and `base` alone, and not on how fast the
//! server was.
//!
//! It encodes the requests too, so that what is compared in a test of determinism is the very bytes.

mod point;
mod session;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use bytes::Bytes;
use shardset_model::UnixMillis;

pub(crate) use point::{Moments, Point, Value};
use session::Session;

use crate::ledger::Recorded;
use crate::payload::Body;
use crate::random::Random;
use crate::settings::{Extras, MischiefRates, Protocol, Settings};

/// One request.
#[derive(Clone, PartialEq, Debug)]
pub struct Export {
    /// When it is to be sent, after `base`.
    pub due: Duration,
    /// Requests of one lane keep their order: without a relay, one session's.
    pub lane: u64,
    /// How it is carried.
    pub protocol: Protocol,
    /// Whether it is compressed on the way.
    pub gzip: bool,
    /// How its client misbehaves.
    pub mischief: Mischief,
    /// How many points it has.
    pub points: u64,
    /// An `ExportMetricsServiceRequest`, uncompressed.
    pub body: Bytes,
    pub(crate) recorded: Vec<Recorded>,
}

/// How a client misbehaves with a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mischief {
    /// Not at all.
    None,
    /// It sends the request again although it was answered with success.
    SendTwice,
    /// It sends the request over two connections at the same time.
    Race,
    /// It abandons the request in flight after this long, and sends it again.
    Abandon(Duration),
}

/// All sessions, and the requests that they send, in order of time and without end.
#[derive(Debug)]
pub struct Fleet {
    settings: Settings,
    interval: i64,
    base: i64,
    slots: Vec<Session>,
    /// When each slot exports next (Unix ms), earliest first.
    agenda: BinaryHeap<Reverse<(i64, usize)>>,
    started: u64,
    random: Random,
    /// Requests of relays that are not full yet, by protocol and compression.
    relays: Vec<(Protocol, bool, Body, Vec<Recorded>)>,
    sent: u64,
}

impl Fleet {
    /// The fleet that these settings mean, beginning at `base`.
    pub fn new(settings: &Settings, base: UnixMillis) -> Self {
        let pace = settings.pace();
        let interval = i64::try_from(pace.interval.as_millis()).unwrap_or(i64::MAX);
        let mut random = Random::new(settings.seed, 0);
        let mut fleet = Self {
            settings: settings.clone(),
            interval,
            base: base.0,
            slots: Vec::new(),
            agenda: BinaryHeap::new(),
            started: 0,
            random: random.clone(),
            relays: Vec::new(),
            sent: 0,
        };
        // All are born in the interval before the base, so that exports are spread evenly from the first moment on.
        for slot in 0..pace.sessions as usize {
            let next = base.0 + random.below(interval as u64) as i64;
            let session = fleet.born(next - interval);
            fleet.slots.push(session);
            fleet.agenda.push(Reverse((next, slot)));
        }
        fleet.random = random;
        fleet
    }

    /// How many sessions are alive at a time.
    pub fn sessions(&self) -> usize {
        self.slots.len()
    }

    /// How many sessions there have been so far.
    pub fn sessions_started(&self) -> u64 {
        self.started
    }

    /// The next request.
    pub fn next_export(&mut self) -> Export {
        loop {
            if let Some(export) = self.step() {
                return export;
            }
        }
    }

    /// One session's next export; a request where that fills one.
    fn step(&mut self) -> Option<Export> {
        let Reverse((now, slot)) = self.agenda.pop().expect("every slot is always on the agenda");
        let jitter = self.random.below((self.interval as u64 / 4).min(4)) as i64;
        self.agenda.push(Reverse((now + self.interval + jitter, slot)));
        let session = &mut self.slots[slot];
        let points = session.export(now, &self.settings.extras);
        let (index, protocol, gzip) = (session.index, session.protocol, session.gzip);
        let export = if points.is_empty() {
            None
        } else {
            let mut body = Body::new(protocol);
            body.push(&session.resource, &session.attributes, &points);
            let recorded = points.iter().map(Point::recorded).collect();
            self.request(now, index, (protocol, gzip, body, recorded))
        };
        if self.slots[slot].is_over() {
            self.slots[slot] = self.born(now);
        }
        export
    }

    fn born(&mut self, at: i64) -> Session {
        let session = Session::new(self.started, at, &self.settings);
        self.started += 1;
        session
    }

    /// A session's part as a request, or put into a relay's request until that is full.
    fn request(&mut self, now: i64, lane: u64, part: (Protocol, bool, Body, Vec<Recorded>)) -> Option<Export> {
        let (protocol, gzip, body, recorded) = part;
        if self.settings.batch == 1 {
            return Some(self.emit(now, lane, (protocol, gzip, body, recorded)));
        }
        let relay = self.relays.iter().position(|relay| (relay.0, relay.1) == (protocol, gzip));
        let relay = relay.unwrap_or_else(|| {
            self.relays.push((protocol, gzip, Body::new(protocol), Vec::new()));
            self.relays.len() - 1
        });
        self.relays[relay].2.append(body);
        self.relays[relay].3.extend(recorded);
        if self.relays[relay].2.parts() < self.settings.batch {
            return None;
        }
        let full = self.relays.swap_remove(relay);
        Some(self.emit(now, self.sent, full))
    }

    fn emit(&mut self, now: i64, lane: u64, part: (Protocol, bool, Body, Vec<Recorded>)) -> Export {
        let (protocol, gzip, body, recorded) = part;
        self.sent += 1;
        Export {
            due: Duration::from_millis((now - self.base) as u64),
            lane,
            protocol,
            gzip,
            mischief: mischief(&mut self.random, &self.settings.mischief),
            points: recorded.len() as u64,
            body: body.finish(),
            recorded,
        }
    }
}

fn mischief(random: &mut Random, rates: &MischiefRates) -> Mischief {
    let (twice, race, abandon) = (random.unit(), random.unit(), random.unit());
    let after = Duration::from_micros(random.below(5_000));
    if abandon < rates.abandon {
        Mischief::Abandon(after)
    } else if race < rates.race {
        Mischief::Race
    } else if twice < rates.send_twice {
        Mischief::SendTwice
    } else {
        Mischief::None
    }
}

impl Extras {
    /// A little of everything.
    pub const SOME: Self = Self { histograms: 0.1, exponential: 0.1, up_down: 0.1, cumulative: 0.1, gauges: 0.1 };
}

#[cfg(test)]
mod tests;
