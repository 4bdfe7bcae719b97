//! Streams that leave memory and come back are as if they had stayed.

use std::time::Duration;

use proptest::prelude::*;
use shardset_accumulate::{Place, Settings, Streams};
use shardset_model::UnixNanos;

use crate::script::{Event, Sent, script};
use crate::{restored, send, state};

/// Streams of which some are kept in a list of bytes.
struct Resting {
    streams: Streams,
    kept: Vec<Vec<u8>>,
    journal: Vec<u8>,
}

impl Resting {
    fn lay_all_down(&mut self) {
        for slot in 0..self.streams.slots() {
            let mut encoded = Vec::new();
            if self.streams.encode_stream(slot, &mut encoded) {
                let place = Place { file: 0, offset: self.kept.len() as u64, length: encoded.len() as u32 };
                self.kept.push(encoded);
                assert!(self.streams.lay_down(slot, place, &mut self.journal));
            }
        }
    }

    fn wake(&mut self, sent: &Sent) {
        if let Some(place) = self.streams.place_of(sent.id()) {
            self.streams.wake(&self.kept[place.offset as usize], &mut self.journal).expect("it was written so");
            assert_eq!(self.streams.take_released(), [place]);
        }
    }

    fn wake_all(&mut self) {
        while let Some((_, place)) = self.streams.next_idle(None) {
            self.streams.wake(&self.kept[place.offset as usize], &mut self.journal).expect("it was written so");
        }
    }
}

/// What outlives a process, whatever slots it stands in.
fn contents(streams: &Streams) -> Vec<Vec<u8>> {
    let encoded = |slot| {
        let mut encoded = Vec::new();
        streams.encode_stream(slot, &mut encoded).then_some(encoded)
    };
    let mut all: Vec<Vec<u8>> = (0..streams.slots()).filter_map(encoded).collect();
    all.sort();
    all
}

proptest! {
    #[test]
    fn streams_that_leave_memory_and_come_back_are_as_if_they_had_stayed(events in script(), window in 0..30_u64, points in 1..8_u16) {
        let settings = Settings { dedupe_window: Duration::from_secs(window), dedupe_points: points, ..Settings::default() };
        let (mut stayed, mut base) = (Streams::new(settings), Vec::new());
        let mut resting = Resting { streams: Streams::new(settings), kept: Vec::new(), journal: Vec::new() };
        let mut now = UnixNanos(1_700_000_000_000_000_000);
        for event in events {
            match event {
                Event::Send(sent) => {
                    let expected = send(&mut stayed, &sent, now, &mut Vec::new());
                    resting.wake(&sent);
                    let found = send(&mut resting.streams, &sent, now, &mut resting.journal);
                    prop_assert_eq!(found, expected, "{:?}", sent);
                }
                Event::Wait(seconds) => now = now.plus(Duration::from_secs(seconds)),
                Event::Sweep => resting.lay_all_down(),
                Event::Checkpoint => {
                    base = state(&resting.streams);
                    resting.journal.clear();
                }
                Event::Crash => {
                    let before = state(&resting.streams);
                    let journal = [base.as_slice(), resting.journal.as_slice()].concat();
                    resting.streams = restored(settings, &journal);
                    prop_assert_eq!(state(&resting.streams), before, "the journal loses nothing");
                    resting.streams.take_released();
                }
            }
        }
        resting.wake_all();
        prop_assert_eq!(contents(&resting.streams), contents(&stayed));
    }

    #[test]
    fn a_stream_out_of_memory_is_forgotten_when_its_time_is_over(wait in 0..100_u64) {
        let settings = Settings { forget_after: Duration::from_secs(50), ..Settings::default() };
        let mut resting = Resting { streams: Streams::new(settings), kept: Vec::new(), journal: Vec::new() };
        let now = UnixNanos(1_700_000_000_000_000_000);
        let sent = Sent { stream: 1, start: 5, time: 9, body: crate::script::Body::Int(3) };
        prop_assert!(send(&mut resting.streams, &sent, now, &mut resting.journal).is_ok());
        resting.lay_all_down();
        let later = now.plus(Duration::from_secs(wait));
        let (_, forgotten) = resting.streams.sweep_idle(None, 10, later, &mut resting.journal);
        prop_assert_eq!(forgotten, u64::from(wait > 50));
        prop_assert_eq!(resting.streams.idle() as u64, 1 - forgotten);
        let again = send(&mut restored(settings, &resting.journal), &sent, later, &mut Vec::new());
        prop_assert!(forgotten == 0 || again.is_err(), "its floor is kept for the window");
    }
}
