//! The same over a real directory, and the exact bytes of each file: the formats are promises to the next version.

use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::time::Duration;

use shardset_journal::{Disk, Durability, Frame, Journal, OpenError, ReplayError, Settings};
use shardset_model::{Incarnation, ShardCount};

fn settings() -> Settings {
    Settings::new(ShardCount::new(8).unwrap().shard(7).unwrap())
}

fn incarnation() -> Incarnation {
    Incarnation::new(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10).unwrap()
}

fn open(dir: &Path, settings: Settings) -> (Journal<Disk>, Vec<Vec<u8>>) {
    let disk = Disk::of_shard(dir, settings.shard).unwrap();
    let mut found = Vec::new();
    let opening = Journal::open(disk, settings, incarnation()).unwrap();
    let journal = opening.replay(|frame| {
        found.push(frame.payload.to_vec());
        Ok::<_, Infallible>(())
    });
    (journal.unwrap(), found)
}

/// A file as words of hexadecimal digits, of these lengths in bytes.
fn words(path: &Path, lengths: &[usize]) -> String {
    let bytes = fs::read(path).unwrap();
    assert_eq!(bytes.len(), lengths.iter().sum::<usize>(), "{path:?}");
    let mut rest = bytes.iter();
    let mut word = |length: &usize| rest.by_ref().take(*length).map(|byte| format!("{byte:02x}")).collect::<String>();
    lengths.iter().map(&mut word).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_bytes_of_every_file_are_these() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::of_shard(dir.path(), settings().shard).unwrap();
    let opening = Journal::open(disk, settings(), incarnation()).unwrap();
    let mut cold = opening.cold_store().unwrap();
    let mut journal = opening.replay(|_| Ok::<_, Infallible>(())).unwrap();
    journal.commit(b"first", Duration::ZERO).unwrap();
    journal.begin_checkpoint().unwrap();
    journal.commit_parts(&[b"sec", b"", b"ond"], Duration::ZERO).unwrap();
    journal.end_checkpoint().unwrap();
    cold.append(b"blob").unwrap();
    cold.sync().unwrap();
    journal.close().unwrap();

    const OWNER: [usize; 4] = [8, 4, 4, 16];
    const FRAME: [usize; 6] = [3, 1, 4, 8, 8, 8];
    let owner = "01000000 07000000 100f0e0d0c0b0a090807060504030201";
    let shard = dir.path().join("shard-7");
    assert!(!shard.join("segment-0000000000000001.log").exists(), "the checkpoint replaces it");

    let manifest = words(&shard.join("manifest"), &[&OWNER[..], &[8; 4]].concat());
    let fields = "0200000000000000 0200000000000000 0100000000000000 f9c9c63d3726864f";
    assert_eq!(manifest, format!("73686172646d616e {owner} {fields}"));

    let lengths = [&OWNER[..], &[8; 5], &FRAME, &[6], &FRAME, &[8], &FRAME].concat();
    let segment = words(&shard.join("segment-0000000000000002.log"), &lengths);
    let expected = [
        // Number 2, after 1, which ends at 0x6d = 72 + 32 + 5; 0x48 bytes durable when it was begun.
        &format!(
            "73686172646c6f67 {owner} 0200000000000000 0100000000000000 6d00000000000000 4800000000000000 d1abc9ab3f493972"
        ),
        "66726d 01 06000000 4800000000000000 ab5b7fa9601ec6f4 af139cd9c6c10474 7365636f6e64",
        "66726d 02 08000000 6e00000000000000 5767e25ddd9e4af7 fd55e3ddff6e59f3 0200000000000000",
        "66726d 01 00000000 9600000000000000 47ce33d516bed692 a5bdcf13b9cc52db",
    ];
    assert_eq!(segment, expected.join(" "));

    let cold = words(&shard.join("cold-00000000.log"), &[&OWNER[..], &[8, 8, 4, 8, 4]].concat());
    let fields = "0000000000000000 8ad0e1cf1bd80445 04000000 2bba62d9834f047b 626c6f62";
    assert_eq!(cold, format!("7368617264636c64 {owner} {fields}"));
}

#[test]
fn a_log_in_a_directory_is_found_by_the_next_process() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { segment_bytes: 10_000, ..settings() };
    let (mut journal, found) = open(dir.path(), settings);
    assert!(found.is_empty());
    let payloads: Vec<Vec<u8>> = (0..40_u8).map(|byte| vec![byte; 1 + usize::from(byte) * 50]).collect();
    for payload in &payloads {
        journal.commit(payload, Duration::ZERO).unwrap();
    }
    drop(journal);
    let (journal, found) = open(dir.path(), settings);
    assert_eq!(found, payloads);
    assert_eq!((journal.statistics().segments, journal.incarnation()), (4, incarnation()));
    drop(journal);
    let (mut journal, _) = open(dir.path(), settings);
    journal.commit(&[], Duration::ZERO).unwrap();
    let again = 72 + 32 + payloads[39].len() as u64;
    assert_eq!(journal.statistics().bytes, again, "only the last frame has no witness, so only that is written again");
    journal.commit(&[], Duration::ZERO).unwrap();
    assert_eq!(journal.statistics().bytes, again);
    drop(journal);
    let (mut journal, found) =
        open(dir.path(), Settings { durability: Durability::Interval(Duration::ZERO), ..settings });
    assert_eq!(found, payloads);
    journal.begin_checkpoint().unwrap();
    journal.commit(b"all", Duration::ZERO).unwrap();
    journal.end_checkpoint().unwrap();
    assert_eq!((journal.checkpoint_bytes(), journal.bytes_since_checkpoint()), (72 + 32 + 3 + 32 + 8, 0));
    journal.commit(b"more", Duration::ZERO).unwrap();
    assert_eq!((journal.bytes_since_checkpoint(), journal.live_bytes()), (36, 147 + 36));
    assert!(!journal.is_checkpoint_due());
    drop(journal);
    let (journal, found) = open(dir.path(), settings);
    assert_eq!(found, [&b"all"[..], b"more"]);
    assert_eq!((journal.checkpoint_bytes(), journal.bytes_since_checkpoint()), (147, 36));
    drop(journal);
    // As long as the checkpoint, within bounds.
    for (log_bytes_min, log_bytes_max, is_due) in [(0, 36, true), (0, 37, false), (37, 37, false), (0, 1_000, false)] {
        let (journal, _) = open(dir.path(), Settings { log_bytes_min, log_bytes_max, ..settings });
        assert_eq!(journal.is_checkpoint_due(), is_due, "{log_bytes_min} to {log_bytes_max}");
    }
}

#[test]
fn a_second_process_is_told_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), settings());
    let disk = Disk::of_shard(dir.path(), settings().shard).unwrap();
    let error = Journal::open(disk, settings(), incarnation()).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    assert!(error.to_string().ends_with("stop it, or give this one a directory of its own"), "{error}");
    drop(journal);
    open(dir.path(), settings());
}

#[test]
fn a_frame_that_the_caller_refuses_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(dir.path(), settings());
    journal.commit(b"good", Duration::ZERO).unwrap();
    journal.commit(b"bad", Duration::ZERO).unwrap();
    drop(journal);
    let disk = Disk::of_shard(dir.path(), settings().shard).unwrap();
    let opening = Journal::open(disk, settings(), incarnation()).unwrap();
    assert!(!opening.is_new());
    let refuse_bad = |frame: Frame<'_>| if frame.payload == b"bad" { Err(std::fmt::Error) } else { Ok(()) };
    let error = opening.replay(refuse_bad).map(drop).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("the frame at offset 108 of ") && text.ends_with("1.log can not be replayed"), "{text}");
}

#[test]
fn limits_of_what_is_committed_are_errors_that_no_retry_mends() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(dir.path(), settings());
    assert!(!journal.end_checkpoint().unwrap_err().is_retryable());
    // 1025 times the same MiB: nothing of it is written.
    let mebibyte = vec![0; 1 << 20];
    let parts = vec![&mebibyte[..]; 1025];
    let error = journal.commit_parts(&parts, Duration::ZERO).unwrap_err();
    assert!(!error.is_retryable() && error.to_string().starts_with("a commit of 1074790400 bytes"), "{error}");
}

#[test]
fn frames_that_are_read_ahead_are_the_same_and_one_that_is_refused_is_named_by_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { segment_bytes: 200, ..settings() };
    let (mut journal, _) = open(dir.path(), settings);
    let payloads: Vec<Vec<u8>> = (0..40_u8).map(|number| vec![number; 10]).collect();
    for payload in &payloads {
        journal.commit(payload, Duration::ZERO).unwrap();
    }
    drop(journal);
    let opening =
        || Journal::open(Disk::of_shard(dir.path(), settings.shard).unwrap(), settings, incarnation()).unwrap();

    let mut found = Vec::new();
    let replayed = opening().replay_ahead(|frame| {
        found.push(frame.payload.to_vec());
        Ok::<_, Infallible>(())
    });
    drop(replayed.unwrap());
    assert_eq!(found, payloads);

    let refuse = |frame: Frame<'_>| if frame.payload[0] == 3 { Err("no") } else { Ok(()) };
    let places = [opening().replay(refuse), opening().replay_ahead(refuse)].map(|outcome| match outcome {
        Err(ReplayError::Frame { path, offset, source }) => (path, offset, source),
        other => panic!("{other:?}"),
    });
    assert_eq!(places[0], places[1]);
    let mut bytes = fs::read(&places[0].0).unwrap();
    bytes[places[0].1 as usize + 32] ^= 1;
    fs::write(&places[0].0, bytes).unwrap();
    let damaged = opening().replay_ahead(|_| Ok::<_, Infallible>(()));
    assert!(matches!(damaged, Err(ReplayError::Open(OpenError::Damaged(_)))), "{damaged:?}");
}
