{{/* The environment of the programs, where whoever installs may add to it or put something else in its place. */}}

{{/* A list of variables: (dict "ours" TEXT "theirs" LIST). What has the same name as one of ours takes its place: two of a name
are refused by server-side apply, and the place matters to those that refer to others as $(NAME). */}}
{{- define "ordersaga.withEnv" -}}
{{- if .theirs -}}
{{- $theirs := dict -}}
{{- range .theirs }}{{ $_ := set $theirs .name . }}{{ end -}}
{{- $all := list -}}
{{- $names := list -}}
{{- range concat (fromYamlArray .ours) .theirs -}}
{{- if not (has .name $names) -}}
{{- $all = append $all (get $theirs .name | default .) -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- end -}}
{{- toYaml $all -}}
{{- else -}}
{{- trim .ours -}}
{{- end -}}
{{- end }}

{{/* What a service reads: (dict "root" $ "service" "order" "values" … "called" [services] "database" {name, key, bundled}). */}}
{{- define "ordersaga.serviceEnv" -}}
{{- $root := .root }}
{{- $service := .service }}
{{- $values := .values }}
{{- $called := .called }}
{{- $database := .database }}
{{- $orders := eq $service "order" }}
{{- $identified := eq $root.Values.authentication.mode "kubernetes" }}
{{- $tls := $root.Values.tls.enabled -}}
- name: UVICORN_PORT
  value: {{ $values.port | quote }}
- name: ORDERSAGA_PUBLIC_PORT
  value: {{ $values.publicPort | quote }}
{{- include "ordersaga.env" $root | nindent 0 }}
- name: ORDERSAGA_AUTHENTICATION
  value: {{ $root.Values.authentication.mode }}
{{- if $identified }}
- name: ORDERSAGA_AUTHENTICATION_REVIEW
  value: {{ $root.Values.authentication.tokenReviews }}
{{- end }}
{{- with $root.Values.authentication.staff }}
- name: ORDERSAGA_STAFF
  value: {{ toJson . | quote }}
{{- end }}
- name: ORDERSAGA_DATABASE_PREFIX
  value: {{ $root.Values.mongodb.databasePrefix | toYaml }}
{{- if $database.name }}
- name: ORDERSAGA_MONGODB_URL_FILE
  value: /etc/ordersaga/mongodb/{{ $database.key }}
{{- else }}
- name: ORDERSAGA_MONGODB_URL
  {{- include "ordersaga.mongodbUrl" (dict "root" $root "secret" $values.mongodbSecret "user" $service) | nindent 2 }}
{{- end }}
{{- if and $tls $database.bundled }}
{{- include "ordersaga.mongodbAuthorityEnv" $root | nindent 0 }}
{{- end }}
{{- if $tls }}
- name: UVICORN_SSL_CERTFILE
  value: /etc/ordersaga/tls/tls.crt
- name: UVICORN_SSL_KEYFILE
  value: /etc/ordersaga/tls/tls.key
{{- end }}
{{- if and $tls $called }}
{{- include "ordersaga.authorityEnv" $root | nindent 0 }}
{{- end }}
{{- if $orders }}
{{- include "ordersaga.urls" $root | nindent 0 }}
{{- with $root.Values.clients }}
- name: ORDERSAGA_CLIENTS
  value: {{ .mode }}
{{- if .issuer }}
- name: ORDERSAGA_CLIENTS_ISSUER
  value: {{ .issuer | quote }}
- name: ORDERSAGA_CLIENTS_AUDIENCE
  value: {{ .audience | quote }}
- name: ORDERSAGA_CLIENTS_CUSTOMER_CLAIM
  value: {{ .customerClaim | quote }}
- name: ORDERSAGA_CLIENTS_STAFF_CLAIM
  value: {{ .staffClaim | quote }}
- name: ORDERSAGA_CLIENTS_STAFF_VALUE
  value: {{ .staffValue | quote }}
{{- if .keysSecret }}
- name: ORDERSAGA_CLIENTS_KEYS
  value: /var/run/clients/jwks.json
{{- end }}
{{- end }}
{{- end }}
- name: ORDERSAGA_SAGA_TTL_SECONDS
  value: {{ int $root.Values.global.sagaTTLSeconds | quote }}
- name: ORDERSAGA_PERSONAL_DATA_DAYS
  value: {{ int $root.Values.global.personalDataDays | quote }}
{{- end }}
{{- if has $service (list "inventory" "shipping" "notification") }}
# It says whether an order is confirmed: goods leave only then.
- name: ORDERSAGA_ORDER_URL
  value: {{ include "ordersaga.url" (dict "root" $root "service" "order") }}
{{- end }}
{{- with $values.provider }}
{{- include "ordersaga.messagesEnv" . | nindent 0 }}
{{- end }}
{{- if and $identified $called }}
{{- include "ordersaga.tokensEnv" $root | nindent 0 }}
{{- end }}
{{- end }}

{{/* What the operator reads. */}}
{{- define "ordersaga.operatorEnv" -}}
{{ include "ordersaga.env" . }}
# The holder's name in the Lease: no two pods have the same name.
- name: ORDERSAGA_IDENTITY
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
# Shorter than the services go on.
- name: ORDERSAGA_NAMESPACE_END_SECONDS
  value: {{ sub .Values.global.namespaceEndSeconds 5 | quote }}
# All addresses, those of IPv4 as well.
- name: ORDERSAGA_HEALTH_HOST
  value: "::"
- name: ORDERSAGA_HEALTH_PORT
  value: "8080"
{{- if .Values.tls.enabled }}
- name: ORDERSAGA_HEALTH_CERTIFICATE
  value: /etc/ordersaga/tls
{{- end }}
{{- include "ordersaga.urls" . | nindent 0 }}
{{- if .Values.tls.enabled }}
{{- include "ordersaga.authorityEnv" . | nindent 0 }}
{{- end }}
{{- if eq .Values.authentication.mode "kubernetes" }}
{{- include "ordersaga.tokensEnv" . | nindent 0 }}
{{- end }}
{{- if .Values.events.sink }}
{{- include "ordersaga.eventsEnv" . | nindent 0 }}
{{- end }}
{{- if .Values.operator.tellCustomers }}
- name: ORDERSAGA_TELL_CUSTOMERS
  value: "true"
{{- end }}
{{- end }}
