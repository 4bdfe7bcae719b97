//! Golden bytes of streams and changes, and what is said of bytes that are cut off or do not fit.

use std::sync::Arc;

use proptest::prelude::*;
use shardset_model::{Context, Identity, MetricKind, Point, StreamId, Temporality, UnixMillis, UnixNanos, Value};

use crate::{Change, Corrupt, Place, Settings, Streams};

const COUNTER: MetricKind = MetricKind::Sum { temporality: Temporality::Delta, monotonic: true };

fn identity() -> Identity {
    let context = Context {
        resource_attributes: [1, 2].into(),
        scope_name: "s".into(),
        scope_version: "v".into(),
        scope_attributes: [3].into(),
        name: "n".into(),
        unit: "u".into(),
        description: "d".into(),
        kind: COUNTER,
    };
    Identity { context: Arc::new(context), attributes: [4].into() }
}

fn point(time: u64, value: Value<'_>) -> Point<'_> {
    Point {
        stream: StreamId::from_digest(0x0102),
        kind: COUNTER,
        start: UnixNanos(5),
        time: UnixNanos(time),
        no_recorded_value: false,
        value,
        exemplars: &[],
    }
}

fn one_stream() -> Streams {
    let mut streams = Streams::new(Settings::default());
    streams.apply(&point(7, Value::Int(-1 + 4)), |_| identity(), UnixNanos(2_000_000_000)).unwrap();
    streams
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_bytes_of_a_stream_are_these() {
    let mut streams = one_stream();
    streams.mark_told(0, UnixMillis(9));
    let mut out = Vec::new();
    assert!(streams.encode_stream(0, &mut out));
    let parts = [
        "01",                                   // version
        "02010000000000000000000000000000",     // id
        "020102017301760103016e01754101640104", // context, its kind before its description; attributes
        "0500000000000000",                     // start
        "0094357700000000",                     // arrival
        "09",                                   // birth told, a time told
        "0900000000000000",                     // told
        "0000000000000000",                     // floor
        "01",                                   // one remembered point
        "0700000000000000",                     // its time
        "c21a1726",                             // its fingerprint
        "02000000",                             // its arrival
        "00",                                   // its start is not kept
        "0106",                                 // integer 3
    ];
    assert_eq!(hex(&out), parts.concat());
}

#[test]
fn the_bytes_of_changes_are_these() {
    let bytes = |change: Change<'_>| {
        let mut out = Vec::new();
        change.write(&mut out);
        hex(&out)
    };
    let now = UnixNanos(0x0a);
    assert_eq!(
        bytes(Change::Created { slot: 300, stream: StreamId::from_digest(1), now, identity: &identity() }),
        ["01ac02", "01000000000000000000000000000000", "0a00000000000000", "020102017301760103016e01754101640104"]
            .concat()
    );
    let point = point(7, Value::Double(1.0));
    assert_eq!(bytes(Change::Point { slot: 1, now, point: &point }), "02010a00000000000000060402000000000000f03f");
    assert_eq!(bytes(Change::Ended { slot: 1, now }), "03010a00000000000000");
    assert_eq!(bytes(Change::Forgotten { slot: 1 }), "0401");
    assert_eq!(bytes(Change::Told { slot: 1, time: UnixMillis(-1) }), "0501ffffffffffffffff");
    assert_eq!(bytes(Change::Removed { slot: 1 }), "0701");
    let buried = Change::Buried { stream: StreamId::from_digest(1), floor: now, since: 2 };
    let stream = StreamId::from_digest(1);
    let id = "01000000000000000000000000000000";
    let parked = Change::Parked { stream, identity: Some(&identity()), now, point: &point };
    let tail = "0a00000000000000060402000000000000f03f";
    assert_eq!(bytes(parked), ["0a", id, "01", "020102017301760103016e01754101640104", tail].concat());
    let parked = Change::Parked { stream, identity: None, now, point: &point };
    assert_eq!(bytes(parked), ["0a", id, "00", tail].concat());
    assert_eq!(bytes(Change::Unparked { stream }), ["0b", id].concat());
    let kept = Change::KeptParked { stream, identity: &identity(), points: &[7, 8] };
    assert_eq!(bytes(kept), ["0c", id, "020102017301760103016e01754101640104", "020708"].concat());
    let zero = Change::Zero { slot: 1, time: UnixMillis(2), is_told: true };
    assert_eq!(bytes(zero), "0d01020000000000000001");
    let (place, newest) = (Place { file: 3, offset: 4, length: 5 }, UnixNanos(6));
    let idle = [id, "0600000000000000", "07000000", "03000000", "0400000000000000", "05000000"].concat();
    let down = Change::LaidDown { slot: 1, stream, place, newest, counted_at: 7 };
    assert_eq!(bytes(down), format!("0e01{idle}"));
    assert_eq!(bytes(Change::KeptIdle { stream, place, newest, counted_at: 7 }), format!("0f{idle}"));
    assert_eq!(bytes(Change::IdleGone { stream }), ["10", id].concat());
    assert_eq!(bytes(buried), ["08", "01000000000000000000000000000000", "0a00000000000000", "02000000"].concat());
}

#[test]
fn changes_that_do_not_fit_are_told() {
    let mut removed = Vec::new();
    Change::Removed { slot: 3 }.write(&mut removed);
    assert_eq!(Streams::new(Settings::default()).replay(&removed), Err(Corrupt::Vacant { slot: 3 }));
    let mut streams = one_stream();
    let mut encoded = Vec::new();
    streams.encode_stream(0, &mut encoded);
    assert_eq!(
        streams.install(&encoded, &mut Vec::new()),
        Err(Corrupt::Taken { slot: 1 }),
        "the stream is here already"
    );
    assert_eq!(streams.len(), 1);
    encoded[0] = 2;
    assert_eq!(
        streams.install(&encoded, &mut Vec::new()),
        Err(Corrupt::Invalid { what: "stream of a known version", at: 0 })
    );
    let mut far = Vec::new();
    Change::Created { slot: u32::MAX, stream: StreamId::from_digest(9), now: UnixNanos(1), identity: &identity() }
        .write(&mut far);
    assert_eq!(streams.replay(&far), Err(Corrupt::Taken { slot: u32::MAX }));
}

#[test]
fn a_stream_that_is_cut_off_anywhere_is_truncated() {
    let mut encoded = Vec::new();
    one_stream().encode_stream(0, &mut encoded);
    for len in 0..encoded.len() {
        let result = Streams::new(Settings::default()).install(&encoded[..len], &mut Vec::new());
        assert!(matches!(result, Err(Corrupt::Truncated { .. })), "{len} bytes: {result:?}");
    }
}

#[test]
fn what_an_unfinished_checkpoint_holds_of_a_known_stream_is_passed_over() {
    let (mut streams, mut kept) = (one_stream(), Vec::new());
    streams.write_checkpoint(&mut kept);
    let mut changes = kept.clone();
    Change::Ended { slot: 0, now: UnixNanos(9) }.write(&mut changes);
    changes.extend_from_slice(&kept);
    streams.replay(&changes).unwrap();
    assert!(streams.get(0).unwrap().ended().is_some(), "what came between stays");
    for len in 0..kept.len() {
        assert!(len == 0 || one_stream().replay(&kept[..len]).is_err(), "{len} bytes");
    }
}

#[test]
fn restored_and_arriving_streams_share_their_context() {
    let mut encoded = Vec::new();
    one_stream().encode_stream(0, &mut encoded);
    let mut streams = Streams::new(Settings::default());
    streams.install(&encoded, &mut Vec::new()).unwrap();
    let mut other = point(7, Value::Int(1));
    other.stream = StreamId::from_digest(5);
    let intern = |contexts: &mut crate::Contexts| Identity {
        context: contexts.intern(99, || (*identity().context).clone()),
        attributes: Box::default(),
    };
    streams.apply(&other, intern, UnixNanos(1)).unwrap();
    let context = |slot| streams.get(slot).unwrap().context();
    assert!(Arc::ptr_eq(context(0), context(1)));
}

proptest! {
    #[test]
    fn garbage_is_an_error_and_never_a_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..200),
        tag in 1..9_u8,
        flips in prop::collection::vec((0..200_usize, any::<u8>()), 0..4),
    ) {
        prop_assert!(Streams::new(Settings::default()).install(&bytes, &mut Vec::new()).is_err());
        bytes.insert(0, tag);
        let _outcome = one_stream().replay(&bytes);
        let mut broken = Vec::new();
        one_stream().write_checkpoint(&mut broken);
        for (at, byte) in flips {
            let len = broken.len();
            broken[at % len] = byte;
        }
        let mut streams = Streams::new(Settings::default());
        if streams.replay(&broken).is_ok() {
            let applied = streams.apply(&point(8, Value::Int(1)), |_| identity(), UnixNanos(3));
            prop_assert!(applied.is_ok_and(|applied| applied.slot.is_some()) || !streams.is_empty());
            streams.sweep(UnixNanos(u64::MAX), 10, |_| {});
        }
    }
}
