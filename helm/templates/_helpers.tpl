{{/*
What several templates share. Most take (dict "root" $ "name" "order-service" "component" "service").
*/}}

{{/* Never changed once installed: a Deployment's selector can't be. */}}
{{- define "ordersaga.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{- define "ordersaga.podLabels" -}}
{{ include "ordersaga.selector" . }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/part-of: ordersaga
{{- end }}

{{/* Of objects, not of pods: a pod isn't replaced because a version number has changed. */}}
{{- define "ordersaga.labels" -}}
{{ include "ordersaga.podLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
ordersaga.io/environment: {{ .root.Values.global.environment }}
{{- if and .root.Values.global.openshift .runtime }}
app.openshift.io/runtime: {{ .runtime }}
{{- end }}
{{- end }}

{{/* The one installation of the release's namespace; `name` labels objects that belong to no part. */}}
{{- define "ordersaga.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "ordersaga.labels" . | nindent 2 }}
{{- end }}

{{- define "ordersaga.environment" -}}
{{- get .Values.environments .Values.global.environment | toYaml -}}
{{- end }}

{{/* One service's values over those of all: (dict "root" $ "service" "order"), as YAML. */}}
{{- define "ordersaga.service" -}}
{{- mergeOverwrite (deepCopy .root.Values.serviceDefaults) (get .root.Values.services .service) | toYaml -}}
{{- end }}

{{/* (dict "root" $ "image" {repository, tag, digest} "repository" "e-commerce-saga/operator"); a tag of its own or the common one. */}}
{{- define "ordersaga.image" -}}
{{- $image := .image | default dict -}}
{{- $name := $image.repository | default .repository -}}
{{- if and .root.Values.global.imageRegistry .repository -}}
{{- $name = printf "%s/%s" (trimSuffix "/" .root.Values.global.imageRegistry) $name -}}
{{- end -}}
{{- if $image.digest -}}
{{ $name }}@{{ $image.digest }}
{{- else -}}
{{ $name }}:{{ $image.tag | default .root.Values.global.imageTag }}
{{- end -}}
{{- end }}

{{- define "ordersaga.operatorImage" -}}
{{- include "ordersaga.image" (dict "root" . "image" .Values.operator.image "repository" "e-commerce-saga/operator") -}}
{{- end }}

{{/* Pod Security "restricted"; no user is named, since ours is a number in the image and OpenShift makes one up. */}}
{{- define "ordersaga.podSecurity" -}}
runAsNonRoot: true
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "ordersaga.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Where pods go: (dict "root" $ "name" … "values" {nodeSelector, tolerations, affinity, priorityClassName}). */}}
{{- define "ordersaga.scheduling" -}}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Replicas apart, but rather together than not at all. */}}
{{- define "ordersaga.spread" -}}
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- topologyKey: {{ $key }}
  maxSkew: 1
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "ordersaga.selector" $ | nindent 6 }}
  # Only pods of the same generation count, or a rolling update would end lopsided.
  matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}

{{- define "ordersaga.pullSecrets" -}}
{{- with .Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "ordersaga.namespaceEnv" -}}
# Whatever namespace this is, it is the one that the installation serves.
- name: ORDERSAGA_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- end }}

{{/* The value of a MongoDB URI's variable: from this Secret {name, key}, else the installation's Secret, else the bundled
database: (dict "root" $ "secret" …). */}}
{{- define "ordersaga.mongodbUrl" -}}
{{- if .secret -}}
valueFrom:
  secretKeyRef:
    name: {{ .secret.name }}
    key: {{ .secret.key }}
{{- else if .root.Values.mongodb.existingSecret -}}
valueFrom:
  secretKeyRef:
    name: {{ .root.Values.mongodb.existingSecret }}
    key: {{ .root.Values.mongodb.existingSecretKey }}
{{- else -}}
value: mongodb://mongodb:27017/?directConnection=true
{{- end }}
{{- end }}

{{/* What every part of ours reads from its environment. */}}
{{- define "ordersaga.env" -}}
{{ include "ordersaga.namespaceEnv" . }}
- name: ORDERSAGA_LOG_FORMAT
  value: {{ .Values.log.format }}
- name: ORDERSAGA_LOG_LEVEL
  value: {{ .Values.log.level }}
{{- end }}

{{- define "ordersaga.urls" -}}
{{- range $name, $service := .Values.services }}
- name: ORDERSAGA_{{ upper $name }}_URL
  value: http://{{ $name }}-service:{{ $service.port }}
{{- end }}
{{- end }}
