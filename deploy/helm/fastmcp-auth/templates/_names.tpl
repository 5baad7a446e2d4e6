{{- define "name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "selector" -}}
app.kubernetes.io/name: {{ include "name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "labels" -}}
{{ include "selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "account" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "claim" -}}
{{- default (printf "%s-store" (include "fullname" .)) .Values.store.sqlite.existingClaim -}}
{{- end -}}

{{- define "policies" -}}
{{- default (printf "%s-policy" (include "fullname" .)) .Values.existingPolicyConfigMap -}}
{{- end -}}

{{- /* Whether there is a policy, and one to try out: a word or nothing. */ -}}
{{- define "hasPolicy" -}}
{{- if or .Values.policy .Values.existingPolicyConfigMap -}}yes{{- end -}}
{{- end -}}

{{- define "hasShadow" -}}
{{- if or (and .Values.shadowPolicy (not .Values.existingPolicyConfigMap)) (and .Values.existingPolicyConfigMap .Values.existingPolicyHasShadow) -}}yes{{- end -}}
{{- end -}}

{{- /* A probe comes to the pod's address, which is no name of the server; loopback's name with the port always is one. */ -}}
{{- define "probe" -}}
httpGet:
  path: {{ .path }}
  port: http
  scheme: {{ if .root.Values.secrets.tls.name }}HTTPS{{ else }}HTTP{{ end }}
  httpHeaders:
    - {name: Host, value: "localhost:8000"}
{{- end -}}

{{- /* What the volume of secrets is made of. */ -}}
{{- define "secretSources" -}}
{{- with .Values.secrets.introspectionClientSecret }}
{{- if .name }}
- secret: {name: {{ .name }}, items: [{key: {{ .key }}, path: introspection-client-secret}]}
{{- end }}
{{- end }}
{{- with .Values.secrets.auditHashKey }}
{{- if .name }}
- secret: {name: {{ .name }}, items: [{key: {{ .key }}, path: audit-hash-key}]}
{{- end }}
{{- end }}
{{- with .Values.secrets.consoleClientSecret }}
{{- if .name }}
- secret: {name: {{ .name }}, items: [{key: {{ .key }}, path: console-client-secret}]}
{{- end }}
{{- end }}
{{- if ne .Values.store.kind "memory" }}
{{- with .Values.secrets.storeKey }}
{{- if .name }}
- secret: {name: {{ .name }}, items: [{key: {{ .key }}, path: store-key}]}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.secrets.tls }}
{{- if .name }}
- secret: {name: {{ .name }}, items: [{key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}]}
{{- end }}
{{- end }}
{{- end -}}
