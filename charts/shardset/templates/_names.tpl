{{/*
What objects are called, and the labels that they have in common. A name and a selector never depend on a version, since a
Deployment can not change its selector.
*/}}

{{- define "shardset.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- /* Short enough for a Service with a suffix. */}}
{{- define "shardset.fullname" -}}
{{- $name := include "shardset.name" . -}}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- default $full .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "shardset.operator" -}}
{{- include "shardset.fullname" . }}-operator
{{- end -}}

{{- define "shardset.serviceAccount" -}}
{{- $own := .Values.serviceAccount.create | ternary (include "shardset.operator" .) "default" -}}
{{- default $own .Values.serviceAccount.name -}}
{{- end -}}

{{- define "shardset.image" -}}
{{- with .Values.image -}}
{{- $repository := .registry | empty | ternary .repository (printf "%s/%s" .registry .repository) -}}
{{- if .digest -}}
{{- printf "%s@%s" $repository .digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default $.Chart.AppVersion .tag) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "shardset.selector" -}}
app.kubernetes.io/name: {{ include "shardset.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "shardset.labels" -}}
{{- $own := include "shardset.selector" . | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/part-of" "shardset" -}}
{{- $_ := set $own "app.kubernetes.io/version" .Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" .Release.Service -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_")) -}}
{{- toYaml (merge $own .Values.commonLabels) -}}
{{- end -}}

{{- /*
The metadata of an object: (list ROOT NAME), then labels and annotations of its own where it has some.
*/}}
{{- define "shardset.metadata" -}}
{{- $root := index . 0 -}}
{{- $labels := include "shardset.labels" $root | fromYaml -}}
{{- $annotations := deepCopy $root.Values.commonAnnotations -}}
{{- if gt (len .) 2 }}{{ $labels = merge (deepCopy (index . 2)) $labels }}{{ end -}}
{{- if gt (len .) 3 }}{{ $annotations = merge (deepCopy (index . 3)) $annotations }}{{ end -}}
name: {{ index . 1 }}
labels:
  {{- toYaml $labels | nindent 2 }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
