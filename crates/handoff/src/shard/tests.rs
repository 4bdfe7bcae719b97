//! The shard, event by event.

use std::sync::Arc;

use shardset_accumulate::{Place, Replay, Settings, Streams};
use shardset_model::{
    Context, Identity, Incarnation, Membership, MetricKind, Phase, Point, RoutingKey, ShardCount, ShardIndex, StreamId,
    Temporality, UnixMillis, UnixNanos, Value,
};

use super::{Adopted, Checkpoint, Limits, Shard, Source, Taken};
use crate::message::{Adopt, Message, Progress, Reply};
use crate::peers::owner;

const NOW: UnixNanos = UnixNanos(1_700_000_000_000_000_000);
const KIND: MetricKind = MetricKind::Sum { temporality: Temporality::Delta, monotonic: true };

fn index(number: u32) -> ShardIndex {
    ShardCount::new(1000).unwrap().shard(number).unwrap()
}

fn incarnation(number: u128) -> Incarnation {
    Incarnation::new(number).unwrap()
}

fn moving(epoch: u64, previous: u32, shards: u32) -> Membership {
    Membership::new(epoch, shards, previous, Phase::Moving).unwrap()
}

fn stable(epoch: u64, previous: u32, shards: u32) -> Membership {
    moving(epoch, previous, shards).settled()
}

fn identity(name: &str) -> Identity {
    let context = Context {
        resource_attributes: Box::default(),
        scope_name: "".into(),
        scope_version: "".into(),
        scope_attributes: Box::default(),
        name: name.into(),
        unit: "".into(),
        description: "".into(),
        kind: KIND,
    };
    Identity { context: Arc::new(context), attributes: Box::default() }
}

/// The `nth` stream that `membership` moves (or keeps) as `way` says: from, to.
fn stream(membership: &Membership, way: (u32, u32), nth: usize) -> StreamId {
    let goes = |id: &StreamId| owner(membership, *id, &identity("calls")) == (index(way.1), index(way.0));
    let ids = (1_u64..)
        .map(|n| StreamId::from_digest(u128::from(n) << 64 | u128::from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15))));
    ids.filter(goes).nth(nth).unwrap()
}

/// A worker, with what it has written.
#[derive(Clone)]
struct Worker {
    shard: Shard,
    journal: Vec<u8>,
}

impl Worker {
    fn new(number: u32) -> Self {
        Self::in_life(number, 1)
    }

    /// The same worker with its `life`th disk.
    fn in_life(number: u32, life: u128) -> Self {
        let limits = Limits { chunk_bytes: 1, ..Limits::default() };
        let streams = Streams::new(Settings::default());
        let shard = Shard::new(index(number), incarnation(life << 32 | u128::from(number)), streams, limits);
        Self { shard, journal: Vec::new() }
    }

    fn at(number: u32, membership: &Membership) -> Self {
        let mut worker = Self::new(number);
        assert_eq!(worker.told(membership), Adopted::Taken);
        worker
    }

    fn told(&mut self, membership: &Membership) -> Adopted {
        self.shard.hear(membership, Source::Coordinator, &mut self.journal)
    }

    fn take(&mut self, stream: StreamId, time: u64, value: i64) -> Taken {
        let point = Point {
            stream,
            kind: KIND,
            start: UnixNanos(NOW.0 - 1_000_000_000),
            time: UnixNanos(NOW.0 - 1_000_000 + time),
            no_recorded_value: false,
            value: Value::Int(value),
            exemplars: &[],
        };
        self.shard.take_point(&point, |_| identity("calls"), NOW, &mut self.journal).unwrap()
    }

    fn receive(&mut self, message: &Message) -> Reply {
        let sealed = self.shard.receive(message, &mut self.journal).unwrap();
        sealed.open(&shardset_model::Receipt::of_commit())
    }

    fn next(&self, to: u32) -> Option<Message> {
        self.shard.next_message(index(to), |_| None)
    }

    /// One message to a receiver, and its reply back.
    fn send(&mut self, to: &mut Self) -> Progress {
        let message = self.next(to.shard.index().get()).expect("there is something to send");
        let reply = to.receive(&message);
        self.shard.replied(to.shard.index(), &reply, &mut self.journal);
        message.progress
    }

    /// Everything to a receiver.
    fn send_all(&mut self, to: &mut Self) {
        while self.next(to.shard.index().get()).is_some() {
            self.send(to);
        }
    }

    fn settle(&mut self) {
        while self.shard.settle(1, &mut self.journal) {}
    }

    /// The total of a stream that it counts.
    fn total(&self, stream: StreamId) -> Option<i64> {
        let streams = self.shard.streams();
        let kept = streams.get(streams.find(stream)?).filter(|kept| !kept.is_away())?;
        match kept.value() {
            Value::Int(total) => Some(total),
            _ => None,
        }
    }

    /// What it is after a restart.
    fn restarted(&self) -> Self {
        let mut again = Self::new(self.shard.index().get());
        again.shard.incarnation = self.shard.incarnation;
        again.shard.replay(&self.journal, Replay::Whole).unwrap();
        again.shard.recovered();
        again.journal.clone_from(&self.journal);
        again
    }

    fn image(&self) -> Vec<u8> {
        let (mut bytes, mut at) = (Vec::new(), Checkpoint::Begin);
        while at != Checkpoint::Complete {
            at = self.shard.write_checkpoint(at, 1, &mut bytes);
        }
        bytes
    }

    fn parked(&self) -> u64 {
        self.shard.report().parked_points
    }
}

/// Two shards become three: worker 0 has two streams that move to worker 2.
fn growing() -> (Worker, Worker, [StreamId; 2]) {
    let before = stable(1, 2, 2);
    let (mut from, mut to) = (Worker::at(0, &before), Worker::new(2));
    let streams = [0, 1].map(|nth| stream(&moving(2, 2, 3), (0, 2), nth));
    for stream in streams {
        assert!(matches!(from.take(stream, 0, 1), Taken::Applied(_)));
    }
    for worker in [&mut from, &mut to] {
        assert_eq!(worker.told(&moving(2, 2, 3)), Adopted::Taken);
    }
    (from, to, streams)
}

#[test]
fn a_membership_is_taken_when_it_is_newer_and_an_empty_disk_is_told_by_the_coordinator_alone() {
    let (coordinator, peer) = (Source::Coordinator, Source::Peer);
    let table = [
        ("an empty disk, a peer", None, stable(3, 2, 2), peer, Adopted::NotForUs),
        ("an empty disk, the coordinator", None, stable(3, 2, 2), coordinator, Adopted::Taken),
        ("the next", Some(stable(3, 2, 2)), moving(4, 2, 3), peer, Adopted::Taken),
        ("one much later", Some(stable(3, 2, 2)), stable(9, 5, 2), peer, Adopted::Taken),
        ("the same", Some(moving(4, 2, 3)), moving(4, 2, 3), peer, Adopted::Known),
        ("the end of the move", Some(moving(4, 2, 3)), stable(4, 2, 3), peer, Adopted::Taken),
        ("its beginning, late", Some(stable(4, 2, 3)), moving(4, 2, 3), peer, Adopted::Known),
        ("an older one", Some(moving(4, 2, 3)), stable(3, 2, 2), coordinator, Adopted::Older),
        ("another of the same epoch", Some(moving(4, 2, 3)), moving(4, 2, 5), coordinator, Adopted::Conflict),
    ];
    for (what, mine, told, source, expected) in table {
        let mut worker = mine.as_ref().map_or_else(|| Worker::new(0), |mine| Worker::at(0, mine));
        assert_eq!(worker.shard.hear(&told, source, &mut worker.journal), expected, "{what}");
        let stays = if expected == Adopted::Taken { Some(told) } else { mine };
        assert_eq!(worker.shard.membership(), stays.as_ref(), "{what}");
        assert_eq!(worker.restarted().shard.membership(), stays.as_ref(), "{what}, after a restart");
    }
}

#[test]
fn what_was_told_to_another_life_of_the_disk_is_not_for_this_one() {
    let mut worker = Worker::in_life(0, 2);
    let adopt = Adopt { incarnation: incarnation(1 << 32), membership: stable(1, 1, 1), incarnations: Vec::new() };
    assert_eq!(worker.shard.adopt(&adopt, &mut worker.journal), Adopted::NotForUs);
    assert_eq!(worker.shard.membership(), None);
}

#[test]
fn a_stream_that_moves_is_not_counted_by_its_sender_any_more_and_one_that_stays_is() {
    let (mut from, _, [moves, _]) = growing();
    let stays = stream(&moving(2, 2, 3), (0, 0), 0);
    assert_eq!(from.take(moves, 1, 5), Taken::Foreign);
    assert!(matches!(from.take(stays, 1, 5), Taken::Applied(_)));
    assert_eq!((from.total(moves), from.total(stays)), (None, Some(5)));
    let sending = from.shard.report().sending;
    assert_eq!((sending.len(), sending[0].to, sending[0].total), (1, index(2), 2));
}

#[test]
fn points_wait_for_their_stream_and_are_decided_on_when_it_arrives() {
    let (mut from, mut to, [first, second]) = growing();
    assert_eq!(to.take(first, 1, 10), Taken::Parked);
    assert_eq!(to.take(first, 0, 1), Taken::Parked, "that the old owner counted it is not known yet");
    assert_eq!(to.take(second, 1, 100), Taken::Parked);
    assert_eq!((to.parked(), to.total(first)), (3, None));
    assert_eq!(from.send(&mut to), Progress::Ask);
    assert!(
        matches!(from.send(&mut to), Progress::Chunk { position: 0, next: 1, .. }),
        "what is left of forgotten ones"
    );
    assert!(matches!(from.send(&mut to), Progress::Chunk { position: 1, .. }));
    assert_eq!(to.total(first), Some(11), "the old owner's point is not counted again");
    assert_eq!((to.parked(), to.total(second)), (1, None));
    from.send_all(&mut to);
    assert_eq!((to.parked(), to.total(second)), (0, Some(101)));
    assert!(matches!(to.take(first, 2, 1000), Taken::Applied(_)));
    assert_eq!(to.total(first), Some(1011));
}

#[test]
fn points_of_a_stream_that_nobody_had_are_decided_on_when_its_old_owner_has_completed() {
    let (mut from, mut to, [first, second]) = growing();
    let new = stream(&moving(2, 2, 3), (0, 2), 2);
    let of_another = stream(&moving(2, 2, 3), (1, 2), 0);
    assert_eq!((to.take(new, 0, 3), to.take(of_another, 0, 4)), (Taken::Parked, Taken::Parked));
    from.send_all(&mut to);
    assert_eq!((to.total(first), to.total(second)), (Some(1), Some(1)));
    to.settle();
    assert_eq!((to.total(new), to.total(of_another)), (Some(3), None), "the other one still waits for worker 1");
    let waits: Vec<bool> = to.shard.report().receiving.iter().map(|reception| !reception.completed).collect();
    assert_eq!(waits, [false, true]);
    assert_eq!(to.told(&stable(2, 2, 3)), Adopted::Taken);
    to.settle();
    assert_eq!((to.total(of_another), to.parked()), (Some(4), 0), "nobody is waited for when the move is over");
}

#[test]
fn a_newer_point_does_not_overtake_those_that_wait() {
    let (mut from, mut to, _) = growing();
    let new = stream(&moving(2, 2, 3), (0, 2), 2);
    assert_eq!(to.take(new, 5, 3), Taken::Parked);
    from.send_all(&mut to);
    assert!(matches!(to.take(new, 6, 4), Taken::Applied(applied) if !applied.created), "the one that waited made it");
    assert_eq!((to.total(new), to.parked()), (Some(7), 0));
}

#[test]
fn a_message_that_comes_again_changes_nothing_and_is_answered_with_how_things_stand() {
    let (mut from, mut to, [first, _]) = growing();
    from.send(&mut to);
    let chunks: Vec<Message> = (0..3)
        .map(|_| {
            let message = from.next(2).unwrap();
            from.send(&mut to);
            message
        })
        .collect();
    let complete = from.next(2).unwrap();
    assert!(matches!(to.take(first, 1, 10), Taken::Applied(_)));
    let before = to.image();
    for chunk in &chunks {
        let reply = to.receive(chunk);
        assert!(!reply.completed);
        assert_eq!(Progress::Complete { position: reply.through }, complete.progress);
    }
    assert_eq!((to.image(), to.total(first)), (before, Some(11)));
    assert!(to.receive(&complete).completed);
    assert!(chunks.iter().all(|chunk| to.receive(chunk).completed));
    assert_eq!(to.total(first), Some(11));
}

#[test]
fn who_says_complete_too_early_is_told_what_is_missing() {
    let (mut from, mut to, [first, _]) = growing();
    from.send(&mut to);
    let early = Message { progress: Progress::Complete { position: 9 }, ..from.next(2).unwrap() };
    let reply = to.receive(&early);
    assert_eq!((reply.through, reply.completed), (0, false));
    assert_eq!(to.take(first, 1, 10), Taken::Parked);
    from.send_all(&mut to);
    assert_eq!(to.total(first), Some(11));
}

#[test]
fn a_receiver_with_a_new_disk_is_sent_everything_again_once_it_knows_the_membership() {
    let (mut from, mut to, [first, second]) = growing();
    from.send_all(&mut to);
    assert!(from.shard.unfinished().next().is_none());
    let mut again = Worker::in_life(2, 2);
    let incarnations = vec![(index(2), again.shard.incarnation())];
    let adopt = Adopt { incarnation: from.shard.incarnation(), membership: moving(2, 2, 3), incarnations };
    assert_eq!(from.shard.adopt(&adopt, &mut from.journal), Adopted::Known);
    assert!(!from.shard.report().sending[0].completed);
    from.send(&mut again);
    assert_eq!(again.shard.membership(), None, "another worker can not tell it");
    again.told(&moving(2, 2, 3));
    from.send_all(&mut again);
    assert_eq!((again.total(first), again.total(second)), (Some(1), Some(1)));
}

#[test]
fn a_stream_that_is_sent_again_to_a_new_disk_is_not_told_as_zero_again() {
    let (mut from, mut to, [first, _]) = growing();
    from.shard.stamp(UnixMillis(9_000), &mut from.journal);
    from.send_all(&mut to);
    assert_eq!(birth(&to, first), (false, None), "its new owner tells the zero");
    let mut again = Worker::in_life(2, 2);
    again.told(&moving(2, 2, 3));
    // Whom it sent to first outlasts a restart.
    let mut from = from.restarted();
    from.send_all(&mut again);
    assert_eq!(birth(&again, first), (true, Some(UnixMillis(9_001))), "the disk that is lost may have told it");
    from.told(&stable(2, 2, 3));
    assert!(from.shard.sent_first.is_empty(), "it is of one move");
}

/// Whether a stream's zero counts as told, and until when it was told.
fn birth(worker: &Worker, stream: StreamId) -> (bool, Option<UnixMillis>) {
    let streams = worker.shard.streams();
    let kept = streams.get(streams.find(stream).unwrap()).unwrap();
    (kept.is_birth_told(), kept.told())
}

#[test]
fn a_message_to_an_earlier_life_of_the_disk_is_not_taken() {
    let (mut from, mut to, [first, _]) = growing();
    from.send(&mut to);
    let late = from.next(2).unwrap();
    let mut again = Worker::in_life(2, 2);
    again.told(&moving(2, 2, 3));
    let reply = again.receive(&late);
    assert_eq!((reply.receiver, reply.through), (again.shard.incarnation(), 0));
    assert_eq!(again.total(first), None);
}

#[test]
fn what_a_sender_completed_before_it_lost_its_disk_stays_completed() {
    let (mut from, mut to, [first, _]) = growing();
    from.send_all(&mut to);
    let mut lost = Worker::in_life(0, 2);
    lost.told(&moving(2, 2, 3));
    lost.send_all(&mut to);
    assert!(lost.shard.unfinished().next().is_none());
    assert_eq!(to.total(first), Some(1));
    assert!(matches!(to.take(first, 1, 2), Taken::Applied(_)), "it does not wait again");
}

#[test]
fn a_sender_that_lost_its_disk_in_the_middle_begins_again_with_what_it_has() {
    let (mut from, mut to, [first, second]) = growing();
    (0..3).for_each(|_| drop(from.send(&mut to)));
    assert_eq!((to.total(first), to.total(second)), (Some(1), None));
    assert_eq!(to.take(second, 1, 10), Taken::Parked);
    let mut lost = Worker::in_life(0, 2);
    lost.told(&moving(2, 2, 3));
    lost.send_all(&mut to);
    to.settle();
    assert_eq!((to.total(first), to.total(second)), (Some(1), Some(10)));
}

#[test]
fn what_was_sent_is_kept_until_the_move_is_over_and_then_dropped_bit_by_bit() {
    let (mut from, mut to, [first, _]) = growing();
    from.send_all(&mut to);
    assert_eq!((from.shard.streams().len(), from.shard.report().leftovers), (2, 0));
    from.told(&stable(2, 2, 3));
    let report = from.shard.report();
    assert_eq!((report.streams, report.leftovers, report.is_settled()), (0, 2, false));
    assert!(from.shard.settle(1, &mut from.journal));
    assert_eq!((from.shard.report().leftovers, from.restarted().shard.report().leftovers), (1, 1));
    from.settle();
    assert!(from.shard.streams().is_empty() && from.shard.report().is_settled());
    assert_eq!(from.take(first, 1, 1), Taken::Foreign);
}

#[test]
fn a_later_change_implies_that_the_one_before_is_over() {
    let (mut from, mut to, [first, second]) = growing();
    let new = stream(&moving(2, 2, 3), (1, 2), 0);
    assert_eq!(to.take(new, 0, 7), Taken::Parked);
    from.send_all(&mut to);
    assert_eq!(from.told(&moving(3, 3, 2)), Adopted::Taken);
    assert!(from.shard.streams().is_empty(), "what it had sent is gone at once");
    assert_eq!(to.told(&moving(3, 3, 2)), Adopted::Taken);
    assert_eq!(to.parked(), 0, "what waited was decided on before");
    to.send_all(&mut from);
    assert_eq!([first, second].map(|stream| from.total(stream)), [Some(1), Some(1)]);
}

#[test]
fn a_worker_that_missed_a_whole_change_drops_what_it_had() {
    let mut late = Worker::at(2, &stable(1, 3, 3));
    let stream = stream(&stable(1, 3, 3), (2, 2), 0);
    assert!(matches!(late.take(stream, 0, 1), Taken::Applied(_)));
    assert_eq!(late.told(&moving(4, 2, 3)), Adopted::Taken);
    assert!(late.shard.streams().is_empty());
    assert_eq!(late.take(stream, 0, 1), Taken::Parked, "another one has had it since");
    let mut in_time = Worker::at(2, &stable(1, 3, 3));
    in_time.take(stream, 0, 1);
    in_time.told(&moving(2, 3, 4));
    assert_eq!(in_time.total(stream).is_some(), owner(&moving(2, 3, 4), stream, &identity("calls")).0 == index(2));
}

#[test]
fn a_change_of_the_routing_key_moves_streams_between_any_two() {
    let rekeyed = moving(2, 2, 2).routed_by(RoutingKey::Metric, RoutingKey::StreamId);
    let to_other = |id: &StreamId| owner(&rekeyed, *id, &identity("calls"));
    let home = to_other(&StreamId::from_digest(1)).0;
    let away = index(1 - home.get());
    let (mut from, mut to) = (Worker::at(away.get(), &stable(1, 2, 2)), Worker::at(home.get(), &stable(1, 2, 2)));
    let (moves, stays) = (stream(&rekeyed, (away.get(), home.get()), 0), stream(&rekeyed, (home.get(), home.get()), 0));
    from.take(moves, 0, 1);
    to.take(stays, 0, 2);
    [&mut from, &mut to].into_iter().for_each(|worker| assert_eq!(worker.told(&rekeyed), Adopted::Taken));
    assert_eq!(to.take(moves, 1, 10), Taken::Parked);
    assert!(matches!(to.take(stays, 1, 20), Taken::Applied(_)), "it was here before");
    to.send_all(&mut from);
    from.send_all(&mut to);
    assert_eq!((to.total(moves), to.total(stays), from.total(moves)), (Some(11), Some(22), None));
}

#[test]
fn a_change_of_the_routing_key_wakes_what_is_here_and_nothing_that_is_anothers_already() {
    let (grown, before) = (moving(2, 2, 3), stable(1, 2, 2));
    let mut from = Worker::at(0, &before);
    let (leaves, stays) = (stream(&grown, (0, 2), 0), stream(&grown, (0, 0), 0));
    let kept: Vec<Vec<u8>> = [leaves, stays].map(|stream| lay_down(&mut from, stream)).into();
    assert_eq!(from.told(&grown), Adopted::Taken);
    // Whoever coordinates has gone on, and the end of the move was not heard of.
    let rekeyed = moving(3, 3, 3).routed_by(RoutingKey::Metric, RoutingKey::StreamId);
    assert_eq!(from.shard.to_wake_for(&grown, None), None, "ids tell enough");
    assert_eq!(from.shard.to_wake_for(&rekeyed, None), Some(stays));
    from.shard.wake(&kept[1], &mut from.journal).unwrap();
    assert_eq!(from.shard.to_wake_for(&rekeyed, None), None);
    assert_eq!(from.told(&rekeyed), Adopted::Taken);
    let streams = from.shard.streams();
    assert_eq!((streams.find(leaves), streams.place_of(leaves)), (None, None), "it was sent, and is dropped");
    assert!(streams.find(stays).is_some());
}

/// Has a worker count a stream, and keep it elsewhere than in memory: what is kept.
fn lay_down(worker: &mut Worker, stream: StreamId) -> Vec<u8> {
    worker.take(stream, 0, 1);
    let (slot, mut kept) = (worker.shard.streams().find(stream).unwrap(), Vec::new());
    worker.shard.streams().encode_stream(slot, &mut kept);
    let place = Place { file: 1, offset: u64::from(slot), length: u32::try_from(kept.len()).unwrap() };
    worker.shard.lay_down(slot, place, &mut worker.journal);
    kept
}

#[test]
fn new_points_are_refused_when_too_many_wait() {
    let (_, mut to, [first, _]) = growing();
    to.shard.limits.parked_bytes = 200;
    assert!(to.shard.has_room_to_park());
    (0..4).for_each(|time| assert_eq!(to.take(first, time, 1), Taken::Parked));
    assert!(!to.shard.has_room_to_park(), "{:?}", to.shard.streams().parked());
    to.told(&stable(2, 2, 3));
    assert!(to.shard.has_room_to_park(), "nothing waits from here on");
}

#[test]
fn a_stream_takes_with_it_until_when_its_old_owner_may_have_told_samples() {
    let (mut from, mut to) = (Worker::at(0, &stable(1, 2, 2)), Worker::new(2));
    let [told, untold] = [0, 1].map(|nth| stream(&moving(2, 2, 3), (0, 2), nth));
    for stream in [told, untold] {
        from.take(stream, 0, 1);
    }
    let slot = from.shard.streams().find(told).unwrap();
    from.shard.streams_mut().mark_told(slot, UnixMillis(5_000));
    from.shard.stamp(UnixMillis(9_000), &mut from.journal);
    [&mut from, &mut to].into_iter().for_each(|worker| assert_eq!(worker.told(&moving(2, 2, 3)), Adopted::Taken));
    from.send_all(&mut to);
    let told_at = |stream| {
        let streams = to.shard.streams();
        streams.get(streams.find(stream).unwrap()).unwrap().told()
    };
    assert_eq!((told_at(told), told_at(untold)), (Some(UnixMillis(9_001)), None), "not at the same time again");
    assert_eq!(from.restarted().shard.latest(), UnixMillis(9_000));
}

/// Something that happens to a sender, a receiver and two streams.
type Happening = fn(&mut Worker, &mut Worker, [StreamId; 2]);

/// A bit of everything, in both workers; each step with what it is.
fn steps() -> Vec<(&'static str, Happening)> {
    vec![
        ("points wait", |_, to, [first, second]| {
            to.take(first, 1, 10);
            to.take(second, 1, 20);
        }),
        ("a sender asks", |from, to, _| drop(from.send(to))),
        ("remains arrive", |from, to, _| drop(from.send(to))),
        ("a stream arrives", |from, to, _| drop(from.send(to))),
        ("it counts", |_, to, [first, _]| {
            to.take(first, 2, 30);
        }),
        ("the other one arrives", |from, to, _| drop(from.send(to))),
        ("a sender completes", |from, to, _| drop(from.send(to))),
        ("a point waits for another sender", |_, to, _| {
            to.take(stream(&moving(2, 2, 3), (1, 2), 0), 0, 1);
        }),
        ("samples are told", |_, to, _| to.shard.stamp(UnixMillis(77), &mut to.journal)),
        ("the move ends", |from, to, _| {
            from.told(&stable(2, 2, 3));
            to.told(&stable(2, 2, 3));
        }),
        ("it is cleared up", |from, to, _| {
            from.shard.settle(1, &mut from.journal);
            to.settle();
        }),
        ("the next one begins", |from, to, _| {
            from.told(&moving(3, 3, 1));
            to.told(&moving(3, 3, 1));
        }),
        ("streams come back", |from, to, _| to.send_all(from)),
    ]
}

#[test]
fn a_worker_that_starts_again_is_as_it_was_after_every_step() {
    let (mut from, mut to, streams) = growing();
    for (what, step) in steps() {
        step(&mut from, &mut to, streams);
        for worker in [&from, &to] {
            let again = worker.restarted();
            assert_eq!(again.image(), worker.image(), "{what}, w{}", worker.shard.index());
            let durable = |worker: &Worker| {
                let report = worker.shard.report();
                (report.membership, report.streams, report.leftovers, report.parked_points, report.receiving)
            };
            assert_eq!(durable(&again), durable(worker), "{what}, w{}", worker.shard.index());
        }
    }
    assert_eq!(streams.map(|stream| from.total(stream)), [Some(41), Some(21)]);
}

#[test]
fn a_checkpoint_that_is_written_while_things_happen_comes_to_the_same() {
    let number = steps().len();
    for begins in 0..number {
        for ends in begins..number {
            let (mut from, mut to, streams) = growing();
            let mut at = [Checkpoint::Begin; 2];
            for (number, (what, step)) in steps().into_iter().enumerate() {
                step(&mut from, &mut to, streams);
                for (at, worker) in at.iter_mut().zip([&mut from, &mut to]) {
                    if number == begins {
                        worker.journal.clear();
                    }
                    let pieces = if number < begins {
                        0
                    } else if number < ends {
                        1
                    } else {
                        usize::MAX
                    };
                    for _ in (0..pieces).take_while(|_| number <= ends) {
                        if *at == Checkpoint::Complete {
                            break;
                        }
                        *at = worker.shard.write_checkpoint(*at, 1, &mut worker.journal);
                    }
                    if number >= ends {
                        let mut again = Worker::new(worker.shard.index().get());
                        again.shard.replay(&worker.journal, Replay::WithinCheckpoint).unwrap();
                        again.shard.recovered();
                        assert_eq!(again.image(), worker.image(), "{begins} to {ends}, after {number}: {what}");
                    }
                }
            }
        }
    }
}
