{{/*
What several templates share. Most take (dict "root" $ "name" "order-service" "component" "service").
*/}}

{{/* Never changed once installed: a Deployment's selector can't be. */}}
{{- define "ordersaga.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name | toYaml }}
{{- end }}

{{- define "ordersaga.podLabels" -}}
{{ include "ordersaga.selector" . }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/part-of: ordersaga
{{- end }}

{{/* A version as a label, which may be shorter and have no build metadata (1.2.3+abc). */}}
{{- define "ordersaga.labelValue" -}}
{{- . | replace "+" "_" | trunc 63 | trimAll "-_." -}}
{{- end }}

{{/* Of objects, not of pods: a pod isn't replaced because a version number has changed. */}}
{{- define "ordersaga.labels" -}}
{{ include "ordersaga.podLabels" . }}
app.kubernetes.io/version: {{ include "ordersaga.labelValue" .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | include "ordersaga.labelValue" }}
ordersaga.io/environment: {{ .root.Values.global.environment }}
{{- if and .root.Values.global.openshift .runtime }}
app.openshift.io/runtime: {{ .runtime }}
{{- end }}
{{- end }}

{{/* The one installation of the release's namespace; `name` labels objects that belong to no part. */}}
{{- define "ordersaga.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace | toYaml }}
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
{{- /* A tag can have no build metadata: `helm push` writes it like this as well. */ -}}
{{ $name }}:{{ $image.tag | default .root.Values.global.imageTag | replace "+" "_" }}
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
priorityClassName: {{ . | toYaml }}
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
{{- $names := list }}
{{- range .Values.global.imagePullSecrets }}
{{- $names = append $names (kindIs "string" . | ternary . (get (kindIs "string" . | ternary dict .) "name")) }}
{{- end }}
{{- with uniq $names }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | toYaml }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Labels of ours, and of whoever installs, which come first: (dict "part" … "more" …). */}}
{{- define "ordersaga.labelsWith" -}}
{{- merge (deepCopy (.more | default dict)) (include "ordersaga.labels" .part | fromYaml) | toYaml -}}
{{- end }}

{{/* How many pods: (dict "root" $ "name" … "replicas" N "autoscaling" …). An autoscaler owns the number: it is left as it is
found, within its bounds, since a number that vanishes from a release means one. Nothing is said where Helm can't look
(`helm template`), or finds nothing yet. */}}
{{- define "ordersaga.replicas" -}}
{{- if not .autoscaling.enabled -}}
{{ .replicas }}
{{- else -}}
{{- with lookup "apps/v1" "Deployment" .root.Release.Namespace .name -}}
{{ min $.autoscaling.maxReplicas (max $.autoscaling.minReplicas .spec.replicas) }}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "ordersaga.namespaceEnv" -}}
# Whatever namespace this is, it is the one that the installation serves.
- name: ORDERSAGA_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- end }}

{{/* The Secret with a MongoDB URI, as YAML {name, key, bundled}: this one {name, key}, else the installation's, else that of
the bundled database's users; only {bundled} if that has none. (dict "root" $ "secret" … "user" "order"). */}}
{{- define "ordersaga.database" -}}
{{- $mongodb := .root.Values.mongodb -}}
{{- if .secret -}}
name: {{ .secret.name | toYaml }}
key: {{ .secret.key | toYaml }}
{{- else if $mongodb.existingSecret -}}
name: {{ $mongodb.existingSecret | toYaml }}
key: {{ $mongodb.existingSecretKey | toYaml }}
{{- else -}}
bundled: true
{{- if $mongodb.auth.enabled }}
name: {{ include "ordersaga.mongodbUsers" .root | toYaml }}
key: {{ .user }}
{{- end }}
{{- end }}
{{- end }}

{{- define "ordersaga.mongodbUsers" -}}
{{- .Values.mongodb.auth.existingSecret | default "mongodb-users" -}}
{{- end }}

{{/* The value of a MongoDB URI's variable, of the same. */}}
{{- define "ordersaga.mongodbUrl" -}}
{{- $database := include "ordersaga.database" . | fromYaml -}}
{{- if $database.name -}}
valueFrom:
  secretKeyRef:
    name: {{ $database.name | toYaml }}
    key: {{ $database.key | toYaml }}
{{- else -}}
value: mongodb://{{ include "ordersaga.mongodbHost" .root }}/?directConnection=true
{{- end }}
{{- end }}

{{/* The bundled database's. OpenShift's certificates have no short name. */}}
{{- define "ordersaga.mongodbHost" -}}
mongodb{{ if and .Values.tls.enabled .Values.tls.openshift }}.{{ .Release.Namespace }}.svc{{ end }}:27017
{{- end }}

{{- /* Where the bundled database finds what common/mongod_files.py makes, and out of what. */}}
{{- define "ordersaga.mongodFilesEnv" -}}
- name: ORDERSAGA_MONGODB_FILES
  value: /run/mongodb
{{- if .Values.tls.enabled }}
- name: ORDERSAGA_MONGODB_CERTIFICATE
  value: /etc/ordersaga/tls
{{- end }}
{{- end }}

{{- /* What asks the bundled database speaks TLS with it, whatever its URI says. */}}
{{- define "ordersaga.mongodbAuthorityEnv" -}}
- name: ORDERSAGA_MONGODB_CA_FILE
  value: /etc/ordersaga/authority/ca.crt
{{- end }}

{{/* The same Secret as files, which are replaced while a program runs: of what ordersaga.database gives. */}}
{{- define "ordersaga.mongodbMount" -}}
- name: mongodb
  mountPath: /etc/ordersaga/mongodb
  readOnly: true
{{- end }}

{{- define "ordersaga.mongodbVolume" -}}
- name: mongodb
  secret:
    secretName: {{ .name | toYaml }}
    defaultMode: 0440
    {{- if .bundled }}
    # This user's own.
    items: [{key: {{ .key }}, path: {{ .key }}}]
    {{- end }}
{{- end }}

{{/* What every part of ours reads from its environment. */}}
{{- define "ordersaga.env" -}}
{{ include "ordersaga.namespaceEnv" . }}
- name: ORDERSAGA_LOG_FORMAT
  value: {{ .Values.log.format }}
- name: ORDERSAGA_LOG_LEVEL
  value: {{ .Values.log.level }}
{{- include "ordersaga.tracingEnv" . }}
{{- end }}

{{/* A service's base URL: (dict "root" $ "service" "order"). OpenShift's certificates have no short name. */}}
{{- define "ordersaga.url" -}}
{{- $tls := .root.Values.tls -}}
{{ ternary "https" "http" $tls.enabled }}://{{ .service }}-service
{{- if and $tls.enabled $tls.openshift }}.$(ORDERSAGA_NAMESPACE).svc{{ end }}:{{ (get .root.Values.services .service).port }}
{{- end }}

{{- define "ordersaga.urls" -}}
{{- range $name, $service := .Values.services }}
- name: ORDERSAGA_{{ upper $name }}_URL
  value: {{ include "ordersaga.url" (dict "root" $ "service" $name) }}
{{- end }}
{{- end }}

{{/* The Secret with the certificate of a service, or of operator or mongodb: (dict "root" $ "service" "order"). */}}
{{- define "ordersaga.tlsSecret" -}}
{{- .root.Values.tls.secretName | replace "NAME" .service -}}
{{- end }}

{{- /* What calls services finds their authority here. */}}
{{- define "ordersaga.authorityEnv" -}}
- name: ORDERSAGA_CA_FILE
  value: /etc/ordersaga/authority/ca.crt
{{- end }}

{{/* Of the same: where whoever serves TLS finds its certificate. */}}
{{- define "ordersaga.tlsMount" -}}
- name: tls
  mountPath: /etc/ordersaga/tls
  readOnly: true
{{- end }}

{{- define "ordersaga.tlsVolume" -}}
- name: tls
  secret:
    secretName: {{ include "ordersaga.tlsSecret" . | toYaml }}
    defaultMode: 0440
{{- end }}

{{/* OpenShift makes that Secret, of a Service with this annotation. */}}
{{- define "ordersaga.servingCertificate" -}}
service.beta.openshift.io/serving-cert-secret-name: {{ include "ordersaga.tlsSecret" . | toYaml }}
{{- end }}

{{- define "ordersaga.authorityMount" -}}
- name: authority
  mountPath: /etc/ordersaga/authority
  readOnly: true
{{- end }}

{{- define "ordersaga.authorityVolume" -}}
- name: authority
  {{- if .Values.tls.openshift }}
  configMap:
    name: ordersaga-service-ca
    items: [{key: service-ca.crt, path: ca.crt}]
  {{- else }}
  secret:
    secretName: {{ .Values.tls.caSecret | default (include "ordersaga.tlsSecret" (dict "root" . "service" "order")) | toYaml }}
    items: [{key: ca.crt, path: ca.crt}]
    # Without it the system's authorities count.
    optional: true
  {{- end }}
{{- end }}

{{- /* What calls services finds its tokens for them here. */}}
{{- define "ordersaga.tokensEnv" -}}
- name: ORDERSAGA_TOKENS
  value: /var/run/secrets/ordersaga.io/tokens
{{- end }}

{{- define "ordersaga.tokensMount" -}}
- name: tokens
  mountPath: /var/run/secrets/ordersaga.io/tokens
  readOnly: true
{{- end }}

{{- /* Of the pod's own ServiceAccount, for the services in this list. */}}
{{- define "ordersaga.tokensVolume" -}}
# One for each service, which is good there alone. The kubelet renews them; ten minutes are the least there is.
- name: tokens
  projected:
    sources:
      {{- range . }}
      - serviceAccountToken:
          audience: {{ . }}.ordersaga.io
          expirationSeconds: 600
          path: {{ . }}
      {{- end }}
{{- end }}
