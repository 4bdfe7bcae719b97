//! Names of the files in a shard's directory.
//!
//! | file | what |
//! | --- | --- |
//! | `lock` | locked while a worker runs |
//! | `manifest`, `manifest.tmp` | which segments are the log, and its next version while it is written |
//! | `segment-<16 hex digits>.log` | a piece of the log |
//! | `cold-<8 hex digits>.log` | a piece of the cold store |
//!
//! Anything else is left alone.

/// The manifest.
pub(crate) const MANIFEST: &str = "manifest";
/// The manifest's next version.
pub(crate) const MANIFEST_NEXT: &str = "manifest.tmp";
/// What is locked.
pub(crate) const LOCK: &str = "lock";

/// The name of a segment.
pub(crate) fn segment(number: u64) -> String {
    format!("segment-{number:016x}.log")
}

/// The number of the segment with this name.
pub(crate) fn segment_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("segment-")?.strip_suffix(".log")?;
    let number = u64::from_str_radix(digits, 16).ok()?;
    (segment(number) == name).then_some(number)
}

/// The name of a file of the cold store.
pub(crate) fn cold(number: u32) -> String {
    format!("cold-{number:08x}.log")
}

/// The number of the cold file with this name.
pub(crate) fn cold_number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("cold-")?.strip_suffix(".log")?;
    let number = u32::from_str_radix(digits, 16).ok()?;
    (cold(number) == name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_was_made_and_no_other_way() {
        assert_eq!(segment(0xab), "segment-00000000000000ab.log");
        assert_eq!(segment_number(&segment(u64::MAX)), Some(u64::MAX));
        assert_eq!(cold(0xab), "cold-000000ab.log");
        assert_eq!(cold_number(&cold(7)), Some(7));
        for wrong in ["segment-ab.log", "segment-00000000000000AB.log", "segment-.log", "cold-7.log", "manifest"] {
            assert_eq!((segment_number(wrong), cold_number(wrong)), (None, None), "{wrong}");
        }
    }
}
