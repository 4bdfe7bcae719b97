//! What objects of a set are called, and the labels and annotations by which they are known.
//!
//! Names are derived and not looked up, so a gateway needs no more than its set's name.

use shardset_model::ShardCount;

/// The label that every object of a set carries: the set's name.
pub const SET: &str = "shardset.dev/set";
/// Who keeps a slice, and its value for ours: controllers leave alone what others keep.
pub const MANAGED_BY: (&str, &str) = ("endpointslice.kubernetes.io/managed-by", "shardset.dev");
/// Keeps a slice away from the kube-proxy of each node, which lists without it.
pub const HEADLESS: &str = "service.kubernetes.io/headless";
/// Of which Service a slice is. Ours has none, so that nobody resolves or balances by it.
pub const SERVICE: &str = "kubernetes.io/service-name";

/// The port at which workers take points.
pub const WORKER_PORT: u16 = 4317;

/// The slice with the membership.
pub fn membership(set: &str) -> String {
    format!("{set}-membership")
}

/// The StatefulSet of the workers, and their headless Service.
pub fn workers(set: &str) -> String {
    format!("{set}-worker")
}

/// The name of the workers' Service for all of the cluster, and of what their certificates bear.
pub fn workers_in(set: &str, namespace: &str) -> String {
    format!("{}.{namespace}.svc", workers(set))
}

/// The pod of one worker.
pub fn worker(set: &str, shard: u32) -> String {
    format!("{set}-worker-{shard}")
}

/// The Deployment of the gateways, and their Service.
pub fn gateway(set: &str) -> String {
    format!("{set}-gateway")
}

/// Which worker of the set the pod of this name is.
pub fn shard_of(set: &str, pod: &str) -> Option<u32> {
    let ordinal = pod.strip_prefix(set)?.strip_prefix("-worker-")?;
    // Leading zeros and signs parse and are no ordinals.
    ordinal.parse().ok().filter(|shard: &u32| *shard < ShardCount::MAX && shard.to_string() == ordinal)
}

#[cfg(test)]
mod tests {
    use super::{shard_of, worker};

    #[test]
    fn a_worker_is_known_by_its_pods_name_and_by_no_other() {
        let table = [
            ("a-worker-0", Some(0)),
            ("a-worker-999", Some(999)),
            ("a-worker-1000", None),
            ("a-worker-01", None),
            ("a-worker-+1", None),
            ("a-worker-", None),
            ("a-worker-1-worker-2", None),
            ("aa-worker-1", None),
            ("a-gateway-1", None),
        ];
        for (pod, expected) in table {
            assert_eq!(shard_of("a", pod), expected, "{pod}");
        }
        assert_eq!(shard_of("a-worker-1", &worker("a-worker-1", 2)), Some(2));
    }
}
