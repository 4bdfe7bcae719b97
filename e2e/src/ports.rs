//! Loopback ports for servers that have to know theirs before they start, and after a restart.
//!
//! Port 0 would tell nobody which one it became. These lie below the range that the kernel hands out to connections, so no
//! client takes one between the look and the start; the counter keeps tests of one process apart, and test binaries run
//! one after the other.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

static NEXT: AtomicU16 = AtomicU16::new(20_000);
const END: u16 = 32_000;

/// Looks for ports from this one on, in this process.
pub fn begin_at(port: u16) {
    NEXT.store(port, Ordering::Relaxed);
}

/// An address that nobody listens on.
///
/// # Panics
///
/// When all ports are taken.
pub fn free() -> SocketAddr {
    loop {
        let port = NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(port < END, "no free port below {END}");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
