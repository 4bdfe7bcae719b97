//! The cluster from within its namespaces: its parts in the order in which they need each other, then the command.
//!
//! Nothing is taken down here: when this process has ended, process 1 ends, and with it all others.

use std::process::ExitCode;

use anyhow::{Context, ensure};
use tokio::net::{TcpStream, UnixStream};

use crate::api::Api;
use crate::arguments::Within;
use crate::ground::{cgroups, network};
use crate::parts::{Parts, containers, control, names, node};
use crate::place::Place;
use crate::run::code;
use crate::{command, identity, volumes};

/// Starts the cluster, and runs the command in it.
pub(crate) async fn inside(within: &Within) -> anyhow::Result<ExitCode> {
    let place = Place::make(within)?;
    network::raise()?;
    let mut parts = Parts::new(&place);
    let api = start_control_plane(&mut parts, &place, within).await?;
    start_node(&mut parts, &place, &api).await?;
    tokio::select! {
        status = command::users(&within.cluster.command, &place) => Ok(code(status?)),
        error = parts.tend() => Err(error),
        never = volumes::provide(&api, &place) => match never? {},
    }
}

/// containerd is started along with the control plane, and takes the images in while the API server comes up.
async fn start_control_plane(parts: &mut Parts, place: &Place, within: &Within) -> anyhow::Result<Api> {
    let token = identity::write(place)?;
    parts.start("etcd", control::etcd(place)?)?;
    parts.start("containerd", containers::containerd(place)?)?;
    parts.wait("etcd", "etcd", async || Ok(TcpStream::connect("127.0.0.1:2379").await.map(drop)?)).await?;
    parts.start("kube-apiserver", control::api_server(place)?)?;
    let socket = place.containerd();
    parts.wait("containerd", "containerd", async || Ok(UnixStream::connect(&socket).await.map(drop)?)).await?;
    containers::import(place, &within.cluster.images)?;
    let api = parts.wait("kube-apiserver", "its certificate", async || Api::new(place, &token)).await?;
    parts.wait("kube-apiserver", "the API server", async || api.is_ready().await).await?;
    parts.start("kube-controller-manager", control::controller_manager(place)?)?;
    parts.start("kube-scheduler", control::scheduler(place)?)?;
    Ok(api)
}

async fn start_node(parts: &mut Parts, place: &Place, api: &Api) -> anyhow::Result<()> {
    parts.start("kubelet", node::kubelet(place, &cgroups::name(&place.folder)?)?)?;
    parts.start("kube-proxy", node::proxy(place)?)?;
    parts.wait("kube-apiserver", "the class of volumes", async || volumes::make_class(api).await).await?;
    parts.wait("kube-apiserver", "the service of names", async || names::make(api).await).await?;
    parts.start("coredns", names::server(place)?)?;
    let account = "/api/v1/namespaces/default/serviceaccounts/default";
    parts.wait("kube-controller-manager", "the default service account", async || api.get(account).await).await?;
    parts.wait("kubelet", "the node", async || is_ready(api).await).await?;
    parts.wait("kube-proxy", "kube-proxy", async || Ok(TcpStream::connect("127.0.0.1:10256").await.map(drop)?)).await?;
    parts.wait("coredns", "names", async || Ok(TcpStream::connect((network::NODE, 53)).await.map(drop)?)).await
}

async fn is_ready(api: &Api) -> anyhow::Result<()> {
    let node = api.get(&format!("/api/v1/nodes/{}", node::NAME)).await?;
    let conditions = node["status"]["conditions"].as_array().context("it has no conditions yet")?;
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready").context("it does not say")?;
    ensure!(ready["status"] == "True", "{}", ready["message"]);
    Ok(())
}
