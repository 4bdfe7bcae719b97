//! More points than stand in the stream itself, in the order of their times.
//!
//! While arrivals stand in order too, which they do but for points that came late, what is over and what is oldest is at the front. So
//! the front moves on, and the list is packed when it is full: letting go costs no look at the rest.

use super::{Counted, FEW, is_over};

/// A full list grows by this many: most streams need few more, and a doubled list would stay half empty for life.
const GROWTH: usize = 4;
/// A list is packed when an eighth of it is free at the front, or moving it would cost as much as looking at it.
const FREE: usize = 8;

#[derive(Clone, Debug)]
pub(super) struct Many {
    /// What stands before `front` was let go.
    list: Vec<Counted>,
    front: u32,
    /// Whether no point arrived before one whose time is older.
    in_order: bool,
}

impl Many {
    pub(super) fn of(points: &[Counted; FEW]) -> Self {
        let mut many = Self { list: Vec::with_capacity(FEW + GROWTH), front: 0, in_order: true };
        points.iter().for_each(|point| many.push(*point));
        many
    }

    #[inline]
    pub(super) fn points(&self) -> &[Counted] {
        &self.list[self.front as usize..]
    }

    /// The newest time; 0 where there is no point.
    #[inline]
    pub(super) fn newest(&self) -> u64 {
        self.points().last().map_or(0, |point| point.time)
    }

    pub(super) fn push(&mut self, point: Counted) {
        self.make_room();
        if self.points().last().is_none_or(|last| last.time <= point.time) {
            self.in_order &= self.points().last().is_none_or(|last| last.arrival <= point.arrival);
            return self.list.push(point);
        }
        let at = self.front as usize + self.points().partition_point(|other| other.time <= point.time);
        self.list.insert(at, point);
        self.in_order = self.points().is_sorted_by_key(|point| point.arrival);
    }

    /// Lets go of the points whose window is over; the newest time of theirs, 0 where none is.
    pub(super) fn let_go(&mut self, now: u32, window: u32) -> u64 {
        let mut newest = 0;
        if self.in_order {
            while let Some(first) = self.points().first().filter(|first| is_over(first, now, window)) {
                newest = first.time;
                self.front += 1;
            }
            return newest;
        }
        self.pack();
        self.list.retain(|point| {
            let is_over = is_over(point, now, window);
            newest = if is_over { point.time } else { newest };
            !is_over
        });
        self.in_order = self.list.is_sorted_by_key(|point| point.arrival);
        newest
    }

    /// Lets go of all points of the oldest time, which it gives.
    pub(super) fn let_oldest_go(&mut self) -> u64 {
        let oldest = self.points().first().map_or(0, |first| first.time);
        self.front += self.points().iter().take_while(|point| point.time == oldest).count() as u32;
        oldest
    }

    /// Reads a word of both ends.
    #[inline]
    pub(super) fn touch(&self) -> u32 {
        let arrival = |point: Option<&Counted>| point.map_or(0, |point| point.arrival);
        arrival(self.points().first()) ^ arrival(self.points().last())
    }

    /// Bytes on the heap.
    pub(super) const fn heap(&self) -> usize {
        self.list.capacity() * size_of::<Counted>()
    }

    fn make_room(&mut self) {
        if self.list.len() < self.list.capacity() {
            return;
        }
        if self.front as usize * FREE >= self.list.len() {
            self.pack();
        } else {
            self.list.reserve_exact(GROWTH);
        }
    }

    fn pack(&mut self) {
        self.list.drain(..self.front as usize);
        self.front = 0;
    }
}
