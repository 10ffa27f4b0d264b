#!/bin/sh
# After an installation and after an upgrade. The first one does not start the service: it
# is told what to do first (/etc/signal-client/signal-client.env, or the console).
set -e
if command -v systemd-sysusers >/dev/null; then
  systemd-sysusers signal-client.conf
  systemd-tmpfiles --create signal-client.conf || true # needs /proc; the next boot does it again
fi
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl try-restart signal-client.service || echo "signal-client was upgraded, but does not start: journalctl -u signal-client" >&2
fi
