{{- /* Values that the schema accepts and that can't work together. */ -}}
{{- define "signal-client.check" -}}
{{- $v := .Values -}}
{{- $embedded := eq (include "signal-client.embedded" .) "true" -}}
{{- if and $embedded (gt (int $v.replicaCount) 1) -}}
{{- fail (printf "replicaCount=%d: each pod would have an embedded NATS server of its own; set nats.url, or replicaCount=1" (int $v.replicaCount)) -}}
{{- end -}}
{{- if and $embedded (gt (int $v.nats.replicas) 1) -}}
{{- fail (printf "nats.replicas=%d: the embedded NATS server keeps one copy; set nats.url, or nats.replicas=1" (int $v.nats.replicas)) -}}
{{- end -}}
{{- if and $embedded (or $v.nats.credentials.secret.name $v.nats.tls.secret.name) -}}
{{- fail "nats.credentials and nats.tls are for NATS servers of yours: set nats.url" -}}
{{- end -}}
{{- if and $v.console.enabled (not (or $v.console.users.secret.name $v.console.oidc.issuer $v.console.proxy.auth)) -}}
{{- fail "console.enabled: the console would be open to everyone in the cluster; set console.users.secret.name, console.oidc.issuer or console.proxy.auth" -}}
{{- end -}}
{{- if and $v.console.proxy.auth (or $v.console.users.secret.name $v.console.oidc.issuer) -}}
{{- fail "console.proxy.auth: the proxy logs users in, so neither console.users nor console.oidc does; unset one of them" -}}
{{- end -}}
{{- if and $v.console.proxy.auth (not $v.console.proxy.addresses) -}}
{{- fail "console.proxy.auth: everyone could send the proxy's headers; set console.proxy.addresses" -}}
{{- end -}}
{{- if and $v.console.oidc.issuer (not $v.console.oidc.clientId) -}}
{{- fail "console.oidc.issuer: set console.oidc.clientId, too" -}}
{{- end -}}
{{- if and $v.ingress.enabled (not $v.console.enabled) -}}
{{- fail "ingress.enabled: only the console is reached through an Ingress; set console.enabled" -}}
{{- end -}}
{{- if and $v.ingress.enabled (not $v.ingress.host) -}}
{{- fail "ingress.enabled: set ingress.host, the console's host name" -}}
{{- end -}}
{{- if and $v.okta.fqdn (not (or $v.okta.apiToken.secret.name $v.okta.app.clientId)) (not (or $v.env.OKTA_API_TOKEN_FILE $v.extraEnv)) -}}
{{- fail "okta.fqdn: set okta.apiToken.secret.name, or okta.app" -}}
{{- end -}}
{{- if and $v.okta.app.clientId (not (and $v.okta.app.keyId $v.okta.app.secret.name)) -}}
{{- fail "okta.app.clientId: set okta.app.keyId and okta.app.secret.name, too" -}}
{{- end -}}
{{- if and $v.simulator.enabled (or $v.okta.fqdn $v.okta.app.clientId) -}}
{{- fail "simulator.enabled: its org takes the place of the one in okta; unset okta" -}}
{{- end -}}
{{- end -}}
