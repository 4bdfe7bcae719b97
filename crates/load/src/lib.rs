//! A load generator shaped like a fleet of Claude Code sessions, which checks its own sums.
//!
//! Everything about *what* is sent is decided by a seed ([`Fleet`]): sessions that come and go, their metrics, values,
//! protocols, and the moments at which a request is sent twice or abandoned in flight. *When* it is sent, and what the
//! server makes of it, is the driver's ([`run()`]). What the server said it accepted stands in a [`Ledger`], and [`verify()`]
//! compares that, series by series and exactly, with what a scrape endpoint or a Prometheus query API shows. It can be
//! exact because every value is a multiple of 2^-10 below 2^43: no sum of them ever rounds.
//!
//! It is used by the verb `shardset load`, by the benchmarks ([`StandardPayload`]) and by the end to end tests.
//!
//! Boundary: it knows OTLP and Prometheus text as an outsider does, and nothing of how Shardset works inside; it shares
//! with Shardset only the raw-bytes gRPC client. It does not take part in any decision about the data.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod fleet;
mod latency;
mod ledger;
mod metric;
mod payload;
mod progress;
mod random;
mod run;
mod send;
mod settings;
mod verify;

pub use fleet::{Export, Fleet, Mischief};
pub use ledger::{Ledger, Range, StreamName};
pub use payload::{PayloadShape, StandardPayload, standard_payload};
pub use progress::{Progress, Summary};
pub use run::{Outcome, RunError, run};
pub use settings::{
    Endpoints, Extras, InvalidSettings, MischiefRates, Protocol, ProtocolMix, Retry, Settings, TlsFiles,
};
pub use verify::{Difference, Verdict, VerifyError, VerifySettings, verify};
