{{/* Who delivers messages (docs/notifications.md): what the notification service reads, mounts and reaches. */}}

{{/* Of services.notification.provider: the names of its settings. */}}
{{- define "ordersaga.messagesEnv" -}}
- name: ORDERSAGA_NOTIFICATION_PROVIDER
  value: {{ .kind }}
- name: ORDERSAGA_MESSAGES_LOCALE
  value: {{ .locale | quote }}
{{- if .messages }}
- name: ORDERSAGA_MESSAGES
  value: /etc/ordersaga/messages
{{- end }}
{{- if and (ne .kind "test") .existingSecret .caKey }}
- name: ORDERSAGA_NOTIFICATION_CA_FILE
  value: /etc/ordersaga/provider/{{ .caKey }}
{{- end }}
{{- if eq .kind "smtp" }}
- name: ORDERSAGA_SMTP_HOST
  value: {{ required "services.notification.provider.smtp.host: the mail server that takes messages" .smtp.host | quote }}
- name: ORDERSAGA_SMTP_PORT
  value: {{ .smtp.port | quote }}
- name: ORDERSAGA_SMTP_TLS
  value: {{ .smtp.tls }}
- name: ORDERSAGA_MAIL_FROM
  value: {{ required "services.notification.provider.smtp.from: the address that mail comes from" .smtp.from | quote }}
- name: ORDERSAGA_MAIL_FROM_NAME
  value: {{ .smtp.fromName | quote }}
{{- if and .existingSecret .userKey }}
- name: ORDERSAGA_SMTP_USER_FILE
  value: /etc/ordersaga/provider/{{ .userKey }}
- name: ORDERSAGA_SMTP_PASSWORD_FILE
  value: /etc/ordersaga/provider/{{ .passwordKey }}
{{- end }}
{{- end }}
{{- if eq .kind "webhook" }}
- name: ORDERSAGA_WEBHOOK_URL
  value: {{ required "services.notification.provider.webhook.url: where messages are posted" .webhook.url | quote }}
- name: ORDERSAGA_WEBHOOK_SECRET_FILE
  value: /etc/ordersaga/provider/{{ .secretKey }}
{{- end }}
{{- end }}

{{- define "ordersaga.messagesMounts" -}}
{{- if and (ne .kind "test") .existingSecret }}
- name: provider
  mountPath: /etc/ordersaga/provider
  readOnly: true
{{- end }}
{{- if .messages }}
- name: messages
  mountPath: /etc/ordersaga/messages
  readOnly: true
{{- end }}
{{- end }}

{{- define "ordersaga.messagesVolumes" -}}
{{- if and (ne .kind "test") .existingSecret }}
- name: provider
  secret:
    secretName: {{ .existingSecret | toYaml }}
    defaultMode: 0440
{{- end }}
{{- if .messages }}
- name: messages
  configMap:
    name: {{ .messages | toYaml }}
{{- end }}
{{- end }}

{{/* The one way out that its kind needs. */}}
{{- define "ordersaga.toProvider" -}}
{{- $port := .smtp.port }}
{{- if eq .kind "webhook" }}
{{- $host := (urlParse .webhook.url).host }}
{{- $port = regexFind ":[0-9]+$" $host | trimPrefix ":" | default "443" }}
{{- end }}
{{- if ne .kind "test" }}
{{- include "ordersaga.to" (dict "ports" (list $port) "to" .to) }}
{{- end }}
{{- end }}
