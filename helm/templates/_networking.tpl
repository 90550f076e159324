{{/* Rules of NetworkPolicies. */}}

{{/* One ingress rule: (dict "peers" [...] "ports" [names]); none if there are no peers, since that would be everybody. */}}
{{- define "ordersaga.from" -}}
{{- if .peers }}
- from:
    {{- toYaml .peers | nindent 4 }}
  ports:
    {{- range .ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- else -}}
[]
{{- end }}
{{- end }}

{{/* One egress rule: {to: peers, [] = anywhere; ports: numbers}. */}}
{{- define "ordersaga.to" -}}
- ports:
    {{- range .ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* One egress rule to pods of this installation: (dict "root" $ "name" "order-service" "port" "http"). */}}
{{- define "ordersaga.toPod" -}}
- to:
    - podSelector:
        matchLabels:
          {{- include "ordersaga.selector" . | nindent 10 }}
  ports:
    - {protocol: TCP, port: {{ .port | default "http" }}}
{{- end }}

{{- define "ordersaga.toApiServer" -}}
{{- include "ordersaga.to" .Values.networkPolicy.apiServer }}
{{- end }}
