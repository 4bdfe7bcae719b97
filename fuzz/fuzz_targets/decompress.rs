//! Any bytes as a compressed body: never a panic, and never more output or memory than allowed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shardset_gateway::receive::{Budget, Buffer, Encoding, decompress};

const LIMIT: usize = 1 << 20;
/// A buffer that doubles holds old and new for a moment, each at most twice the limit.
const BUDGET: u64 = 4 << 20;

fuzz_target!(|input: (u8, &[u8])| {
    let (encoding, body) = input;
    let encodings = [Encoding::Identity, Encoding::Gzip, Encoding::Deflate, Encoding::Zstd];
    let encoding = encodings[usize::from(encoding) % encodings.len()];
    let budget = Budget::new(BUDGET);
    let mut output = Buffer::new(budget.open(), LIMIT);
    // Broken bytes and a full buffer are answers; what matters is what they cost.
    if decompress(encoding, body, &mut output).is_ok() && encoding == Encoding::Identity {
        assert_eq!(output.as_slice(), body);
    }
    assert!(output.as_slice().len() <= LIMIT);
    assert!(budget.used() <= BUDGET);
    drop(output);
    assert_eq!(budget.used(), 0, "what was taken is given back");
});
