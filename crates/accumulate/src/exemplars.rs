//! The newest exemplars of a stream.
//!
//! Each knows the generation it came in, so every destination is told those that are new to it. They are examples, not sums:
//! they are neither journalled nor handed over, and at most [`MOST`] are kept.

use shardset_model::{Exemplar, UnixNanos};

/// Exemplars kept per stream.
const MOST: usize = 10;
/// An exemplar with more bytes of attributes than this is kept without them; Prometheus takes 128 characters.
const ATTRIBUTES_MAX: usize = 512;

/// Exemplars in the order of arrival.
#[derive(Clone, Default, Debug)]
pub(crate) struct Exemplars {
    kept: Vec<Kept>,
}

#[derive(Clone, Debug)]
struct Kept {
    generation: u32,
    time: UnixNanos,
    value: f64,
    trace_id: Option<[u8; 16]>,
    span_id: Option<[u8; 8]>,
    filtered_attributes: Box<[u8]>,
}

impl Exemplars {
    /// Keeps those of a point, and of all the newest.
    pub(crate) fn keep(&mut self, exemplars: &[Exemplar<'_>], generation: u32) {
        for exemplar in exemplars {
            if self.kept.len() == MOST {
                let Some(oldest) = self.oldest() else { return };
                if self.kept[oldest].time > exemplar.time {
                    continue;
                }
                self.kept.remove(oldest);
            }
            self.kept.push(Kept::of(exemplar, generation));
        }
    }

    /// Those that came after a generation.
    pub(crate) fn since(&self, generation: u32) -> impl Iterator<Item = Exemplar<'_>> {
        self.kept.iter().filter(move |kept| kept.generation > generation).map(Kept::view)
    }

    fn oldest(&self) -> Option<usize> {
        self.kept.iter().enumerate().min_by_key(|(_, kept)| kept.time).map(|(at, _)| at)
    }
}

impl Kept {
    fn of(exemplar: &Exemplar<'_>, generation: u32) -> Self {
        let fits = exemplar.filtered_attributes.len() <= ATTRIBUTES_MAX;
        Self {
            generation,
            time: exemplar.time,
            value: exemplar.value,
            trace_id: exemplar.trace_id.try_into().ok(),
            span_id: exemplar.span_id.try_into().ok(),
            filtered_attributes: if fits { exemplar.filtered_attributes.into() } else { Box::default() },
        }
    }

    fn view(&self) -> Exemplar<'_> {
        Exemplar {
            time: self.time,
            value: self.value,
            trace_id: self.trace_id.as_ref().map_or(&[], |id| id.as_slice()),
            span_id: self.span_id.as_ref().map_or(&[], |id| id.as_slice()),
            filtered_attributes: &self.filtered_attributes,
        }
    }
}

#[cfg(test)]
mod tests {
    use shardset_model::{Exemplar, UnixNanos};

    use super::Exemplars;

    #[test]
    fn the_newest_ten_stay_and_each_destination_sees_what_is_new_to_it() {
        let mut exemplars = Exemplars::default();
        let at = |time: u64| Exemplar {
            time: UnixNanos(time),
            value: time as f64,
            trace_id: &[7; 16],
            span_id: &[],
            filtered_attributes: &[0; 600],
        };
        (1..=8).for_each(|time| exemplars.keep(&[at(time)], 1));
        (9..=12).for_each(|time| exemplars.keep(&[at(time)], 2));
        exemplars.keep(&[at(1)], 2);
        let times = |done| exemplars.since(done).map(|exemplar| exemplar.time.0).collect::<Vec<_>>();
        assert_eq!(times(0), [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!(times(1), [9, 10, 11, 12]);
        assert_eq!(times(2), []);
        let first = exemplars.since(0).next().unwrap();
        assert_eq!((first.trace_id, first.span_id), ([7_u8; 16].as_slice(), [].as_slice()));
        assert!(first.filtered_attributes.is_empty(), "600 bytes of attributes are too many");
    }
}
