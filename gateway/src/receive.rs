//! Receives OTLP metrics: over gRPC and over HTTP, as protobuf and as JSON, plain and compressed.
//!
//! Decision: one loop accepts connections for both ports and keeps them by one set of rules ([`settings`]); the two
//! protocols differ only in how a request is read and how an answer is written. Whatever comes in leaves as plain
//! protobuf bytes together with the memory it takes ([`Request`]), bounded from the first byte that is read ([`budget`]).
//!
//! What is temporary is answered so that OTLP clients come back (`UNAVAILABLE` with `RetryInfo`, 503 with `Retry-After`),
//! everything else so that they do not. Nothing is queued, and nothing outlives the client that sent it.
//!
//! Boundary: the bytes are not looked into; whether they are metrics is the next stage's affair ([`Intake`]).

mod budget;
mod buffer;
mod decompress;
mod intake;
mod metrics;
mod settings;

pub use budget::{Budget, OverBudget, Reservation};
pub use buffer::{Buffer, Full};
pub use decompress::{DecompressError, Encoding, decompress};
pub use intake::{Answer, Intake, Protocol, Request};
pub use metrics::{Outcome, ReceiveMetrics};
pub use settings::{BUDGET_PER_MESSAGE, BudgetTooSmall, ConnectionSettings, ReceiveSettings};
