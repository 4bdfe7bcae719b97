//! Where a cluster's files lie.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::arguments::Within;
use crate::programs;

/// The folders of a cluster.
pub(crate) struct Place {
    /// The cluster's own folder, which ends with it.
    pub(crate) folder: PathBuf,
    /// Where the programs are that were built for it.
    pub(crate) tools: Vec<PathBuf>,
    /// Where parts and pods log; may outlive the cluster.
    pub(crate) logs: PathBuf,
}

impl Place {
    /// Makes the folders.
    pub(crate) fn make(within: &Within) -> anyhow::Result<Self> {
        let logs = within.cluster.keep_logs.clone().unwrap_or_else(|| within.folder.join("logs"));
        fs::create_dir_all(&logs).with_context(|| format!("make {}", logs.display()))?;
        let tools = within.cluster.tools.iter().map(|folder| absolute(folder)).collect::<anyhow::Result<_>>()?;
        Ok(Self { folder: absolute(&within.folder)?, tools, logs: absolute(&logs)? })
    }

    /// A file or folder of this name in the cluster's folder.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// One of those programs.
    pub(crate) fn tool(&self, name: &str) -> anyhow::Result<PathBuf> {
        programs::tool(&self.tools, name).with_context(|| format!("{name} is in none of the folders of tools"))
    }

    /// The administrator's kubeconfig.
    pub(crate) fn admin(&self) -> PathBuf {
        self.kubeconfig("admin")
    }

    /// The kubeconfig of one user.
    pub(crate) fn kubeconfig(&self, user: &str) -> PathBuf {
        self.at(&format!("{user}.kubeconfig"))
    }

    /// The API server's certificate with its issuer's. The server makes both when it starts.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.at("certificates/apiserver.crt")
    }

    /// The key of that certificate, which signs the tokens of service accounts as well.
    pub(crate) fn key(&self) -> PathBuf {
        self.at("certificates/apiserver.key")
    }

    /// Where the folders of volumes are.
    pub(crate) fn volumes(&self) -> PathBuf {
        self.at("volumes")
    }

    /// Where containerd listens.
    pub(crate) fn containerd(&self) -> PathBuf {
        self.at("containerd.sock")
    }

    /// Writes one of the cluster's files.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> anyhow::Result<PathBuf> {
        let path = self.at(name);
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    }
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    path.canonicalize().with_context(|| format!("find {}", path.display()))
}
