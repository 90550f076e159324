{{/* Who the operator tells of orders beside the services (docs/events.md). */}}

{{- define "ordersaga.eventsEnv" -}}
{{- with .Values.events }}
- name: ORDERSAGA_EVENTS_SINK
  value: {{ .sink | quote }}
- name: ORDERSAGA_EVENTS_SOURCE
  value: {{ .source | quote }}
{{- if .secret }}
{{- $files := dict "secret" "SECRET" "token" "TOKEN" "ca.crt" "CA_FILE" }}
{{- range .keys }}
- name: ORDERSAGA_EVENTS_{{ get $files . }}
  value: /etc/ordersaga/events/{{ . }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "ordersaga.eventsMount" -}}
- name: events
  mountPath: /etc/ordersaga/events
  readOnly: true
{{- end }}

{{- define "ordersaga.eventsVolume" -}}
- name: events
  secret:
    secretName: {{ .Values.events.secret | toYaml }}
    items:
      {{- range .Values.events.keys }}
      - {key: {{ . }}, path: {{ . }}}
      {{- end }}
    defaultMode: 0440
{{- end }}
