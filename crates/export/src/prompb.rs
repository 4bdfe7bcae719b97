//! Writing remote-write 1.0 messages by hand: what `prompb` defines, without structs in between.
//!
//! A request of 2,000 series is 20,000 labels; to build a struct for each would cost more than everything else here.
//! Field numbers stand where the fields are written. Scalars that are 0 are left out, as proto3 encoders do.
//!
//! Pure.

use shardset_model::UnixMillis;

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH_DELIMITED: u64 = 2;

/// The bits that mark a series as ended. A signalling NaN: to be copied, never computed with.
pub(crate) const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// The one NaN that samples carry: another one, sent by somebody, could be taken for the stale marker.
pub(crate) const NORMAL_NAN: f64 = f64::from_bits(0x7ff8_0000_0000_0001);

pub(crate) fn put_varint(buf: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        buf.push(value as u8 | 0x80);
        value >>= 7;
    }
    buf.push(value as u8);
}

pub(crate) const fn varint_len(value: u64) -> usize {
    (63 - (value | 1).leading_zeros() as usize) / 7 + 1
}

/// Reads a varint that this crate wrote.
pub(crate) fn take_varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            *bytes = &bytes[at + 1..];
            break;
        }
    }
    value
}

/// Zig-zag: small magnitudes become small numbers.
pub(crate) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

pub(crate) fn put_uint(buf: &mut Vec<u8>, field: u64, value: u64) {
    if value != 0 {
        put_present_uint(buf, field, value);
    }
}

/// A member of a oneof is written even where it is 0.
pub(crate) fn put_present_uint(buf: &mut Vec<u8>, field: u64, value: u64) {
    put_varint(buf, field << 3 | VARINT);
    put_varint(buf, value);
}

pub(crate) fn put_sint(buf: &mut Vec<u8>, field: u64, value: i64) {
    put_uint(buf, field, zigzag(value));
}

pub(crate) fn put_double(buf: &mut Vec<u8>, field: u64, value: f64) {
    if value.to_bits() != 0 {
        put_varint(buf, field << 3 | FIXED64);
        buf.extend_from_slice(&value.to_bits().to_le_bytes());
    }
}

pub(crate) fn put_string(buf: &mut Vec<u8>, field: u64, value: &str) {
    if !value.is_empty() {
        put_varint(buf, field << 3 | LENGTH_DELIMITED);
        put_varint(buf, value.len() as u64);
        buf.extend_from_slice(value.as_bytes());
    }
}

/// Writes a message whose length is known when it is written. Two bytes are kept for the length: what a series needs.
pub(crate) fn put_message(buf: &mut Vec<u8>, field: u64, write: impl FnOnce(&mut Vec<u8>)) {
    put_varint(buf, field << 3 | LENGTH_DELIMITED);
    let kept = buf.len();
    buf.extend_from_slice(&[0; 2]);
    write(buf);
    let len = buf.len() - kept - 2;
    if varint_len(len as u64) == 2 {
        buf[kept..kept + 2].copy_from_slice(&[len as u8 | 0x80, (len >> 7) as u8]);
    } else {
        let mut encoded = Vec::with_capacity(10);
        put_varint(&mut encoded, len as u64);
        buf.splice(kept..kept + 2, encoded);
    }
}

/// `Label { name = 1, value = 2 }` as field 1 of a series or exemplar. The value comes in two parts, a name and its suffix.
pub(crate) fn put_label(buf: &mut Vec<u8>, name: &str, value: [&str; 2]) {
    let value_len = value[0].len() + value[1].len();
    put_varint(buf, 1 << 3 | LENGTH_DELIMITED);
    put_varint(buf, label_message_len(name, value_len) as u64);
    put_varint(buf, 1 << 3 | LENGTH_DELIMITED);
    put_varint(buf, name.len() as u64);
    buf.extend_from_slice(name.as_bytes());
    put_varint(buf, 2 << 3 | LENGTH_DELIMITED);
    put_varint(buf, value_len as u64);
    buf.extend_from_slice(value[0].as_bytes());
    buf.extend_from_slice(value[1].as_bytes());
}

/// How many bytes [`put_label`] writes.
pub(crate) const fn label_len(name: &str, value_len: usize) -> usize {
    let message_len = label_message_len(name, value_len);
    1 + varint_len(message_len as u64) + message_len
}

const fn label_message_len(name: &str, value_len: usize) -> usize {
    2 + varint_len(name.len() as u64) + name.len() + varint_len(value_len as u64) + value_len
}

/// `Sample { value = 1, timestamp = 2 }` as field 2 of a series.
pub(crate) fn put_sample(buf: &mut Vec<u8>, value: f64, time: UnixMillis) {
    let stamp = time.0 as u64;
    let value_len = if value.to_bits() == 0 { 0 } else { 9 };
    let time_len = if stamp == 0 { 0 } else { 1 + varint_len(stamp) };
    put_varint(buf, 2 << 3 | LENGTH_DELIMITED);
    put_varint(buf, (value_len + time_len) as u64);
    put_double(buf, 1, value);
    put_uint(buf, 2, stamp);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{put_message, put_string, put_varint, take_varint, varint_len, zigzag};

    proptest! {
        #[test]
        fn a_varint_survives_the_round_trip_in_the_length_foretold(value in any::<u64>(), shift in 0u32..64) {
            let value = value >> shift;
            let mut buf = Vec::new();
            put_varint(&mut buf, value);
            prop_assert_eq!(buf.len(), varint_len(value));
            let mut rest = buf.as_slice();
            prop_assert_eq!(take_varint(&mut rest), value);
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn a_message_is_framed_whatever_its_length(len in prop_oneof![0usize..300, 16_380usize..16_390]) {
            let mut framed = b"before".to_vec();
            put_message(&mut framed, 3, |buf| buf.resize(buf.len() + len, 7));
            let mut expected = b"before".to_vec();
            put_varint(&mut expected, 3 << 3 | 2);
            put_varint(&mut expected, len as u64);
            expected.resize(expected.len() + len, 7);
            prop_assert_eq!(framed, expected);
        }
    }

    #[test]
    fn zigzag_folds_signs() {
        assert_eq!([0, -1, 1, -2, i64::MAX, i64::MIN].map(zigzag), [0, 1, 2, 3, u64::MAX - 1, u64::MAX]);
    }

    #[test]
    fn an_empty_string_is_left_out() {
        let mut buf = Vec::new();
        put_string(&mut buf, 1, "");
        assert!(buf.is_empty());
    }
}
