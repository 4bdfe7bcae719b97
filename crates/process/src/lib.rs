//! What every Shardset process is made of besides its role: logs, tasks that can not die unnoticed, listeners, the admin server, the
//! budget of bytes in flight, the clock and the signals that stop it.
//!
//! Boundary: knows nothing of metrics, streams or shards.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod admin;
pub mod budget;
pub mod clock;
mod listen;
pub mod logging;
pub mod readiness;
pub mod signals;
pub mod tasks;

pub use admin::Admin;
pub use listen::listen;
pub use readiness::{Condition, Readiness};
pub use tasks::{TaskFailed, Tasks};
