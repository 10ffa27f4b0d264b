#!/bin/sh
# After a removal. Events in /var/lib/signal-client, and what others put into
# /etc/signal-client, are left also when the package is purged.
set -e
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
fi
