//! Certificates, as both clients take them. A client takes no notice of them towards an address without TLS.

use std::fs;
use std::path::Path;

use reqwest::ClientBuilder;
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use crate::run::RunError;
use crate::settings::TlsFiles;

/// What the files hold.
pub(crate) struct Certificates {
    authority: Option<Vec<u8>>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl Certificates {
    pub(crate) fn read(files: &TlsFiles) -> Result<Self, RunError> {
        let authority = files.authority.as_deref().map(read).transpose()?;
        let identity = files.identity.as_ref();
        let identity =
            identity.map(|(certificate, key)| Ok::<_, RunError>((read(certificate)?, read(key)?))).transpose()?;
        Ok(Self { authority, identity })
    }

    pub(super) fn of_grpc(&self) -> ClientTlsConfig {
        let tls = match &self.authority {
            Some(authority) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority)),
            None => ClientTlsConfig::new().with_native_roots(),
        };
        match &self.identity {
            Some((certificate, key)) => tls.identity(Identity::from_pem(certificate, key)),
            None => tls,
        }
    }

    pub(super) fn of_http(&self, mut builder: ClientBuilder) -> Result<ClientBuilder, RunError> {
        if let Some(authority) = &self.authority {
            let authorities = reqwest::Certificate::from_pem_bundle(authority).map_err(RunError::Http)?;
            builder = builder.tls_certs_only(authorities);
        }
        if let Some((certificate, key)) = &self.identity {
            let pem = [certificate.as_slice(), b"\n", key].concat();
            builder = builder.identity(reqwest::Identity::from_pem(&pem).map_err(RunError::Http)?);
        }
        Ok(builder)
    }
}

fn read(path: impl AsRef<Path>) -> Result<Vec<u8>, RunError> {
    let path = path.as_ref();
    fs::read(path).map_err(|source| RunError::Certificate { path: path.to_owned(), source })
}
