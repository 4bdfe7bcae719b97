//! An authority of a test's own, and certificates of it.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

/// Whoever makes certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
    years: Option<Range<i32>>,
}

/// A certificate and its key, in PEM.
pub struct Certificate {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub private_key: String,
}

/// Where a certificate lies, its key, and its authority.
#[derive(Clone, Debug)]
pub struct Files {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub private_key: PathBuf,
    /// The authority.
    pub authority: PathBuf,
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    ///
    /// No key can be made.
    pub fn new() -> anyhow::Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = called("an authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), certificate, years: None })
    }

    /// What it issues from here on holds from the first day of a year to the first of another, instead of for ever.
    #[must_use]
    pub fn for_years(self, years: Range<i32>) -> Self {
        Self { years: Some(years), ..self }
    }

    /// Its own certificate, in PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A certificate with these DNS names or addresses, for servers and clients.
    ///
    /// # Errors
    ///
    /// A name is none.
    pub fn issue(&self, names: &[&str]) -> anyhow::Result<Certificate> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())?;
        // Another one than the authority's, or it looks as if it had signed itself.
        params.distinguished_name = called("a part");
        if let Some(Range { start, end }) = self.years {
            [params.not_before, params.not_after] = [start, end].map(|year| date_time_ymd(year, 1, 1));
        }
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Certificate { certificate, private_key: key.serialize_pem() })
    }

    /// The same as files in `folder`, in place of those that it made there under `place`.
    ///
    /// # Errors
    ///
    /// They can not be written.
    pub fn issue_files(&self, folder: &Path, place: &str, names: &[&str]) -> anyhow::Result<Files> {
        let issued = self.issue(names)?;
        let write = |what: &str, text: &str| {
            let path = folder.join(format!("{place}-{what}.pem"));
            fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
            anyhow::Ok(path)
        };
        Ok(Files {
            certificate: write("certificate", &issued.certificate)?,
            private_key: write("key", &issued.private_key)?,
            authority: write("authority", &self.certificate)?,
        })
    }
}

impl Files {
    /// The certificate, its key and its authority, as texts.
    pub fn paths(&self) -> [String; 3] {
        [&self.certificate, &self.private_key, &self.authority].map(|path| path.display().to_string())
    }
}

fn called(name: &str) -> DistinguishedName {
    let mut all = DistinguishedName::new();
    all.push(DnType::CommonName, name);
    all
}
