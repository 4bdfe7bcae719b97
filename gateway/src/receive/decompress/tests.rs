//! Every encoding there and back, and everything that can be wrong with it.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::{DecompressError, Encoding, decompress};
use crate::receive::buffer::{Buffer, Full};
use crate::receive::{Budget, OverBudget};

const ALL: [Encoding; 4] = [Encoding::Identity, Encoding::Gzip, Encoding::Deflate, Encoding::Zstd];
const MIB: usize = 1 << 20;

fn compress(encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
    match encoding {
        Encoding::Identity => bytes.to_vec(),
        Encoding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Encoding::Deflate => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Encoding::Zstd => zstd::encode_all(bytes, 3).unwrap(),
    }
}

fn decompressed(encoding: Encoding, input: &[u8], limit: usize) -> Result<Vec<u8>, DecompressError> {
    let mut output = Buffer::new(Budget::new(1 << 30).open(), limit);
    decompress(encoding, input, &mut output)?;
    Ok(output.as_slice().to_vec())
}

fn sample() -> Vec<u8> {
    (0..200_000u32).flat_map(|i| (i.wrapping_mul(2_654_435_761) >> (i % 13)).to_le_bytes()).collect()
}

#[test]
fn what_was_compressed_comes_back() {
    for encoding in ALL {
        for bytes in [Vec::new(), vec![7], sample()] {
            let back = decompressed(encoding, &compress(encoding, &bytes), MIB).unwrap();
            assert!(back == bytes, "{encoding:?} of {} bytes", bytes.len());
        }
    }
}

#[test]
fn several_members_and_frames_are_one_body() {
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let two = [compress(encoding, b"one "), compress(encoding, b"two")].concat();
        assert_eq!(decompressed(encoding, &two, MIB).unwrap(), b"one two", "{encoding:?}");
    }
}

#[test]
fn a_body_that_ends_anywhere_too_early_is_broken() {
    for encoding in [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd] {
        let whole = compress(encoding, b"a body of some length, so that there is something to cut");
        for end in 1..whole.len() {
            let result = decompressed(encoding, &whole[..end], MIB);
            assert!(matches!(result, Err(DecompressError::Broken { .. })), "{encoding:?} cut at {end}: {result:?}");
        }
    }
}

#[test]
fn garbage_and_what_follows_the_end_are_broken() {
    for encoding in [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd] {
        let trailing = [compress(encoding, b"fine"), b"garbage".to_vec()].concat();
        for input in [b"no such thing".to_vec(), trailing] {
            let result = decompressed(encoding, &input, MIB);
            assert!(matches!(result, Err(DecompressError::Broken { .. })), "{encoding:?}: {result:?}");
        }
    }
}

#[test]
fn raw_deflate_is_refused() {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&sample()).unwrap();
    let result = decompressed(Encoding::Deflate, &encoder.finish().unwrap(), 10 * MIB);
    assert!(matches!(result, Err(DecompressError::Broken { .. })));
}

#[test]
fn a_bomb_meets_the_limit_and_takes_no_more_than_that() {
    for encoding in [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd] {
        let bomb = compress(encoding, &vec![0; 64 * MIB]);
        assert!(bomb.len() < 80_000, "{encoding:?}: {}", bomb.len());
        let budget = Budget::new(2 * MIB as u64);
        let mut output = Buffer::new(budget.open(), MIB);
        let result = decompress(encoding, &bomb, &mut output);
        assert!(
            matches!(result, Err(DecompressError::Full(Full::TooLarge { limit: MIB }))),
            "{encoding:?}: {result:?}"
        );
        assert_eq!(budget.used(), MIB as u64);
    }
}

#[test]
fn a_body_that_finds_no_room_in_the_budget_is_temporary() {
    let bytes = compress(Encoding::Gzip, &vec![0; MIB]);
    let mut output = Buffer::new(Budget::new(100_000).open(), 10 * MIB);
    let result = decompress(Encoding::Gzip, &bytes, &mut output);
    assert!(matches!(result, Err(DecompressError::Full(Full::OverBudget(OverBudget { .. })))), "{result:?}");
}

#[test]
fn a_zstd_window_beyond_8_mib_is_an_error_and_not_an_allocation() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(24).unwrap();
    encoder.include_contentsize(false).unwrap();
    encoder.write_all(&vec![0; 100_000]).unwrap();
    encoder.flush().unwrap();
    encoder.write_all(&[0; 100_000]).unwrap();
    let result = decompressed(Encoding::Zstd, &encoder.finish().unwrap(), MIB);
    assert!(matches!(result, Err(DecompressError::Broken { .. })), "{result:?}");
}

#[test]
fn headers_name_encodings_in_any_case() {
    let table = [
        ("", Some(Encoding::Identity)),
        ("identity", Some(Encoding::Identity)),
        ("GZIP", Some(Encoding::Gzip)),
        (" x-gzip ", Some(Encoding::Gzip)),
        ("deflate", Some(Encoding::Deflate)),
        ("zstd", Some(Encoding::Zstd)),
        ("br", None),
        ("gzip, gzip", None),
    ];
    for (name, encoding) in table {
        assert_eq!(Encoding::of_header(name), encoding, "{name:?}");
    }
}
