//! The memory of counted points: what makes a point count once, however often it is sent.
//!
//! A point is remembered by its exact time, a [`mod@fingerprint`] of start and value, and the second of its arrival. Points of
//! one stream are told apart by time and fingerprint: two different ones at the same nanosecond pass for one with a chance
//! of 2^-32. Points leave when their window is over or when there are too many (the oldest time first); `floor` is the newest
//! time that left, and what is not above it can not be told from a duplicate any more.
//!
//! The first two stand in the stream itself. More stand in a list in the order of their times, because almost every point is newer
//! than all before and arrives after them: then the list's two ends say all, and its middle, a cache line for each four
//! points, need not be read. With `writers: One` the starts are kept as well, beside the points.
//!
//! Seconds, because the window is minutes: a point stays for its window and up to one second more, never less.

mod fingerprint;
mod many;

pub(crate) use self::fingerprint::fingerprint;
use self::many::Many;

/// Points kept without an allocation.
const FEW: usize = 2;

/// One counted point.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub(crate) struct Counted {
    pub(crate) time: u64,
    pub(crate) fingerprint: u32,
    /// Seconds since the Unix epoch.
    pub(crate) arrival: u32,
}

/// How long and how much is remembered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    /// Seconds.
    pub(crate) window: u32,
    pub(crate) points: usize,
    /// Whether starts are kept.
    pub(crate) spans: bool,
}

/// What the memory says about a point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Recall {
    Remembered,
    TooOld,
    New { late: bool },
}

/// The points of one stream that may come again.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    /// 0 where nothing has left.
    floor: u64,
    recent: Recent,
}

#[derive(Clone, Debug)]
enum Recent {
    Few { len: u8, points: [Counted; FEW] },
    Many(Many),
    Spans(Box<Spans>),
}

/// The start of `points[i]` is `starts[i]`.
#[derive(Clone, Default, Debug)]
struct Spans {
    points: Vec<Counted>,
    starts: Vec<u64>,
}

impl Memory {
    /// Of a stream whose earlier life ended with this floor.
    pub(crate) fn with_floor(floor: u64) -> Self {
        Self { floor, recent: Recent::Few { len: 0, points: [Counted::default(); FEW] } }
    }

    /// What was decoded: points with their starts.
    pub(crate) fn restore(floor: u64, points: &[(Counted, u64)], reach: &Reach) -> Self {
        let mut memory = Self::with_floor(floor);
        for (point, start) in points {
            memory.recent.push(*point, *start, reach);
        }
        memory
    }

    pub(crate) const fn floor(&self) -> u64 {
        self.floor
    }

    /// Forgets everything up to `time` and remembers nothing: for streams whose newest point alone matters.
    pub(crate) fn raise_floor(&mut self, time: u64) {
        self.floor = time;
    }

    /// The newest time counted.
    pub(crate) fn newest(&self) -> u64 {
        match &self.recent {
            Recent::Many(many) => many.newest().max(self.floor),
            Recent::Few { .. } | Recent::Spans(_) => {
                self.recent.points().iter().map(|point| point.time).fold(self.floor, u64::max)
            }
        }
    }

    /// Whether a point is known, or may be. Changes nothing.
    #[inline]
    pub(crate) fn recall(&self, time: u64, fingerprint: u32, now: u32, window: u32) -> Recall {
        let newest = self.newest();
        if time > newest {
            return Recall::New { late: false };
        }
        let mut floor = self.floor;
        for point in self.recent.points() {
            if is_over(point, now, window) {
                floor = floor.max(point.time);
            } else if point.time == time && point.fingerprint == fingerprint {
                return Recall::Remembered;
            }
        }
        if time <= floor { Recall::TooOld } else { Recall::New { late: time < newest } }
    }

    /// Whether the interval meets one that is remembered, or the newest that left. Asked only where starts are kept.
    pub(crate) fn overlaps(&self, start: u64, time: u64) -> bool {
        let Recent::Spans(spans) = &self.recent else { return self.floor > begin(start, time) };
        let kept = spans.points.iter().zip(&spans.starts);
        self.floor > begin(start, time)
            || kept.into_iter().any(|(point, from)| meet((*from, point.time), (start, time)))
    }

    /// Takes a point in, and lets go of those whose time is over or that are too many.
    #[inline]
    pub(crate) fn remember(&mut self, point: Counted, start: u64, reach: &Reach) {
        self.let_go(point.arrival, reach.window);
        self.recent.push(point, start, reach);
        if self.recent.points().len() > reach.points {
            self.let_oldest_go();
        }
    }

    /// Lets go of the points whose window is over.
    pub(crate) fn let_go(&mut self, now: u32, window: u32) {
        if let Recent::Many(many) = &mut self.recent {
            self.floor = many.let_go(now, window).max(self.floor);
            return self.recent.tighten();
        }
        let mut at = 0;
        while let Some(point) = self.recent.points().get(at) {
            if is_over(point, now, window) {
                self.floor = self.floor.max(point.time);
                self.recent.swap_remove(at);
            } else {
                at += 1;
            }
        }
    }

    /// Lets go of all points of the oldest time: at or below the floor they are refused whether they are known or not.
    fn let_oldest_go(&mut self) {
        if let Recent::Many(many) = &mut self.recent {
            self.floor = many.let_oldest_go().max(self.floor);
            return self.recent.tighten();
        }
        let oldest = self.recent.points().iter().map(|point| point.time).min().unwrap_or(0);
        self.floor = self.floor.max(oldest);
        while let Some(at) = self.recent.points().iter().position(|point| point.time == oldest) {
            self.recent.swap_remove(at);
        }
    }

    /// The points in the order of time, with their starts (0 where starts are not kept).
    pub(crate) fn sorted(&self) -> Vec<(Counted, u64)> {
        let starts = match &self.recent {
            Recent::Spans(spans) => spans.starts.as_slice(),
            Recent::Few { .. } | Recent::Many(_) => &[],
        };
        let start_of = |at: usize| starts.get(at).copied().unwrap_or(0);
        let mut sorted: Vec<_> =
            self.recent.points().iter().enumerate().map(|(at, point)| (*point, start_of(at))).collect();
        sorted.sort_unstable();
        sorted
    }

    /// Reads a word of each cache line that the next point is likely to need of a list which stands elsewhere.
    #[inline]
    pub(crate) fn touch(&self) -> u32 {
        const LINE: usize = 64 / size_of::<Counted>();
        match &self.recent {
            Recent::Few { .. } => 0,
            Recent::Many(many) => many.touch(),
            Recent::Spans(spans) => spans.points.iter().step_by(LINE).fold(0, |word, point| word ^ point.arrival),
        }
    }

    /// Bytes on the heap.
    pub(crate) fn heap(&self) -> usize {
        match &self.recent {
            Recent::Few { .. } => 0,
            Recent::Many(many) => many.heap(),
            Recent::Spans(spans) => size_of::<Spans>() + spans.points.capacity() * (size_of::<Counted>() + 8),
        }
    }
}

impl Recent {
    #[inline]
    fn points(&self) -> &[Counted] {
        match self {
            Self::Few { len, points } => &points[..usize::from(*len)],
            Self::Many(many) => many.points(),
            Self::Spans(spans) => &spans.points,
        }
    }

    fn push(&mut self, point: Counted, start: u64, reach: &Reach) {
        if reach.spans {
            return self.spans().push(point, start);
        }
        match self {
            Self::Few { len, points } if usize::from(*len) < FEW => {
                points[usize::from(*len)] = point;
                *len += 1;
            }
            Self::Few { points, .. } => {
                let mut many = Many::of(points);
                many.push(point);
                *self = Self::Many(many);
            }
            Self::Many(many) => many.push(point),
            Self::Spans(spans) => spans.push(point, start),
        }
    }

    /// The list with starts; what stood in another form gets its time as start.
    fn spans(&mut self) -> &mut Spans {
        if !matches!(self, Self::Spans(_)) {
            let points = self.points().to_vec();
            let starts = points.iter().map(|point| point.time).collect();
            *self = Self::Spans(Box::new(Spans { points, starts }));
        }
        match self {
            Self::Spans(spans) => spans,
            Self::Few { .. } | Self::Many(_) => unreachable!("made spans above"),
        }
    }

    /// Of a list without an order.
    fn swap_remove(&mut self, at: usize) {
        match self {
            Self::Few { len, points } => {
                *len -= 1;
                points.swap(at, usize::from(*len));
            }
            Self::Many(_) => unreachable!("it lets go by itself"),
            Self::Spans(spans) => {
                spans.points.swap_remove(at);
                spans.starts.swap_remove(at);
            }
        }
    }

    /// Gives the list back when one point or none is left of it; not at two, or a slow stream would allocate at every point.
    fn tighten(&mut self) {
        if let Self::Many(many) = self
            && many.points().len() < FEW
        {
            let list = many.points();
            let mut points = [Counted::default(); FEW];
            points[..list.len()].copy_from_slice(list);
            *self = Self::Few { len: list.len() as u8, points };
        }
    }
}

impl Spans {
    fn push(&mut self, point: Counted, start: u64) {
        self.points.push(point);
        self.starts.push(start);
    }
}

#[inline]
const fn is_over(point: &Counted, now: u32, window: u32) -> bool {
    now.saturating_sub(point.arrival) > window
}

/// An unknown start says nothing about the interval but its end.
const fn begin(start: u64, time: u64) -> u64 {
    if start == 0 { time } else { start }
}

/// Whether two intervals `(start, time]` have a moment in common. One of no length is the moment of its time.
const fn meet(a: (u64, u64), b: (u64, u64)) -> bool {
    let (from_a, from_b) = (begin(a.0, a.1), begin(b.0, b.1));
    match (from_a == a.1, from_b == b.1) {
        (true, true) => a.1 == b.1,
        (true, false) => from_b < a.1 && a.1 <= b.1,
        (false, true) => from_a < b.1 && b.1 <= a.1,
        (false, false) => from_a < b.1 && from_b < a.1,
    }
}

#[cfg(test)]
mod tests;
