#!/bin/sh
# Before a removal. Before an upgrade (deb: upgrade; rpm: 1 is left) the service goes on.
set -e
case "$1" in
remove | 0)
  if [ -d /run/systemd/system ]; then
    systemctl disable --now signal-client.service
  fi
  ;;
esac
