{{- /* Where sets are looked after. */}}
{{- define "shardset.test.namespace" -}}
{{- default .Release.Namespace .Values.watchNamespace -}}
{{- end -}}

{{- /* A set's name has at most 40 characters. */}}
{{- define "shardset.test.set" -}}
{{- include "shardset.fullname" . | trunc 35 | trimSuffix "-" }}-test
{{- end -}}
