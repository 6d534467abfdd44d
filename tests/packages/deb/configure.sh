#!/bin/bash
# Runs once in a booted container with Debian's packages of Nova: configures them; see cloud.sh.
set -euo pipefail

# an upgrade of Debian's packages starts what is not configured yet
systemctl stop 'nova-*'
rm -f /var/log/nova/*.log
# nova-api has its workers under uwsgi, which does not read how many nova.conf wants
sed -i 's/^processes = .*/processes = 2/' /etc/nova/nova-api-uwsgi.ini
exec bash "$(dirname "$0")/cloud.sh" nova- novncproxy api-metadata
