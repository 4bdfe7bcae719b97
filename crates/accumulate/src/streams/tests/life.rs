//! How streams end, are forgotten, come back, and what destinations learn of it.

use shardset_model::{Exemplar, Refusal, UnixMillis, UnixNanos, Value};

use super::fixtures::{NOW, after, apply_at, outcome, point, short_lives, value};
use crate::{Outcome, Streams, Swept};

fn swept(streams: &mut Streams, seconds: u64) -> (u32, u32) {
    let Swept { ended, forgotten, .. } = streams.sweep(after(seconds), 100, |_| {});
    (ended, forgotten)
}

fn one_stream() -> Streams {
    let mut streams = Streams::new(short_lives());
    outcome(&mut streams, &point(1, 10, Value::Int(3))).unwrap();
    streams
}

#[test]
fn a_stream_ends_after_max_stale_and_is_forgotten_after_forget_after() {
    let mut streams = one_stream();
    assert_eq!(swept(&mut streams, 10), (0, 0));
    assert_eq!(swept(&mut streams, 11), (1, 0));
    assert_eq!(swept(&mut streams, 100), (0, 0));
    assert_eq!(value(&streams), Value::Int(3), "an ended stream keeps its total");
    assert_eq!(swept(&mut streams, 101), (0, 1));
    assert!(streams.is_empty());
}

#[test]
fn a_stream_that_comes_back_before_it_is_forgotten_continues_its_total() {
    let mut streams = one_stream();
    swept(&mut streams, 11);
    apply_at(&mut streams, &point(20, 30, Value::Int(4)), after(50)).unwrap();
    assert_eq!((value(&streams), streams.get(0).unwrap().ended()), (Value::Int(7), None));
    assert_eq!(swept(&mut streams, 60), (0, 0));
}

#[test]
fn refused_points_and_duplicates_keep_no_stream_alive() {
    let mut streams = one_stream();
    assert_eq!(apply_at(&mut streams, &point(1, 10, Value::Int(3)), after(5)).unwrap().outcome, Outcome::Duplicate);
    assert_eq!(apply_at(&mut streams, &point(1, 9, Value::Int(3)), after(9)), Err(Refusal::TooOld));
    assert_eq!(swept(&mut streams, 11), (1, 0));
}

#[test]
fn a_forgotten_stream_keeps_its_floor_for_the_window_and_then_begins_anew() {
    let mut streams = one_stream();
    swept(&mut streams, 11);
    swept(&mut streams, 101);
    assert_eq!(apply_at(&mut streams, &point(1, 10, Value::Int(3)), after(106)), Err(Refusal::TooOld));
    assert!(streams.is_empty(), "a refused point makes no stream");
    let mut back = one_stream();
    swept(&mut back, 11);
    swept(&mut back, 101);
    apply_at(&mut back, &point(20, 30, Value::Int(4)), after(102)).unwrap();
    assert_eq!((value(&back), back.get(0).unwrap().start()), (Value::Int(4), UnixNanos(20)));
    assert_eq!(apply_at(&mut back, &point(1, 10, Value::Int(3)), after(103)), Err(Refusal::TooOld));
    apply_at(&mut streams, &point(1, 10, Value::Int(3)), after(107)).unwrap();
    assert_eq!(value(&streams), Value::Int(3), "after the window nothing is known of it");
}

#[test]
fn a_sweep_goes_on_where_the_last_one_stopped() {
    let mut streams = Streams::new(short_lives());
    for id in 0..10_u128 {
        let mut point = point(1, 10, Value::Int(1));
        point.stream = shardset_model::StreamId::from_digest(id << 64);
        outcome(&mut streams, &point).unwrap();
    }
    let ended: Vec<u32> = (0..4).map(|_| streams.sweep(after(11), 3, |_| {}).ended).collect();
    assert_eq!(ended, [3, 3, 3, 1]);
}

#[test]
fn generations_tell_each_destination_what_is_new() {
    let mut streams = one_stream();
    let life = |streams: &Streams| {
        let stream = streams.get(0).unwrap();
        (stream.born(), stream.changed(), stream.ended())
    };
    assert_eq!(life(&streams), (1, 1, None));
    assert_eq!(streams.begin_pass(), 1);
    apply_at(&mut streams, &point(10, 20, Value::Int(1)), NOW).unwrap();
    assert_eq!(life(&streams), (1, 2, None));
    assert_eq!(streams.begin_pass(), 2);
    swept(&mut streams, 11);
    assert_eq!(life(&streams), (1, 2, Some(3)));
    streams.mark_told(0, UnixMillis(5));
    streams.mark_told(0, UnixMillis(4));
    assert_eq!(streams.get(0).unwrap().told(), Some(UnixMillis(5)));
}

#[test]
fn what_an_earlier_life_told_is_not_new_in_the_next() {
    let mut streams = one_stream();
    let mut encoded = Vec::new();
    assert!(streams.encode_stream(0, &mut encoded));
    let mut fresh = Streams::new(short_lives());
    fresh.begin_pass();
    fresh.install(&encoded, &mut Vec::new()).unwrap();
    assert_eq!((fresh.get(0).unwrap().born(), fresh.get(0).unwrap().changed()), (2, 2));

    swept(&mut streams, 11);
    streams.mark_told(0, UnixMillis(5));
    encoded.clear();
    assert!(streams.encode_stream(0, &mut encoded));
    let mut told = Streams::new(short_lives());
    told.install(&encoded, &mut Vec::new()).unwrap();
    let stream = told.get(0).unwrap();
    let after = Some(UnixMillis(6));
    assert_eq!(
        (stream.born(), stream.ended(), stream.told()),
        (0, Some(0), after),
        "a backend keeps one value of a time"
    );
}

#[test]
fn exemplars_go_to_each_destination_once_and_end_with_the_stream() {
    let exemplar =
        Exemplar { time: UnixNanos(9), value: 1.0, trace_id: &[1; 16], span_id: &[2; 8], filtered_attributes: &[] };
    let exemplars = [exemplar];
    let mut streams = Streams::new(short_lives());
    let mut traced = point(1, 10, Value::Int(3));
    traced.exemplars = &exemplars;
    outcome(&mut streams, &traced).unwrap();
    let done = streams.begin_pass();
    assert_eq!(streams.get(0).unwrap().exemplars_since(0).collect::<Vec<_>>(), exemplars);
    assert_eq!(streams.get(0).unwrap().exemplars_since(done).count(), 0);
    swept(&mut streams, 11);
    assert_eq!(streams.get(0).unwrap().exemplars_since(0).count(), 0);
}
