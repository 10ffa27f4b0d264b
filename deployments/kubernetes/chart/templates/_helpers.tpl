{{- define "signal-client.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* The name of all objects. 52 characters leave room for a pod's number and for suffixes. */ -}}
{{- define "signal-client.fullname" -}}
{{- $name := include "signal-client.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "signal-client.selector" -}}
app.kubernetes.io/name: {{ include "signal-client.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "signal-client.labels" -}}
{{ include "signal-client.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "signal-client.serviceAccount" -}}
{{- ternary (default (include "signal-client.fullname" .) .Values.serviceAccount.name) (default "default" .Values.serviceAccount.name) .Values.serviceAccount.create -}}
{{- end -}}

{{- define "signal-client.image" -}}
{{- with .Values.image.registry }}{{ trimSuffix "/" . }}/{{ end }}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion -}}
{{- end -}}

{{- /* "true" with the embedded NATS server, else empty. */ -}}
{{- define "signal-client.embedded" -}}
{{- if not (or .Values.nats.url .Values.nats.context.secret.name) }}true{{ end -}}
{{- end -}}

{{- /* "true" if the data directory holds something, else empty. */ -}}
{{- define "signal-client.stateful" -}}
{{- if or (include "signal-client.embedded" .) (and .Values.search.enabled (not .Values.search.url)) }}true{{ end -}}
{{- end -}}

{{- define "signal-client.kind" -}}
{{- ternary "StatefulSet" "Deployment" (eq (include "signal-client.stateful" .) "true") -}}
{{- end -}}

{{- /* Variables with plain values, as a map. */ -}}
{{- define "signal-client.variables" -}}
SIGNAL_CLIENT_DATA_DIR: /data
TMPDIR: /data
SIGNAL_CLIENT_LOG_FORMAT: json
# Not at the console's address, so that neither Ingress nor users reach them there.
SIGNAL_CLIENT_METRICS_ADDR: ":9100"
SIGNAL_CLIENT_NATS_REPLICAS: {{ .Values.nats.replicas }}
{{- with .Values.nats }}
{{- with .url }}
NATS_URL: {{ . | quote }}
{{- end }}
{{- with .credentials.secret }}{{ if .name }}
NATS_CREDS: /etc/signal-client/nats-creds/{{ .key }}
{{- end }}{{ end }}
{{- if .tls.secret.name }}
{{- range $variable, $key := dict "NATS_CA" .tls.ca "NATS_CERT" .tls.cert "NATS_KEY" .tls.key }}{{ if $key }}
{{ $variable }}: /etc/signal-client/nats-certs/{{ $key }}
{{- end }}{{ end }}
{{- end }}
{{- with .context.secret }}{{ if .name }}
NATS_CONTEXT: /etc/nats-contexts/{{ .key }}
{{- end }}{{ end }}
{{- end }}
{{- if and (include "signal-client.embedded" .) .Values.nats.user.secret.name }}
SIGNAL_CLIENT_NATS_LISTEN: 0.0.0.0:4222
{{- end }}
{{- with .Values.okta }}
{{- range $variable, $value := dict "OKTA_FQDN" .fqdn "OKTA_INSTANCE" .instance "OKTA_CLIENT_ID" .app.clientId "OKTA_KEY_ID" .app.keyId }}{{ if $value }}
{{ $variable }}: {{ $value | quote }}
{{- end }}{{ end }}
{{- if .apiToken.secret.name }}
OKTA_API_TOKEN_FILE: /etc/signal-client/okta-token/{{ .apiToken.secret.key }}
{{- end }}
{{- if .app.secret.name }}
OKTA_PRIVATE_KEY_FILE: /etc/signal-client/okta-key/{{ .app.secret.key }}
{{- end }}
{{- end }}
{{- if .Values.simulator.enabled }}
OKTA_BASE_URL: http://127.0.0.1:8100
OKTA_INSTANCE: acme
OKTA_API_TOKEN: simulated
OKTA_POLL_INTERVAL: 2s
OKTA_SINCE: 48h
{{- end }}
{{- with .Values.secretKey.secret }}{{ if .name }}
SIGNAL_CLIENT_SECRET_KEY_FILE: /etc/signal-client/secret-key/{{ .key }}
{{- end }}{{ end }}
SIGNAL_CLIENT_CONSOLE: {{ ternary "on" "off" .Values.console.enabled | quote }}
{{- if .Values.console.enabled }}
SIGNAL_CLIENT_HTTP_ADDR: ":8000"
{{- with include "signal-client.consoleURL" . }}
SIGNAL_CLIENT_CONSOLE_URL: {{ . | quote }}
{{- end }}
{{- with .Values.console }}
{{- if .users.secret.name }}
SIGNAL_CLIENT_CONSOLE_PASSWORD_FILE: /etc/signal-client/console-users/{{ .users.secret.key }}
{{- end }}
{{- with .oidc }}
{{- range $variable, $value := dict "SIGNAL_CLIENT_OIDC_ISSUER" .issuer "SIGNAL_CLIENT_OIDC_CLIENT_ID" .clientId "SIGNAL_CLIENT_OIDC_ADMIN_GROUP" .adminGroup }}{{ if $value }}
{{ $variable }}: {{ $value | quote }}
{{- end }}{{ end }}
{{- if .secret.name }}
SIGNAL_CLIENT_OIDC_CLIENT_SECRET_FILE: /etc/signal-client/oidc/{{ .secret.key }}
{{- end }}
{{- end }}
{{- with .proxy }}
{{- if .auth }}
SIGNAL_CLIENT_CONSOLE_AUTH: proxy
{{- range $variable, $value := dict "SIGNAL_CLIENT_CONSOLE_PROXY_USER_HEADER" .userHeader "SIGNAL_CLIENT_CONSOLE_PROXY_GROUPS_HEADER" .groupsHeader "SIGNAL_CLIENT_CONSOLE_PROXY_ADMIN_GROUP" .adminGroup }}{{ if $value }}
{{ $variable }}: {{ $value | quote }}
{{- end }}{{ end }}
{{- end }}
{{- with .addresses }}
SIGNAL_CLIENT_CONSOLE_PROXY_ADDRS: {{ join "," . | quote }}
{{- end }}
{{- end }}
{{- if .tls.secret.name }}
SIGNAL_CLIENT_TLS_CERT: /etc/signal-client/console-tls/tls.crt
SIGNAL_CLIENT_TLS_KEY: /etc/signal-client/console-tls/tls.key
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.search }}
SIGNAL_CLIENT_SEARCH: {{ ternary (default "embedded" .url) "off" .enabled | quote }}
{{- if .user }}
SIGNAL_CLIENT_SEARCH_USER: {{ .user | quote }}
{{- end }}
{{- if .secret.name }}
SIGNAL_CLIENT_SEARCH_PASSWORD_FILE: /etc/signal-client/search/{{ .secret.key }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "signal-client.consoleURL" -}}
{{- if .Values.console.url }}{{ .Values.console.url }}
{{- else if .Values.ingress.enabled }}{{ ternary "https" "http" (ne .Values.ingress.tls.secret.name "") }}://{{ .Values.ingress.host }}
{{- end -}}
{{- end -}}

{{- /* The container's env. Of the pod of helm test (.client) the embedded server is a NATS server as any other. */ -}}
{{- define "signal-client.env" -}}
{{- $user := list "NATS_USER" "NATS_PASSWORD" -}}
{{- $variables := include "signal-client.variables" .root | fromYaml -}}
{{- if include "signal-client.embedded" .root -}}
{{- if .client -}}
{{- $variables = set (omit $variables "SIGNAL_CLIENT_NATS_LISTEN") "NATS_URL" (printf "nats://%s:4222" (include "signal-client.fullname" .root)) -}}
{{- else -}}
{{- $user = list "SIGNAL_CLIENT_NATS_USER" "SIGNAL_CLIENT_NATS_PASSWORD" -}}
{{- end -}}
{{- end -}}
# The pod's name: a pod of a StatefulSet continues with its own session and orgs.
- name: SIGNAL_CLIENT_REPLICA
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- with .root.Values.nats.user.secret }}
{{- if .name }}
- name: {{ index $user 0 }}
  valueFrom:
    secretKeyRef:
      name: {{ .name }}
      key: {{ .userKey }}
- name: {{ index $user 1 }}
  valueFrom:
    secretKeyRef:
      name: {{ .name }}
      key: {{ .passwordKey }}
{{- end }}
{{- end }}
{{- range $variable, $value := merge (dict) .root.Values.env $variables }}
- name: {{ $variable }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- with .root.Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* The Secrets that become files, a JSON list: name of the volume, Secret, directory, keys (none: all). */ -}}
{{- define "signal-client.files" -}}
{{- $nats := .Values.nats -}}
{{- $files := list
  (dict "volume" "nats-creds" "secret" $nats.credentials.secret.name "keys" (list $nats.credentials.secret.key))
  (dict "volume" "nats-certs" "secret" $nats.tls.secret.name "keys" (compact (list $nats.tls.ca $nats.tls.cert $nats.tls.key)))
  (dict "volume" "nats-context" "secret" $nats.context.secret.name "keys" (list $nats.context.secret.key) "directory" "/etc/nats-contexts")
  (dict "volume" "okta-token" "secret" .Values.okta.apiToken.secret.name "keys" (list .Values.okta.apiToken.secret.key))
  (dict "volume" "secret-key" "secret" .Values.secretKey.secret.name "keys" (list .Values.secretKey.secret.key))
  (dict "volume" "okta-key" "secret" .Values.okta.app.secret.name "keys" (list .Values.okta.app.secret.key))
-}}
{{- range .Values.tokenSecrets }}
{{- $files = append $files (dict "volume" (printf "tokens-%s" (. | sha256sum | trunc 8)) "secret" . "directory" (printf "/etc/signal-client/tokens/%s" .)) }}
{{- end }}
{{- if .Values.console.enabled }}
{{- with .Values.console }}
{{- $files = concat $files (list
  (dict "volume" "console-users" "secret" .users.secret.name "keys" (list .users.secret.key))
  (dict "volume" "oidc" "secret" .oidc.secret.name "keys" (list .oidc.secret.key))
  (dict "volume" "console-tls" "secret" .tls.secret.name "keys" (list "tls.crt" "tls.key"))) }}
{{- end }}
{{- end }}
{{- $files = append $files (dict "volume" "search" "secret" .Values.search.secret.name "keys" (list .Values.search.secret.key)) -}}
{{- $named := list -}}
{{- range $files }}
{{- if .secret }}{{ $named = append $named . }}{{ end }}
{{- end }}
{{- toJson $named -}}
{{- end -}}

{{- define "signal-client.mounts" -}}
- name: data
  mountPath: /data
{{- range include "signal-client.files" . | fromJsonArray }}
- name: {{ .volume }}
  mountPath: {{ .directory | default (printf "/etc/signal-client/%s" .volume) }}
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* All volumes but data. The files of a Secret follow it, because whole directories are mounted. */ -}}
{{- define "signal-client.volumes" -}}
{{- range include "signal-client.files" . | fromJsonArray }}
- name: {{ .volume }}
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
    {{- with .keys }}
    items:
      {{- range . }}
      - key: {{ . }}
        path: {{ . }}
      {{- end }}
    {{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "signal-client.placement" -}}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- define "signal-client.identity" -}}
serviceAccountName: {{ include "signal-client.serviceAccount" . }}
# The program asks Kubernetes for nothing.
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "signal-client.container" -}}
image: {{ include "signal-client.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- with .Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "signal-client.pod" -}}
metadata:
  labels:
    {{- include "signal-client.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .Values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- include "signal-client.identity" . | nindent 2 }}
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- include "signal-client.placement" . | nindent 2 }}
  {{- if .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml .Values.topologySpreadConstraints | nindent 4 }}
  {{- else if gt (int .Values.replicaCount) 1 }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "signal-client.selector" . | nindent 10 }}
  {{- end }}
  containers:
    - name: signal-client
      {{- include "signal-client.container" . | nindent 6 }}
      args: [run]
      env:
        {{- include "signal-client.env" (dict "root" .) | nindent 8 }}
      ports:
        - name: metrics
          containerPort: 9100
        {{- if .Values.console.enabled }}
        - name: console
          containerPort: 8000
        {{- end }}
        {{- if and (include "signal-client.embedded" .) .Values.nats.user.secret.name }}
        - name: nats
          containerPort: 4222
        {{- end }}
      startupProbe:
        httpGet: {path: /healthz, port: metrics}
        periodSeconds: 2
        failureThreshold: 60
      # The process alone: a restart helps neither against NATS nor against Okta.
      livenessProbe:
        httpGet: {path: /healthz, port: metrics}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: metrics}
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 2
      {{- with .Values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        {{- include "signal-client.mounts" . | nindent 8 }}
    {{- if .Values.simulator.enabled }}
    # In the same pod, because the service speaks plain http on loopback only.
    - name: simulator
      {{- include "signal-client.container" . | nindent 6 }}
      args: {{ concat (list "simulate" "--listen" "127.0.0.1:8100") .Values.simulator.args | toJson }}
      {{- with .Values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    {{- end }}
  {{- with include "signal-client.volumes" . }}
  volumes:
    {{- if not (include "signal-client.claimed" $) }}
    - name: data
      emptyDir: {}
    {{- end }}
    {{- . | nindent 4 }}
  {{- else }}
  {{- if not (include "signal-client.claimed" .) }}
  volumes:
    - name: data
      emptyDir: {}
  {{- end }}
  {{- end }}
{{- end -}}

{{- /* "true" if the volume data is a claim of the StatefulSet, else empty. */ -}}
{{- define "signal-client.claimed" -}}
{{- if and (include "signal-client.stateful" .) .Values.persistence.enabled }}true{{ end -}}
{{- end -}}
