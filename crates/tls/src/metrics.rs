//! From when to when the certificates of a process hold, so that one that is not renewed is noticed before it ends.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use rustls::pki_types::CertificateDer;
use x509_parser::error::X509Error;
use x509_parser::parse_x509_certificate;

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Labels {
    purpose: &'static str,
}

/// Gauges of the certificates in use, one of each for a purpose.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    not_before: Family<Labels, Gauge>,
    not_after: Family<Labels, Gauge>,
}

/// When all certificates of a chain hold, in seconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Validity {
    not_before: i64,
    not_after: i64,
}

impl Metrics {
    /// Registers the gauges.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let help = "From when the certificate in use holds, in seconds since 1970: the one shown to senders (receive), or to other parts (peers)";
        registry.register("shardset_tls_certificate_not_before_seconds", help, metrics.not_before.clone());
        let help = "Until when the certificate in use holds, in seconds since 1970; of a chain, what ends first";
        registry.register("shardset_tls_certificate_not_after_seconds", help, metrics.not_after.clone());
        metrics
    }

    /// Shows when these hold. TLS can use them: where it can not be told when, nothing is shown, and they are used all the same.
    pub(crate) fn show(&self, purpose: &'static str, chain: &[CertificateDer<'_>]) {
        match Validity::of(chain) {
            Ok(Validity { not_before, not_after }) => {
                self.not_before.get_or_create(&Labels { purpose }).set(not_before);
                self.not_after.get_or_create(&Labels { purpose }).set(not_after);
            }
            Err(error) => {
                tracing::warn!(purpose, %error, "no metric tells when the certificate ends: it can not be read");
                self.not_before.remove(&Labels { purpose });
                self.not_after.remove(&Labels { purpose });
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn not_after(&self, purpose: &'static str) -> i64 {
        self.not_after.get_or_create(&Labels { purpose }).get()
    }
}

impl Validity {
    /// # Errors
    ///
    /// One of them is no certificate.
    fn of(chain: &[CertificateDer<'_>]) -> Result<Self, X509Error> {
        let always = Self { not_before: i64::MIN, not_after: i64::MAX };
        chain.iter().try_fold(always, |all, certificate| {
            let (_, certificate) = parse_x509_certificate(certificate)?;
            let one = certificate.validity();
            Ok(Self {
                not_before: all.not_before.max(one.not_before.timestamp()),
                not_after: all.not_after.min(one.not_after.timestamp()),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;

    use super::Validity;
    use crate::fixtures::Authority;

    #[test]
    fn a_chain_holds_as_long_as_all_of_it() {
        let of = |years| {
            let authority = Authority::new().for_years(years);
            let files = authority.files("part", "a");
            files.certificates(&files.read().unwrap()).unwrap()
        };
        let chain = [of(2024..2027), of(2025..2026)].concat();
        let expected = Validity { not_before: 1_735_689_600, not_after: 1_767_225_600 };
        assert_eq!(Validity::of(&chain), Ok(expected));
        Validity::of(&[CertificateDer::from(vec![0x30, 0])]).unwrap_err();
    }
}
