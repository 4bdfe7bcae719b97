//! Certificates and keys, as they lie in files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;

/// Where the PEM files of one party are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Files {
    /// Its certificate, and those between it and the authority.
    pub certificate: PathBuf,
    /// The private key of the certificate.
    pub private_key: PathBuf,
    /// The authorities whose certificates the other party may have.
    pub authority: Option<PathBuf>,
}

/// Why certificates can not be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file can not be read.
    #[error("can not read {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path} holds no {what} in PEM", path = path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// Certificate and key can not be used, or not together.
    #[error("the certificate {certificate} and the key {private_key} can not be used", certificate = .files.certificate.display(), private_key = .files.private_key.display())]
    Certificate {
        /// The files.
        files: Box<Files>,
        /// What is wrong with them.
        source: rustls::Error,
    },
    /// Parts that check nobody would take anybody for a part.
    #[error("no authority of the parts is named")]
    NoAuthority,
    /// No certificate of the authorities can be used.
    #[error("the authorities in {path} can not be used: {reason}", path = path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// What the files held when they were read.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Contents {
    certificate: Vec<u8>,
    private_key: Vec<u8>,
    authority: Option<Vec<u8>>,
}

impl Files {
    pub(crate) fn read(&self) -> Result<Contents, TlsError> {
        Ok(Contents {
            certificate: read(&self.certificate)?,
            private_key: read(&self.private_key)?,
            authority: self.authority.as_deref().map(read).transpose()?,
        })
    }

    /// The certificate first, then those that lead to its authority.
    pub(crate) fn certificates(&self, contents: &Contents) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        certificates(&self.certificate, &contents.certificate)
    }

    pub(crate) fn private_key(&self, contents: &Contents) -> Result<PrivateKeyDer<'static>, TlsError> {
        PrivateKeyDer::from_pem_slice(&contents.private_key).map_err(|source| TlsError::Pem {
            path: self.private_key.clone(),
            what: "private key",
            source,
        })
    }

    /// Whom the other party's certificate may be of; none where nobody is asked for one.
    pub(crate) fn authorities(&self, contents: &Contents) -> Result<Option<Arc<RootCertStore>>, TlsError> {
        let Some((path, bytes)) = self.authority.as_ref().zip(contents.authority.as_ref()) else { return Ok(None) };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(path, bytes)? {
            let added = roots.add(certificate);
            added.map_err(|source| TlsError::Authority { path: path.clone(), reason: source.to_string() })?;
        }
        Ok(Some(Arc::new(roots)))
    }

    pub(crate) fn unusable(&self, source: rustls::Error) -> TlsError {
        TlsError::Certificate { files: Box::new(self.clone()), source }
    }
}

fn read(path: impl AsRef<Path>) -> Result<Vec<u8>, TlsError> {
    let path = path.as_ref();
    fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

/// All of a file, of which there must be one.
fn certificates(path: &Path, bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |source| TlsError::Pem { path: path.to_owned(), what: "certificate", source };
    let found: Vec<_> = CertificateDer::pem_slice_iter(bytes).collect::<Result<_, _>>().map_err(wrong)?;
    if found.is_empty() { Err(wrong(pem::Error::NoItemsFound)) } else { Ok(found) }
}

/// The one implementation of TLS' algorithms that all of this binary uses.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use shardset_process::Tasks;
    use shardset_process::logging::chain;

    use super::Files;
    use crate::accept::Acceptor;
    use crate::fixtures::Authority;
    use crate::metrics::Metrics;

    #[test]
    fn files_that_can_not_be_used_are_named() {
        let authority = Authority::new();
        let good = authority.files("good", "a");
        let other = authority.files("other", "b");
        let empty = good.certificate.with_file_name("empty.pem");
        fs::write(&empty, "no PEM").unwrap();
        let wrong = [
            (Files { certificate: "/nowhere/tls.crt".into(), ..good.clone() }, "can not read /nowhere/tls.crt"),
            (Files { certificate: empty.clone(), ..good.clone() }, "empty.pem holds no certificate in PEM"),
            (Files { private_key: empty.clone(), ..good.clone() }, "empty.pem holds no private key in PEM"),
            (Files { authority: Some(empty), ..good.clone() }, "empty.pem holds no certificate in PEM"),
            (Files { private_key: other.private_key, ..good }, "other-key.pem can not be used: "),
        ];
        for (files, expected) in wrong {
            let error = Acceptor::of_senders(files, &Tasks::default(), Metrics::default()).unwrap_err();
            let said = chain(&error);
            assert!(said.contains(expected), "{said}");
        }
    }
}
