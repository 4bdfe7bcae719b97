//! TLS: towards senders, and between our own parts.
//!
//! Certificates are files in PEM, as cert-manager makes them and kubelets keep them. They change while a process runs, and are read
//! again: a connection takes what was read last, and those that are open stay as they are ([`Acceptor`], [`PeerTls`]).
//!
//! Between our parts both ends show a certificate of one authority, and whoever connects asks for one name, that of the workers of
//! its set: addresses of pods are used again, and certificates do not name them. TLS comes to parts that run in two steps, so that
//! none of them is cut off while they are replaced one by one ([`Mode`]).
//!
//! Boundary: what is said over a connection is not seen here. Destinations have TLS of their own, that of their HTTP client.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod accept;
mod connect;
mod files;
#[cfg(test)]
mod fixtures;
mod identity;
mod metrics;
mod reload;

pub use self::accept::{Acceptor, Connection};
pub use self::connect::{Mode, PeerTls};
pub use self::files::{Files, TlsError};
pub use self::identity::{Identity, InvalidName};
pub use self::metrics::Metrics;
