//! The published membership: the one record by which everybody learns who the workers are and where.
//!
//! A reader has a whole record or the one before, never a mixture, and never goes back: what is published is checked when
//! it is read ([`Record::new`]) and again against what the reader holds ([`admit()`]). Both are pure. Around them stand a
//! file that is replaced at once ([`publish`]) and a watch on it ([`watch()`]); on Kubernetes the same record comes from an
//! EndpointSlice, whose annotations have the same names as the keys of the file.
//!
//! Boundary: decides nothing about when a membership changes, and sends nothing to workers.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod address;
mod admit;
mod file;
mod format;
mod origin;
mod record;
mod refusals;
mod trouble;
mod watch;

pub use address::{Address, InvalidAddress};
pub use admit::{Refused, admit, follows};
pub use file::{Expect, PublishError, ReadError, publish, read};
pub use format::{BadText, from_json, to_json};
pub use origin::Origin;
pub use record::{InvalidRecord, Record, WorkerAt};
pub use refusals::Refusals;
pub use trouble::Trouble;
pub use watch::{Published, watch};
