{{/* Admission policies. They lie in no namespace: it is in their names, and in what they are about. */}}

{{- define "ordersaga.policyMetadata" -}}
name: ordersaga-{{ .root.Release.Namespace }}-{{ .name }}
labels:
  {{- include "ordersaga.labels" (dict "root" .root "name" "ordersaga-policies" "component" "access") | nindent 2 }}
{{- end }}

{{/* Which requests it is about: (dict "root" $ "name" "status" "operations" [...] "resource" "ordersagas/status"). */}}
{{- define "ordersaga.policy" -}}
metadata:
  {{- include "ordersaga.policyMetadata" . | nindent 2 }}
spec:
  failurePolicy: Fail
  matchConstraints:
    namespaceSelector:
      matchLabels:
        kubernetes.io/metadata.name: {{ .root.Release.Namespace | toYaml }}
    resourceRules:
      - apiGroups: [ordersaga.io]
        apiVersions: [v1alpha1]
        operations: {{ toJson .operations }}
        resources: [{{ .resource | default "ordersagas" }}]
{{- end }}

{{/* What a request says of who asks for what: the same for the policy that checks it and for the one that fills it in. */}}
{{- define "ordersaga.requestVariables" -}}
- name: before
  expression: "request.operation == 'CREATE' ? {} : oldObject.spec"
- name: stateChanges
  expression: object.spec.?state.orValue('Active') != variables.before.?state.orValue('Active')
- name: nameChanges
  expression: object.spec.?requestedBy != variables.before.?requestedBy
- name: intervenes
  expression: has(object.spec.intervention) && object.spec.?intervention != variables.before.?intervention
- name: orderService
  expression: request.userInfo.username == '{{ include "ordersaga.orderService" . }}'
# The order service cancels for its clients, and names them.
- name: named
  expression: >-
    object.spec.?requestedBy.orValue('') == request.userInfo.username
    || (variables.orderService && object.spec.?requestedBy.orValue('').startsWith('client:'))
{{- end }}

{{- define "ordersaga.operatorUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:ordersaga-operator
{{- end }}

{{- define "ordersaga.orderService" -}}
system:serviceaccount:{{ .Release.Namespace }}:order-service
{{- end }}

{{/* The operator is left out before anything is evaluated: no policy of what others do can hold it up. */}}
{{- define "ordersaga.othersThanTheOperator" -}}
- name: others-than-the-operator
  expression: request.userInfo.username != '{{ include "ordersaga.operatorUser" . }}'
{{- end }}
