{{/* What values.schema.json can't refuse, in one sentence each. */}}

{{- define "ordersaga.refuse" -}}
{{- $root := . }}
{{- if .Chart.IsRoot }}
{{- /* In an umbrella chart they are everybody's, and `enabled` is its condition. */}}
{{- $known := list "environment" "imagePullPolicy" "imagePullSecrets" "imageRegistry" "imageTag" "ipFamilies" "ipFamilyPolicy" "namespaceEndSeconds" "openshift" "personalDataDays" "sagaTTLSeconds" }}
{{- range $name, $_ := .Values.global }}
{{- if not (has $name $known) }}
{{- fail (printf "global.%s: values don't meet the specifications: there is no such value (there are %s)" $name (join ", " $known)) }}
{{- end }}
{{- end }}
{{- if hasKey .Values "enabled" }}
{{- fail "enabled: values don't meet the specifications: it is for a chart that has this one as a dependency, in its condition" }}
{{- end }}
{{- end }}
{{- /* .Release is one and the same for all charts of a release: what one notes there, the other reads. */}}
{{- with get .Release "ordersaga" }}
{{- if ne . $root.Template.BasePath }}
{{- fail (printf "%s and %s: a release has this chart once, since a namespace has one installation (docs/install.md)" . $root.Template.BasePath) }}
{{- end }}
{{- end }}
{{- $_ := set .Release "ordersaga" .Template.BasePath }}
{{- range $service, $_ := .Values.services }}
{{- $values := include "ordersaga.service" (dict "root" $root "service" $service) | fromYaml }}
{{- if eq (int $values.port) (int $values.publicPort) }}
{{- fail (printf "services.%s.port and publicPort are both %v: the public routes have a port of their own" $service $values.port) }}
{{- end }}
{{- if and $values.autoscaling.enabled (gt (int $values.autoscaling.minReplicas) (int $values.autoscaling.maxReplicas)) }}
{{- fail (printf "services.%s.autoscaling: minReplicas %v is above maxReplicas %v" $service $values.autoscaling.minReplicas $values.autoscaling.maxReplicas) }}
{{- end }}
{{- end }}
{{- if and (eq .Values.global.ipFamilyPolicy "SingleStack") (gt (len (default list .Values.global.ipFamilies)) 1) }}
{{- fail "global.ipFamilyPolicy: SingleStack is one of global.ipFamilies, not two" }}
{{- end }}
{{- end }}
