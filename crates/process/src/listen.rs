//! Listening on an address, or on all of them, whichever families there are.
//!
//! Pods have addresses of one family or of both, and are told to listen on `[::]`, which takes connections of both. A kernel without
//! IPv6 can not do that; then it is every address of IPv4.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpListener;

/// Listens on `address`; `[::]` is every address of both families, as far as the system has them.
///
/// # Errors
///
/// The system's.
pub async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Err(error) => match instead_of(address, &error) {
            // Who can have neither is told why not the one that was asked for.
            Some(other) => TcpListener::bind(other).await.map_err(|_| error),
            None => Err(error),
        },
        bound => bound,
    }
}

/// Where else to listen after this error: not where the port is somebody's, or where we may not.
fn instead_of(address: SocketAddr, error: &io::Error) -> Option<SocketAddr> {
    let is_everywhere = address.ip() == Ipv6Addr::UNSPECIFIED;
    let is_final = matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied);
    (is_everywhere && !is_final).then(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())))
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

    use tokio::net::TcpStream;

    use super::{instead_of, listen};

    #[tokio::test]
    async fn everywhere_is_every_family_that_the_system_has() {
        let listener = listen("[::]:0".parse().unwrap()).await.unwrap();
        let bound = listener.local_addr().unwrap();
        TcpStream::connect((Ipv4Addr::LOCALHOST, bound.port())).await.unwrap();
        if bound.is_ipv6() {
            TcpStream::connect((Ipv6Addr::LOCALHOST, bound.port())).await.unwrap();
        }
        assert_eq!(listen(bound).await.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn without_ipv6_everywhere_is_every_address_of_ipv4() {
        let no_such_family = io::Error::from_raw_os_error(97);
        let taken = io::Error::from(io::ErrorKind::AddrInUse);
        let instead = |address: &str, error: &io::Error| instead_of(address.parse().unwrap(), error);
        assert_eq!(instead("[::]:80", &no_such_family), Some(SocketAddr::from(([0, 0, 0, 0], 80))));
        assert_eq!(instead("[::]:80", &taken), None);
        assert_eq!(instead("[::1]:80", &no_such_family), None);
        assert_eq!(instead("127.0.0.1:80", &no_such_family), None);
    }
}
