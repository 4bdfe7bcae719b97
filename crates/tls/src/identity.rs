//! Who one of our parts is to the others.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use shardset_process::Tasks;
use thiserror::Error;

use crate::accept::server;
use crate::connect::{Mode, PeerTls};
use crate::files::{Contents, Files, TlsError, provider};
use crate::metrics::Metrics;
use crate::reload::{Current, reloaded};

const PROTOCOL: &[u8] = b"h2";

/// The certificate of a part, and the authority of all of them. Clones share it.
#[derive(Clone, Debug)]
pub struct Identity(Current<Ends>);

/// A part connects and is connected to with one certificate.
#[derive(Debug)]
struct Ends {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

/// What can not be the name in a certificate.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("`{0}` is no name that a certificate can bear: a DNS name is, such as demo-worker.metrics.svc")]
pub struct InvalidName(Box<str>);

impl Identity {
    /// Reads `files`, which must name an authority; `tasks` reads them again, and `metrics` shows when the certificate holds.
    ///
    /// # Errors
    ///
    /// The files can not be used.
    pub fn load(files: Files, tasks: &Tasks, metrics: Metrics) -> Result<Self, TlsError> {
        let ends = reloaded(files, tasks, move |files, contents| {
            let ends = Ends::of(files, contents)?;
            metrics.show("peers", &files.certificates(contents)?);
            Ok(ends)
        })?;
        Ok(Self(ends))
    }

    /// Talks to the workers whose certificates bear the name `workers`.
    ///
    /// # Errors
    ///
    /// The name is none.
    pub fn to(&self, workers: &str, mode: Mode) -> Result<PeerTls, InvalidName> {
        let name = ServerName::try_from(workers.to_owned()).map_err(|_| InvalidName(workers.into()))?;
        Ok(PeerTls::new(self.clone(), name, mode))
    }

    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0.borrow().client)
    }

    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.borrow().server)
    }
}

impl Ends {
    fn of(files: &Files, contents: &Contents) -> Result<Self, TlsError> {
        let authorities = files.authorities(contents)?.ok_or(TlsError::NoAuthority)?;
        let client = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|source| files.unusable(source))?
            .with_root_certificates(authorities)
            .with_client_auth_cert(files.certificates(contents)?, files.private_key(contents)?);
        let mut client = client.map_err(|source| files.unusable(source))?;
        client.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Self { client: client.into(), server: server(files, contents, &[PROTOCOL])?.into() })
    }
}
