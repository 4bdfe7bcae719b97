//! Certificates: towards senders, and between our own parts.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};
use shardset_process::Tasks;
use shardset_tls::{Acceptor, Files, Identity, Metrics, Mode, PeerTls};

/// TLS towards senders.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReceiveTlsArgs {
    /// Receive with TLS, on both ports: the certificate, and those between it and its authority, in PEM. Files are read again while
    /// the process runs.
    #[arg(long, value_name = "FILE", requires = "tls_key_file")]
    tls_cert_file: Option<PathBuf>,

    /// The private key of the certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert_file")]
    tls_key_file: Option<PathBuf>,

    /// Take requests only of senders with a certificate of these authorities, in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert_file")]
    tls_client_ca_file: Option<PathBuf>,
}

/// The certificate by which a part shows the others that it is one.
#[derive(Clone, Debug, Args)]
pub(crate) struct PeerCertificateArgs {
    /// Reach workers with TLS, and be reached with it: this part's certificate, in PEM. All parts need one of the same authority, those
    /// of workers with the name that --peer-tls-server-name says. Files are read again while the process runs.
    #[arg(long, value_name = "FILE", requires = "peer_tls_key_file", requires = "peer_tls_ca_file")]
    peer_tls_cert_file: Option<PathBuf>,

    /// The private key of the certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "peer_tls_cert_file")]
    peer_tls_key_file: Option<PathBuf>,

    /// The authority of the parts, in PEM. Whoever has a certificate of it is a part, so it should have no other purpose.
    #[arg(long, value_name = "FILE", requires = "peer_tls_cert_file")]
    peer_tls_ca_file: Option<PathBuf>,
}

/// TLS between the parts of one set.
#[derive(Clone, Debug, Args)]
pub(crate) struct PeerTlsArgs {
    #[command(flatten)]
    certificate: PeerCertificateArgs,

    /// The name in the certificates of the workers, whatever their addresses are.
    #[arg(long, value_name = "NAME", default_value = "shardset-worker", requires = "peer_tls_cert_file")]
    peer_tls_server_name: String,

    /// Whether parts without TLS are talked to as well. To bring TLS to parts that run, let all of them prefer it first.
    #[arg(long, value_name = "MODE", default_value = "required", requires = "peer_tls_cert_file")]
    peer_tls_mode: PeerTlsMode,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PeerTlsMode {
    /// Nothing goes without TLS.
    Required,
    /// TLS with those that can, plain with those that can not.
    Preferred,
}

impl ReceiveTlsArgs {
    /// How connections of senders are taken. `tasks` reads the files again.
    pub(crate) fn acceptor(&self, tasks: &Tasks, metrics: Metrics) -> anyhow::Result<Acceptor> {
        let pair = self.tls_cert_file.clone().zip(self.tls_key_file.clone());
        let Some((certificate, private_key)) = pair else { return Ok(Acceptor::default()) };
        let files = Files { certificate, private_key, authority: self.tls_client_ca_file.clone() };
        Acceptor::of_senders(files, tasks, metrics).context("--tls-cert-file: senders can not be given TLS")
    }
}

impl PeerCertificateArgs {
    /// Who this part is to the others, where it is to show it. `tasks` reads the files again.
    pub(crate) fn identity(&self, tasks: &Tasks, metrics: Metrics) -> anyhow::Result<Option<Identity>> {
        let pair = self.peer_tls_cert_file.clone().zip(self.peer_tls_key_file.clone());
        let Some((certificate, private_key)) = pair else { return Ok(None) };
        let files = Files { certificate, private_key, authority: self.peer_tls_ca_file.clone() };
        Identity::load(files, tasks, metrics).map(Some).context("--peer-tls-cert-file: parts can not be given TLS")
    }
}

impl PeerTlsArgs {
    /// How workers are reached. `tasks` reads the files again.
    pub(crate) fn peers(&self, tasks: &Tasks, metrics: Metrics) -> anyhow::Result<PeerTls> {
        let Some(identity) = self.certificate.identity(tasks, metrics)? else { return Ok(PeerTls::default()) };
        let mode = match self.peer_tls_mode {
            PeerTlsMode::Required => Mode::Required,
            PeerTlsMode::Preferred => Mode::Preferred,
        };
        identity.to(&self.peer_tls_server_name, mode).context("--peer-tls-server-name")
    }
}
