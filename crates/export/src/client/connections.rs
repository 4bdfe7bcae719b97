//! The HTTP client of a destination, with the certificates that it trusts and shows.
//!
//! Certificates are renewed while a process runs, so their files are read again every few seconds, before a request. What can not be used, such
//! as the first half of a pair that is being replaced, is said once and passed over; what was read before stays in use.
//!
//! IO.

use std::path::Path;
use std::time::Duration;
use std::{fs, mem};

use reqwest::{Certificate, Client, ClientBuilder, Identity};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::settings::{InvalidDestination, TlsSettings};

/// How long files are taken to be as they were.
const PAUSE: Duration = Duration::from_secs(10);

/// Connections to one destination.
pub(super) struct Connections {
    tls: TlsSettings,
    /// What a client is made of besides.
    builder: Box<dyn Fn() -> ClientBuilder + Send + Sync>,
    current: Mutex<Current>,
}

struct Current {
    client: Client,
    read: Pems,
    looked: Instant,
    complained: String,
}

/// What the files held when they were read.
#[derive(Clone, PartialEq, Eq)]
struct Pems {
    authorities: Option<Vec<u8>>,
    /// The certificate, then its key.
    identity: Option<Vec<u8>>,
}

impl Connections {
    pub(super) fn new(
        tls: &TlsSettings,
        builder: impl Fn() -> ClientBuilder + Send + Sync + 'static,
    ) -> Result<Self, InvalidDestination> {
        let read = Pems::read(tls)?;
        let client = make(builder(), tls, &read)?;
        let current = Current { client, read, looked: Instant::now(), complained: String::new() };
        Ok(Self { tls: tls.clone(), builder: Box::new(builder), current: Mutex::new(current) })
    }

    /// The client, with certificates as they are now or were a few seconds ago.
    pub(super) async fn client(&self) -> Client {
        let mut current = self.current.lock().await;
        if self.tls.has_files() && current.looked.elapsed() >= PAUSE {
            let tls = self.tls.clone();
            // A file system that hangs must hold up no other destination.
            let read = spawn_blocking(move || Pems::read(&tls)).await.expect("reading does not panic");
            current.looked = Instant::now();
            let renewed = read.and_then(|read| self.renew(&mut current, read));
            current.say(renewed);
        }
        current.client.clone()
    }

    /// Whether it has made another client.
    fn renew(&self, current: &mut Current, read: Pems) -> Result<bool, InvalidDestination> {
        if read == current.read {
            return Ok(false);
        }
        current.client = make((self.builder)(), &self.tls, &read)?;
        current.read = read;
        Ok(true)
    }
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections").field("tls", &self.tls).finish_non_exhaustive()
    }
}

impl Current {
    fn say(&mut self, renewed: Result<bool, InvalidDestination>) {
        let said = mem::take(&mut self.complained);
        match renewed {
            Ok(false) => {}
            Ok(true) => tracing::info!("a destination's new certificates are in use"),
            Err(error) => {
                self.complained = error.to_string();
                if self.complained != said {
                    tracing::warn!(%error, "a destination's new certificates can not be used; those from before stay in use");
                }
            }
        }
    }
}

impl Pems {
    fn read(tls: &TlsSettings) -> Result<Self, InvalidDestination> {
        let authorities = tls.ca_file.as_deref().map(|path| read("tls.ca-file", path)).transpose()?;
        let identity = match (&tls.cert_file, &tls.key_file) {
            (None, None) => None,
            (Some(certificate), Some(key)) => {
                let mut pem = read("tls.cert-file", certificate)?;
                pem.push(b'\n');
                pem.extend(read("tls.key-file", key)?);
                Some(pem)
            }
            _ => return Err(InvalidDestination::HalfIdentity),
        };
        Ok(Self { authorities, identity })
    }
}

fn read(field: &'static str, path: &Path) -> Result<Vec<u8>, InvalidDestination> {
    fs::read(path).map_err(|source| InvalidDestination::Unreadable { field, path: path.to_owned(), source })
}

fn make(mut builder: ClientBuilder, tls: &TlsSettings, read: &Pems) -> Result<Client, InvalidDestination> {
    let wrong = |field| move |source| InvalidDestination::Pem { field, source };
    if let Some(pem) = &read.authorities {
        let authorities = Certificate::from_pem_bundle(pem).map_err(wrong("tls.ca-file"))?;
        if authorities.is_empty() {
            return Err(InvalidDestination::NoAuthority);
        }
        builder = builder.tls_certs_only(authorities);
    }
    if let Some(pem) = &read.identity {
        builder = builder.identity(Identity::from_pem(pem).map_err(wrong("tls.cert-file, tls.key-file"))?);
    }
    builder.tls_danger_accept_invalid_certs(tls.insecure_skip_verify).build().map_err(InvalidDestination::Client)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use reqwest::Client;
    use tokio::time::advance;

    use super::{Connections, PAUSE};
    use crate::client::settings::TlsSettings;

    /// A certificate that is its own authority, and its key.
    fn issue(certificate: &Path, key: &Path) {
        let issued = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
        fs::write(certificate, issued.cert.pem()).unwrap();
        fs::write(key, issued.signing_key.serialize_pem()).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn certificates_are_read_again_and_those_that_can_not_be_used_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        let [certificate, key] = ["tls.crt", "tls.key"].map(|name| directory.path().join(name));
        issue(&certificate, &key);
        let tls = TlsSettings {
            ca_file: Some(certificate.clone()),
            cert_file: Some(certificate.clone()),
            key_file: Some(key.clone()),
            insecure_skip_verify: false,
        };
        let connections = Connections::new(&tls, Client::builder).unwrap();
        let seen = async || {
            connections.client().await;
            let current = connections.current.lock().await;
            (current.read.authorities.clone().unwrap(), current.complained.clone())
        };
        let (first, complained) = seen().await;
        assert_eq!(complained, "");

        fs::write(&certificate, "half of").unwrap();
        assert_eq!(seen().await, (first.clone(), String::new()), "nothing is read in between");
        advance(PAUSE).await;
        assert_eq!(seen().await, (first.clone(), "tls.ca-file: no certificate in it".to_owned()));
        fs::remove_file(&certificate).unwrap();
        advance(PAUSE).await;
        let (kept, complained) = seen().await;
        assert_eq!(kept, first);
        assert!(complained.ends_with("tls.crt can not be read"), "{complained}");

        issue(&certificate, &key);
        advance(PAUSE).await;
        let (second, complained) = seen().await;
        assert_eq!((second, complained.as_str()), (fs::read(&certificate).unwrap(), ""));
    }
}
