//! What became of a point that was not refused, and of a sweep.

/// What [`crate::Streams::apply`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Applied {
    /// The stream's slot; `None` where a point without value came for a stream that is not known.
    pub slot: Option<u32>,
    /// Whether the stream is new.
    pub created: bool,
    /// What became of the point.
    pub outcome: Outcome,
}

/// What became of a point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It was added to its stream's total.
    Counted {
        /// Its time is below the stream's newest.
        late: bool,
        /// What adding it did beyond adding.
        effect: Effect,
    },
    /// It was counted before; nothing changed.
    Duplicate,
    /// It is its stream's newest point now, and goes out as it is.
    PassedOn,
    /// Its stream has a newer point to pass on, or the same; nothing changed.
    Superseded,
    /// Another shard has its stream; nothing changed.
    Away,
    /// It says that there is no value any more: the stream ends with a staleness marker, its total stays.
    NoRecordedValue,
}

/// What adding a point did to its stream beyond adding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Nothing.
    Added,
    /// An integer total left `i64` and is a double from now on.
    Overflowed,
    /// A double came for an integer total, which is a double from now on.
    Promoted,
    /// The histogram's bounds changed: its total and start are the point's from now on.
    BoundsChanged,
    /// The exponential histogram's scale fell.
    Rescaled,
}

impl Applied {
    /// Whether state changed, so that a journal must hold it before the sender is told.
    pub const fn is_change(&self) -> bool {
        self.slot.is_some() && !matches!(self.outcome, Outcome::Duplicate | Outcome::Superseded | Outcome::Away)
    }
}

/// What [`crate::Streams::sweep`] did.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Swept {
    /// Slots looked at.
    pub looked_at: u32,
    /// Streams that ended.
    pub ended: u32,
    /// Streams that were forgotten.
    pub forgotten: u32,
}
