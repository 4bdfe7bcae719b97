//! A dense run of buckets that neither begins nor ends with an empty one.

use shardset_model::Buckets;

/// The buckets of one sign.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Run {
    pub(crate) offset: i32,
    pub(crate) counts: Vec<u64>,
}

impl Run {
    pub(crate) fn view(&self) -> Buckets<'_> {
        Buckets { offset: self.offset, counts: &self.counts }
    }

    /// Merges whole buckets: bucket `i` goes to `i >> by`.
    pub(crate) fn downscale(&mut self, by: u32) {
        if by == 0 || self.counts.is_empty() {
            return;
        }
        let first = self.offset >> by;
        let mut last = 0;
        for at in 0..self.counts.len() {
            let to = (((self.offset + at as i32) >> by) - first) as usize;
            let count = std::mem::take(&mut self.counts[at]);
            self.counts[to] = self.counts[to].saturating_add(count);
            last = to;
        }
        self.counts.truncate(last + 1);
        self.offset = first;
    }

    /// Removes the buckets up to index `last` and tells what was in them.
    pub(crate) fn cut_through(&mut self, last: i32) -> u64 {
        let cut = (i64::from(last) - i64::from(self.offset) + 1).clamp(0, self.counts.len() as i64) as usize;
        let folded = self.counts.drain(..cut).fold(0_u64, u64::saturating_add);
        self.offset += cut as i32;
        self.trim();
        folded
    }

    /// Adds buckets of a scale that is `shift` finer.
    pub(crate) fn add(&mut self, buckets: &Buckets<'_>, shift: u32) {
        let Some((low, high)) = range(buckets) else { return };
        self.cover(low >> shift, high >> shift);
        for (at, count) in buckets.counts.iter().enumerate() {
            let to = (((buckets.offset + at as i32) >> shift) - self.offset) as usize;
            self.counts[to] = self.counts[to].saturating_add(*count);
        }
    }

    /// Makes room from bucket `low` to bucket `high`.
    fn cover(&mut self, low: i32, high: i32) {
        if self.counts.is_empty() {
            self.offset = low;
        }
        if low < self.offset {
            let before = (self.offset - low) as usize;
            self.counts.splice(0..0, std::iter::repeat_n(0, before));
            self.offset = low;
        }
        let len = (high - self.offset) as usize + 1;
        if self.counts.len() < len {
            self.counts.reserve_exact(len - self.counts.len());
            self.counts.resize(len, 0);
        }
    }

    fn trim(&mut self) {
        let Buckets { offset, counts } = trimmed(&self.view());
        let (begin, len) = ((offset - self.offset) as usize, counts.len());
        self.counts.drain(..begin);
        self.counts.truncate(len);
        self.offset = if len == 0 { 0 } else { offset };
    }
}

/// The buckets from the first to the last that is not empty.
pub(crate) fn trimmed<'a>(buckets: &Buckets<'a>) -> Buckets<'a> {
    let Some(first) = buckets.counts.iter().position(|count| *count > 0) else {
        return Buckets { offset: buckets.offset, counts: &[] };
    };
    let last = buckets.counts.iter().rposition(|count| *count > 0).unwrap_or(first);
    Buckets { offset: buckets.offset.saturating_add(first as i32), counts: &buckets.counts[first..=last] }
}

/// The lowest and highest index of trimmed buckets; `None` where there are none.
pub(crate) fn range(buckets: &Buckets<'_>) -> Option<(i32, i32)> {
    let len = i32::try_from(buckets.counts.len()).ok().filter(|len| *len > 0)?;
    Some((buckets.offset, buckets.offset + (len - 1)))
}
