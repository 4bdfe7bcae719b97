//! Fields that several messages have, checked.

use shardset_model::{Incarnation, ShardCount, ShardIndex};

use super::Malformed;

/// Any shard that a membership may have. Workers that are no members (yet, or any more) speak and are spoken of as well.
pub(super) fn shard(number: u32, field: &'static str) -> Result<ShardIndex, Malformed> {
    let most = ShardCount::new(ShardCount::MAX).expect("the largest count is a count");
    most.shard(number).ok_or(Malformed::Field { field, expected: "the number of a shard" })
}

/// An incarnation.
pub(super) fn incarnation(bytes: &[u8], field: &'static str) -> Result<Incarnation, Malformed> {
    let number = bytes.try_into().ok().map(u128::from_be_bytes);
    number.and_then(Incarnation::new).ok_or(Malformed::Field { field, expected: "an incarnation (16 bytes)" })
}

/// An incarnation, or none where there are no bytes.
pub(super) fn known_incarnation(bytes: &[u8], field: &'static str) -> Result<Option<Incarnation>, Malformed> {
    if bytes.is_empty() { Ok(None) } else { incarnation(bytes, field).map(Some) }
}

/// The bytes of an incarnation.
pub(super) fn incarnation_bytes(incarnation: Incarnation) -> Vec<u8> {
    incarnation.get().to_be_bytes().to_vec()
}

/// The bytes of an incarnation that may not be known.
pub(super) fn known_incarnation_bytes(incarnation: Option<Incarnation>) -> Vec<u8> {
    incarnation.map(incarnation_bytes).unwrap_or_default()
}

/// A message inside of another that must be there.
pub(super) fn required<T>(message: Option<T>, field: &'static str) -> Result<T, Malformed> {
    message.ok_or(Malformed::Field { field, expected: "a message" })
}

#[cfg(test)]
mod tests {
    use super::{incarnation, known_incarnation, required, shard};

    #[test]
    fn a_shard_is_below_the_largest_count() {
        assert_eq!(shard(999, "to").unwrap().get(), 999);
        let error = shard(1000, "to").unwrap_err();
        assert_eq!(error.to_string(), "the field to is missing or is not the number of a shard");
    }

    #[test]
    fn an_incarnation_is_16_bytes_and_not_zero() {
        let mut bytes = [0; 16];
        bytes[15] = 7;
        assert_eq!(incarnation(&bytes, "sender").unwrap().get(), 7);
        assert_eq!(known_incarnation(&[], "receiver"), Ok(None));
        for wrong in [&[0; 16][..], &[1; 15], &[1; 17]] {
            assert!(known_incarnation(wrong, "receiver").is_err(), "{wrong:?}");
        }
        let error = incarnation(&[], "sender").unwrap_err();
        assert_eq!(error.to_string(), "the field sender is missing or is not an incarnation (16 bytes)");
    }

    #[test]
    fn a_required_message_that_is_missing_is_named() {
        let error = required::<()>(None, "membership").unwrap_err();
        assert_eq!(error.to_string(), "the field membership is missing or is not a message");
    }
}
