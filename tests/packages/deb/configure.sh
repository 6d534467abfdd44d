#!/bin/bash
# Runs once in a booted container with Debian's packages of Nova: configures them; see cloud.sh.
set -euo pipefail

# an upgrade of Debian's packages starts services that are not configured yet
systemctl stop 'nova-*'
rm -f /var/log/nova/*.log
# nova-api has its workers under uwsgi, which does not read how many nova.conf wants
sed -i 's/^processes = .*/processes = 2/' /etc/nova/nova-api-uwsgi.ini
# Nova 26's scheduler does not start before Placement has told which versions it speaks
mkdir /srv/placement
cat >/srv/placement/index.html <<X
{"versions": [{"id": "v1.0", "min_version": "1.0", "max_version": "1.39", "status": "CURRENT",
 "links": [{"rel": "self", "href": ""}]}]}
X
cat >/etc/systemd/system/lab-placement.service <<X
[Service]
ExecStart=python3 -m http.server --bind 127.0.0.1 --directory /srv/placement 8778
[Install]
WantedBy=multi-user.target
X
systemctl enable -q --now lab-placement
exec bash "$(dirname "$0")/cloud.sh" nova- novncproxy api-metadata
