//! Durable before told, as a type.
//!
//! What follows from a change may be told to others only when the change is durable. So it comes sealed, and the one thing that
//! opens it is the receipt of a commit that was made after the change.

/// Every change appended before the commit that made this is durable. Made by journals and by nothing else
/// (`crates/tidy` tests that).
#[derive(Debug)]
pub struct Receipt(());

impl Receipt {
    /// The receipt of a commit, for whoever made it durable.
    pub const fn of_commit() -> Self {
        Self(())
    }
}

/// Something that may be told only when the changes it follows from are durable.
#[derive(Debug)]
#[must_use = "what is sealed was decided and must be told once it is durable"]
pub struct Sealed<T>(T);

impl<T> Sealed<T> {
    /// Seals what follows from changes that are not durable yet.
    pub const fn new(inside: T) -> Self {
        Self(inside)
    }

    /// What is inside, given that the changes were durable before.
    pub fn open(self, _: &Receipt) -> T {
        self.0
    }
}
