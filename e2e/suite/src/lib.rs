//! What the tests on a cluster stand on: a namespace for each test, a Prometheus and load generators in it, and waits with bounds.
//!
//! The tests speak to whatever cluster the kubeconfig names, and only through its API server: whoever sends points or is asked for
//! series runs in a pod. So they run the same on a node of this machine, in kind, and elsewhere. The operator has the role that
//! it is shipped with. Run them by `cargo xtask e2e --cluster ...`, which brings the images and says where things are.

pub mod install;
pub mod load;
pub mod node;
pub mod operator;
pub mod prometheus;
pub mod set;
pub mod space;
pub mod watch;

/// The image under test, as the cluster knows it.
pub const IMAGE: &str = "shardset.invalid/shardset:dev";
/// Prometheus, as the cluster knows it.
pub const PROMETHEUS_IMAGE: &str = "shardset.invalid/prometheus:dev";
