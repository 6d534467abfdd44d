#!/bin/bash
# Runs once in a booted container: builds RDO-shaped RPMs of the pristine release, with the platform
# below them, into /srv/rdo (now) and /srv/rdo-later (its next update), installs them by dnf, and
# has MariaDB, RabbitMQ, and nova-api, nova-conductor and nova-scheduler running. No keystone and no
# placement: a request without a token is answered 401 before either is asked.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

# pip's libraries are where Debian's Python looks; what RPMs install is where EL 9's would
echo /usr/lib/python3.9/site-packages >/usr/local/lib/python3.9/dist-packages/el9.pth

mkdir -p /srv/rdo /srv/rdo-later
python3 "$here/platform.py" >"$here/platform.spec"
build=(rpmbuild --quiet --define "_topdir $here/build" --define "_sourcedir $here")
"${build[@]}" -bb "$here/platform.spec"
export PBR_VERSION=29.4.0
for release in 1 2; do
	"${build[@]}" --define "release_of_rdo $release" -bb "$here/rdo.spec"
done
cp "$here"/build/RPMS/noarch/{platform-el9,*-29.2.0-1}*.rpm /srv/rdo
cp "$here"/build/RPMS/noarch/*.rpm /srv/rdo-later
rm -r "$here/build"
createrepo_c -q /srv/rdo
createrepo_c -q /srv/rdo-later
mkdir -p /etc/yum.repos.d
cat >/etc/yum.repos.d/rdo.repo <<END
[rdo]
name=RDO
baseurl=file:///srv/rdo
gpgcheck=0
metadata_expire=0
END
# only now is there a release to detect
dnf -q -y --releasever=9 install platform-el9
dnf -q -y install openstack-nova-{api,conductor,scheduler,novncproxy,serialproxy,spicehtml5proxy}

cat >/etc/rabbitmq/rabbitmq-env.conf <<END
NODENAME=rabbit@localhost
END
cat >/etc/mysql/mariadb.conf.d/99-test.cnf <<END
[mysqld]
innodb_flush_log_at_trx_commit = 0
innodb_buffer_pool_size = 64M
skip-name-resolve
END
systemctl restart mariadb rabbitmq-server
for database in nova_api nova nova_cell0; do
	mariadb -e "CREATE DATABASE $database;
		GRANT ALL ON $database.* TO nova@127.0.0.1 IDENTIFIED BY 'secret';"
done
rabbitmqctl -q add_user nova secret
rabbitmqctl -q set_permissions nova '.*' '.*' '.*'

cat >/etc/nova/nova.conf <<END
[DEFAULT]
my_ip = 127.0.0.1
host = nova-test
state_path = /var/lib/nova
log_dir = /var/log/nova
transport_url = rabbit://nova:secret@127.0.0.1:5672/
enabled_apis = osapi_compute
osapi_compute_workers = 2
[api]
auth_strategy = keystone
[api_database]
connection = mysql+pymysql://nova:secret@127.0.0.1/nova_api?charset=utf8
[database]
connection = mysql+pymysql://nova:secret@127.0.0.1/nova?charset=utf8
[conductor]
workers = 1
[scheduler]
workers = 1
[keystone_authtoken]
auth_type = password
auth_url = http://127.0.0.1:5000/v3
username = nova
password = secret
project_name = service
user_domain_id = default
project_domain_id = default
www_authenticate_uri = http://127.0.0.1:5000/v3
[placement]
auth_type = none
endpoint_override = http://127.0.0.1:8778
[oslo_concurrency]
lock_path = /var/lib/nova/lock
END
# the same application without keystone: shows which routes there are behind the 401
sed -i 's|^/v2.1/+: openstack_compute_api_v21$|&\n/noauth/+: noauth|' /etc/nova/api-paste.ini
grep -q ^/noauth /etc/nova/api-paste.ini
cat >>/etc/nova/api-paste.ini <<END

[pipeline:noauth]
pipeline = cors compute_req_id faultwrap sizelimit noauth2 osapi_compute_app_v21
END

as_nova() { setpriv --reuid nova --regid nova --init-groups -- "$@"; }
as_nova nova-manage api_db sync
as_nova nova-manage cell_v2 map_cell0 \
	--database_connection 'mysql+pymysql://nova:secret@127.0.0.1/nova_cell0?charset=utf8'
as_nova nova-manage cell_v2 create_cell --name cell1
as_nova nova-manage db sync

# beside the running ones: a stopped, two disabled and a masked one
systemctl enable -q openstack-nova-serialproxy # the tests stop it
systemctl disable -q openstack-nova-novncproxy openstack-nova-metadata-api openstack-nova-os-compute-api
systemctl mask -q openstack-nova-spicehtml5proxy
systemctl enable -q --now openstack-nova-conductor openstack-nova-scheduler openstack-nova-api
for _ in $(seq 120); do
	code=$(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8774/v2.1/servers || true)
	[ "$code" != 401 ] || break
	sleep 1
done
[ "$code" = 401 ]
systemctl is-active openstack-nova-conductor openstack-nova-scheduler openstack-nova-api
grep -l Traceback /var/log/nova/*.log && exit 1
dnf check
rm -f /var/log/nova/*.log
journalctl -q --rotate && journalctl -q --vacuum-time=1s
