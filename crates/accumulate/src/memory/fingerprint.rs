//! 32 bits that stand for a point's start and value in the memory of counted points.
//!
//! Stored in checkpoints and handoffs, so it is a format: the words of the point are folded one after another by
//! `state = fold((state ^ word) * M) + M`, where `fold` is the exclusive or of both halves of the 128-bit product; then the
//! number of words is folded in, and the upper 32 bits are taken. Words: the start, a tag of the value's form, then its fields
//! in the order of their declaration, an optional double as its bits and 1, or 0 and 0.

use shardset_model::{Buckets, ExponentialPoint, HistogramPoint, Point, Value};

const SEED: u64 = 0x243f_6a88_85a3_08d3;
const M: u64 = 0x9e37_79b9_7f4a_7c15;

/// The fingerprint of a point.
#[inline]
pub(crate) fn fingerprint(point: &Point<'_>) -> u32 {
    let mut fold = Fold { state: SEED, words: 0 };
    fold.word(point.start.0);
    match point.value {
        Value::Int(value) => fold.tagged(1, value as u64),
        Value::Double(value) => fold.tagged(2, value.to_bits()),
        Value::Histogram(value) => fold.histogram(&value),
        Value::Exponential(value) => fold.exponential(&value),
        // Not counted, hence not remembered.
        Value::Missing | Value::Summary(_) => {}
    }
    fold.finish()
}

struct Fold {
    state: u64,
    words: u64,
}

impl Fold {
    #[inline]
    fn word(&mut self, word: u64) {
        let product = u128::from(self.state ^ word) * u128::from(M);
        self.state = ((product >> 64) as u64 ^ product as u64).wrapping_add(M);
        self.words += 1;
    }

    #[inline]
    fn tagged(&mut self, tag: u64, word: u64) {
        self.word(tag);
        self.word(word);
    }

    fn optional(&mut self, value: Option<f64>) {
        self.tagged(value.map_or(0, f64::to_bits), u64::from(value.is_some()));
    }

    fn list(&mut self, words: impl ExactSizeIterator<Item = u64>) {
        self.word(words.len() as u64);
        words.for_each(|word| self.word(word));
    }

    fn histogram(&mut self, value: &HistogramPoint<'_>) {
        self.tagged(3, value.count);
        [value.sum, value.min, value.max].into_iter().for_each(|number| self.optional(number));
        self.list(value.bounds.iter().map(|bound| bound.to_bits()));
        self.list(value.counts.iter().copied());
    }

    fn exponential(&mut self, value: &ExponentialPoint<'_>) {
        self.tagged(4, value.count);
        [value.sum, value.min, value.max].into_iter().for_each(|number| self.optional(number));
        self.tagged(value.scale as u64, value.zero_count);
        self.word(value.zero_threshold.to_bits());
        self.buckets(&value.positive);
        self.buckets(&value.negative);
    }

    fn buckets(&mut self, buckets: &Buckets<'_>) {
        self.word(buckets.offset as u64);
        self.list(buckets.counts.iter().copied());
    }

    #[inline]
    fn finish(mut self) -> u32 {
        self.word(self.words);
        (self.state >> 32) as u32
    }
}
