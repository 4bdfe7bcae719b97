//! From where a reader has the membership that it holds. It decides nothing: a membership is as good as its epoch.

/// How a membership came.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Origin {
    /// It is published, and whoever publishes is followed.
    #[default]
    Watch,
    /// It was published, and kept over a restart of the process.
    Snapshot,
    /// A worker said it when it was asked, because whoever publishes did not answer.
    Worker,
    /// A worker said it when it refused a request of an older one.
    Refusal,
}

impl Origin {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Watch, Self::Snapshot, Self::Worker, Self::Refusal];

    /// The value of the label `origin` in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Watch => "watch",
            Self::Snapshot => "snapshot",
            Self::Worker => "worker",
            Self::Refusal => "refusal",
        }
    }
}
