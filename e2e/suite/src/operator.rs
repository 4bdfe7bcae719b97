//! The operator that acts, and its death: SIGKILL to its process, the moment a step of what it does is seen.
//!
//! The kubelet starts a container again at once when it ends for the first time, and later only after a while. So a pod's first death is
//! left to the kubelet, and the operator that acts next is the same one, restarted; with the second the pod is deleted as well, and it
//! is the other one, which has to wait until the lease is nobody's.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::Context;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;
use kube::{Api, Client, ResourceExt};
use rustix::process::{Pid, Signal, kill_process};
use shardset_e2e::wait;

use crate::install::{NAMESPACE, OPERATOR};
use crate::node;
use crate::watch::when;

/// A lease is another's after 15 s of silence; and pods start.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who acts, over the deaths of those who did.
pub struct Acting {
    pods: Api<Pod>,
    leases: Api<Lease>,
    /// The lease as the last one that was killed left it.
    left: Option<String>,
    /// Pods that have died once.
    died: HashSet<String>,
}

impl Acting {
    /// Whoever acts now.
    pub fn new(client: &Client) -> Self {
        let pods = Api::namespaced(client.clone(), NAMESPACE);
        let leases = Api::namespaced(client.clone(), NAMESPACE);
        Self { pods, leases, left: None, died: HashSet::new() }
    }

    /// Waits until one acts that was not killed: its pod and its process.
    ///
    /// # Errors
    ///
    /// None does in time.
    pub async fn acts(&self) -> anyhow::Result<(Pod, Pid)> {
        let is_held = |lease: &Lease| lease.resource_version() != self.left && holder(lease).is_some();
        // Who is named may be gone already, where it was not killed here.
        wait::until("an operator acts", PATIENCE, async || {
            let lease = when(&self.leases, OPERATOR, "the lease is held", is_held).await?;
            let pod = self.pods.get(holder(&lease).unwrap_or_default()).await?;
            let process = node::process_of(&pod.uid().context("a pod has a uid")?)?;
            Ok((pod, process))
        })
        .await
    }

    /// Stops whoever acts: it does nothing more before it is killed.
    ///
    /// # Errors
    ///
    /// Nobody acts.
    pub async fn stops(&self) -> anyhow::Result<()> {
        let (_, process) = self.acts().await?;
        Ok(kill_process(process, Signal::STOP)?)
    }

    /// Kills whoever acts, when `step` has happened.
    ///
    /// # Errors
    ///
    /// The step does not happen, or nobody acts.
    pub async fn dies_after<T>(&mut self, step: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<()> {
        let ((pod, process), _) = tokio::try_join!(self.acts(), step)?;
        kill_process(process, Signal::KILL)?;
        self.left = self.leases.get(OPERATOR).await?.resource_version();
        let has_died = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref()?.first());
        let has_died = has_died.is_some_and(|container| container.restart_count > 0);
        if !self.died.insert(pod.uid().unwrap_or_default()) || has_died {
            self.pods.delete(&pod.name_any(), &DeleteParams::default().grace_period(0)).await?;
        }
        Ok(())
    }
}

fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}
