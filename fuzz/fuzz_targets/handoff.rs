//! Any bytes as a chunk of another worker: never a panic, and what was taken of it is what a journal gives back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shardset_accumulate::{Replay, Settings, Streams};
use shardset_handoff::{Adopt, Checkpoint, Limits, Message, Progress, Shard};
use shardset_model::{Incarnation, Membership, Phase, ShardCount, ShardIndex};

fn shard(index: u32) -> ShardIndex {
    ShardCount::new(2).and_then(|count| count.shard(index)).expect("0 or 1")
}

fn life(number: u128) -> Incarnation {
    Incarnation::new(number).expect("not 0")
}

fn new() -> Shard {
    Shard::new(shard(1), life(1), Streams::new(Settings::default()), Limits::default())
}

fn kept(shard: &Shard) -> Vec<u8> {
    let (mut at, mut bytes) = (Checkpoint::Begin, Vec::new());
    while at != Checkpoint::Complete {
        at = shard.write_checkpoint(at, usize::MAX / 2, &mut bytes);
    }
    bytes
}

fuzz_target!(|items: &[u8]| {
    let (mut receiver, mut changes) = (new(), Vec::new());
    let membership = Membership::new(2, 2, 1, Phase::Moving).expect("a membership");
    let adopt = Adopt { incarnation: life(1), membership: membership.clone(), incarnations: Vec::new() };
    receiver.adopt(&adopt, &mut changes);
    let progress = Progress::Chunk { position: 0, next: 1, items: items.to_vec() };
    let (from, to) = (shard(0), shard(1));
    let message = Message { from, sender: life(2), to, receiver: Some(life(1)), membership, progress };
    // What can not be read is an answer; what was read before it stays.
    drop(receiver.receive(&message, &mut changes));
    let mut replayed = new();
    replayed.replay(&changes, Replay::Whole).expect("what was written can be read");
    replayed.recovered();
    assert_eq!(kept(&replayed), kept(&receiver));
});
