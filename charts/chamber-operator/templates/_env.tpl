{{/* The operator's settings, as its command line reads them from the environment. */}}
{{- define "chamber-operator.env" -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: CHAMBER_LISTEN
  value: {{ printf "%s:%v" .Values.metrics.address .Values.metrics.port | quote }}
- name: CHAMBER_LEASE_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: CHAMBER_LEASE_NAME
  value: {{ include "chamber-operator.fullname" . }}
- name: CHAMBER_DRIFT_INTERVAL
  value: {{ .Values.driftInterval | quote }}
- name: CHAMBER_LOG
  value: {{ .Values.logLevel | quote }}
- name: CHAMBER_LOG_FORMAT
  value: {{ .Values.logFormat | quote }}
{{- with .Values.bindings }}
- name: CHAMBER_BINDINGS
  value: {{ toJson . | quote }}
{{- end }}
{{- with .Values.prometheus.servers }}
- name: CHAMBER_PROMETHEUS_SERVERS
  value: {{ include "chamber-operator.prometheusServers" . | quote }}
{{- end }}
{{- with .Values.prometheus.proxySecret }}
- name: CHAMBER_PROMETHEUS_PROXY
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: url
{{- end }}
{{- with .Values.watchNamespaces }}
- name: CHAMBER_WATCH_NAMESPACE
  value: {{ join "," . | quote }}
{{- end }}
{{- with .Values.aws.region }}
- name: AWS_REGION
  value: {{ . | quote }}
{{- end }}
{{- with .Values.aws.endpointUrl }}
- name: AWS_ENDPOINT_URL_KMS
  value: {{ . | quote }}
- name: AWS_ENDPOINT_URL_STS
  value: {{ . | quote }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* prometheus.servers as the operator reads them: credentials are the folder where their Secret is mounted. */}}
{{- define "chamber-operator.prometheusServers" -}}
{{- $servers := list -}}
{{- range . -}}
{{- $server := dict "namespaces" .namespaces "urls" .urls -}}
{{- with .credentialsSecret -}}
{{- $_ := set $server "credentials" (printf "/etc/chamber/prometheus/%s" .) -}}
{{- end -}}
{{- $servers = append $servers $server -}}
{{- end -}}
{{- toJson $servers -}}
{{- end -}}

{{/* The Secrets that prometheus.servers name, each once, as a JSON list. */}}
{{- define "chamber-operator.prometheusSecrets" -}}
{{- $names := list -}}
{{- range .Values.prometheus.servers -}}
{{- with .credentialsSecret -}}
{{- $names = append $names . -}}
{{- end -}}
{{- end -}}
{{- uniq $names | toJson -}}
{{- end -}}
