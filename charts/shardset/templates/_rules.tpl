{{/*
What the operator does in the namespaces of sets, and no more. What it applies it patches, which makes what is not there. It
looks at what it applies by lists and watches.
*/}}
{{- define "shardset.rules" -}}
- apiGroups: [shardset.dev]
  resources: [metricsshardsets]
  verbs: [list, watch]
- apiGroups: [shardset.dev]
  resources: [metricsshardsets/status]
  verbs: [patch]
# Objects of a set name it as an owner that is deleted after them. Clusters may ask for this right then.
- apiGroups: [shardset.dev]
  resources: [metricsshardsets/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [deployments, statefulsets]
  verbs: [list, watch, create, patch]
- apiGroups: [""]
  resources: [configmaps, serviceaccounts, services]
  verbs: [list, watch, create, patch]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [list, watch, create, patch]
# Those of a set that does not ask for them any more are deleted.
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [rolebindings, roles]
  verbs: [list, watch, create, patch]
# One worker at a time makes room for one of the present template.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, delete]
# A set whose volumes may be larger lets the claims of its workers ask for more.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [list, watch, patch]
# The membership is written whole. Whoever grants gateways get, list and watch must have them.
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, watch, create, update]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end -}}
