//! Where a worker is: a host and a port, as in the authority of a URL.
//!
//! Checked when it is made, so that whoever connects needs no error path of its own. Names are resolved by whoever connects,
//! each time anew.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::str::FromStr;

use thiserror::Error;

/// The longest name that DNS has.
const HOST_MAX: usize = 253;

/// A host and a port: `10.1.2.3:4317`, `[fd00::1]:4317` or `worker-0.workers:4317`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Address(Box<str>);

/// What is no address.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("`{0}` is no address: it must be a host and a port, such as 10.1.2.3:4317 or worker-0.workers:4317")]
pub struct InvalidAddress(Box<str>);

impl Address {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let parts = text.rsplit_once(':').filter(|(host, port)| is_host(host) && is_port(port));
        parts.map(|_| Self(text.into())).ok_or_else(|| InvalidAddress(text.into()))
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self(address.to_string().into())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
            !host.is_empty() && host.len() <= HOST_MAX && host.bytes().all(allowed)
        }
    }
}

fn is_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for good in ["127.0.0.1:4317", "[::1]:1", "worker-0.workers:65535", "a_b.c:80"] {
            assert_eq!(good.parse::<Address>().unwrap().as_str(), good);
        }
        let wrong = ["", "host", ":4317", "host:", "host:0", "host:65536", "host:+1", "::1:80", "[x]:80", "a/b:80"];
        for wrong in wrong.into_iter().chain(["http://a:80", "u@a:80", "größe:80"]) {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }
}
