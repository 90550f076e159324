{{/* Objects that there are once in a cluster, whoever has brought them: the definitions, and people's ClusterRoles. */}}

{{/* Whose it is, if it is there and not this release's; Helm would refuse to touch it: (dict "root" $ "apiVersion" … "kind" …
"name" …). `helm template` can't look, and brings everything. */}}
{{- define "ordersaga.ownerOf" -}}
{{- with lookup .apiVersion .kind "" .name -}}
{{- $notes := .metadata.annotations | default dict -}}
{{- $release := get $notes "meta.helm.sh/release-name" -}}
{{- $namespace := get $notes "meta.helm.sh/release-namespace" -}}
{{- if or (ne $release $.root.Release.Name) (ne $namespace $.root.Release.Namespace) -}}
{{ empty $release | ternary "nobody" (printf "release %s in namespace %s" $release $namespace) }}
{{- else if ne (get (.metadata.labels | default dict) "app.kubernetes.io/managed-by") "Helm" -}}
nobody
{{- end -}}
{{- end -}}
{{- end }}

{{/* The first field of one schema that another lacks: (dict "wanted" … "there" … "path" "OrderSaga"); "" if there is none. */}}
{{- define "ordersaga.lacking" -}}
{{- $found := "" -}}
{{- range $name, $field := .wanted.properties -}}
{{- if not $found -}}
{{- $path := printf "%s.%s" $.path $name -}}
{{- $there := get ($.there.properties | default dict) $name -}}
{{- if not $there -}}
{{- $found = $path -}}
{{- else -}}
{{- $found = include "ordersaga.lacking" (dict "wanted" $field "there" $there "path" $path) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (not $found) (kindIs "map" .wanted.items) -}}
{{- $found = include "ordersaga.lacking" (dict "wanted" .wanted.items "there" (.there.items | default dict) "path" (printf "%s[]" .path)) -}}
{{- end -}}
{{- $found -}}
{{- end }}

{{/* Refuses a definition that somebody else has brought and that lacks a field: what this release writes there would vanish. */}}
{{- define "ordersaga.refuseOlder" -}}
{{- $wanted := (first .wanted.spec.versions).schema.openAPIV3Schema -}}
{{- $there := dict -}}
{{- range (lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" .wanted.metadata.name).spec.versions -}}
{{- if eq .name (first $.wanted.spec.versions).name -}}
{{- $there = .schema.openAPIV3Schema -}}
{{- end -}}
{{- end -}}
{{- with include "ordersaga.lacking" (dict "wanted" $wanted "there" $there "path" $.wanted.spec.names.kind) -}}
{{- fail (printf "the definition %s that is there (of %s) is an older one, without %s: bring it up to date first, or let this release have it with --set crds.adopt=true --take-ownership (docs/install.md)" $.wanted.metadata.name $.owner .) -}}
{{- end -}}
{{- end }}
