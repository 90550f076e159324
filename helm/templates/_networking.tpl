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

{{/* Also the ports that the cluster itself names, where Helm can ask it; whoever installs definitions may read that. */}}
{{- define "ordersaga.toApiServer" -}}
{{- $ports := .Values.networkPolicy.apiServer.ports }}
{{- if .Values.crds.install }}
{{- $service := (lookup "v1" "Service" "default" "kubernetes").spec | default dict }}
{{- $endpoints := lookup "discovery.k8s.io/v1" "EndpointSlice" "default" "kubernetes" }}
{{- range concat ($service.ports | default list) ($endpoints.ports | default list) }}
{{- $ports = append $ports (int .port) }}
{{- end }}
{{- end }}
{{- include "ordersaga.to" (dict "ports" (uniq $ports) "to" .Values.networkPolicy.apiServer.to) }}
{{- end }}

{{/* Of a Service: which addresses it gets; nothing is the cluster's own choice. */}}
{{- define "ordersaga.ipFamilies" -}}
{{- with .Values.global.ipFamilyPolicy }}
ipFamilyPolicy: {{ . }}
{{- end }}
{{- with .Values.global.ipFamilies }}
ipFamilies: {{ toJson . }}
{{- end }}
{{- end }}
