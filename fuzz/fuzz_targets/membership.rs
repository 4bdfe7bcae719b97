//! Any bytes as a membership file: never a panic, and what is taken is written and read as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shardset_membership::{from_json, to_json};

fuzz_target!(|text: &[u8]| {
    if let Ok(record) = from_json(text) {
        let again = from_json(to_json(&record).as_bytes()).expect("what was written can be read");
        assert_eq!(again.membership(), record.membership());
        assert_eq!(again.workers(), record.workers());
    }
});
