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
  value: {{ printf "0.0.0.0:%v" .Values.metrics.port | quote }}
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
