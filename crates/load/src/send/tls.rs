//! Certificates, as both clients take them. A client takes no notice of them towards an address without TLS.

use std::fs;
use std::path::Path;

use reqwest::ClientBuilder;
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use crate::run::RunError;
use crate::settings::TlsFiles;

/// What the files hold.
pub(crate) struct Certificates {
    authorities: Option<Authorities>,
    identity: Option<Ours>,
}

struct Authorities {
    grpc: Certificate,
    http: Vec<reqwest::Certificate>,
}

struct Ours {
    grpc: Identity,
    http: reqwest::Identity,
}

impl Certificates {
    pub(crate) fn read(files: &TlsFiles) -> Result<Self, RunError> {
        let authorities = files.authority.as_deref().map(authorities).transpose()?;
        let identity = files.identity.as_ref().map(|(certificate, key)| identity(certificate, key)).transpose()?;
        Ok(Self { authorities, identity })
    }

    pub(super) fn of_grpc(&self) -> ClientTlsConfig {
        let tls = match &self.authorities {
            Some(authorities) => ClientTlsConfig::new().ca_certificate(authorities.grpc.clone()),
            None => ClientTlsConfig::new().with_native_roots(),
        };
        match &self.identity {
            Some(identity) => tls.identity(identity.grpc.clone()),
            None => tls,
        }
    }

    pub(super) fn of_http(&self, mut builder: ClientBuilder) -> ClientBuilder {
        if let Some(authorities) = &self.authorities {
            builder = builder.tls_certs_only(authorities.http.iter().cloned());
        }
        match &self.identity {
            Some(identity) => builder.identity(identity.http.clone()),
            None => builder,
        }
    }
}

fn authorities(path: &Path) -> Result<Authorities, RunError> {
    let pem = read(path)?;
    let wrong = |source| RunError::Authorities { path: path.to_owned(), source };
    let http = reqwest::Certificate::from_pem_bundle(&pem).map_err(|source| wrong(Some(source)))?;
    if http.is_empty() {
        // A client that trusts nobody would only say that a certificate is of an unknown issuer.
        return Err(wrong(None));
    }
    Ok(Authorities { grpc: Certificate::from_pem(pem), http })
}

fn identity(certificate: &Path, key: &Path) -> Result<Ours, RunError> {
    let pems = (read(certificate)?, read(key)?);
    let together = [pems.0.as_slice(), b"\n", &pems.1].concat();
    let wrong = |source| RunError::Identity { certificate: certificate.to_owned(), key: key.to_owned(), source };
    let http = reqwest::Identity::from_pem(&together).map_err(wrong)?;
    Ok(Ours { grpc: Identity::from_pem(pems.0, pems.1), http })
}

fn read(path: &Path) -> Result<Vec<u8>, RunError> {
    fs::read(path).map_err(|source| RunError::Certificate { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Certificates;
    use crate::settings::TlsFiles;

    #[test]
    fn files_that_can_not_be_used_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let (empty, broken) = (
            file("empty.pem", "no PEM"),
            file("broken.pem", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"),
        );
        let of_authority = |path| TlsFiles { authority: Some(path), identity: None };
        let of_identity = |certificate, key| TlsFiles { authority: None, identity: Some((certificate, key)) };
        let wrong = [
            (of_authority("/nowhere/ca.crt".into()), "can not read /nowhere/ca.crt"),
            (of_authority(empty.clone()), "empty.pem holds no certificates in PEM that can be trusted"),
            (of_authority(broken.clone()), "broken.pem holds no certificates in PEM that can be trusted"),
            (of_identity(empty.clone(), "/nowhere/tls.key".into()), "can not read /nowhere/tls.key"),
            (of_identity(broken, empty), "broken.pem and the key"),
        ];
        for (files, expected) in wrong {
            let Err(error) = Certificates::read(&files) else { panic!("{files:?} can not be used") };
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
