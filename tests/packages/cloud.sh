#!/bin/bash
# Runs once in a booted container, at the end of its configure.sh: MariaDB, RabbitMQ, and nova-api,
# nova-conductor and nova-scheduler, configured and running. No keystone, no placement: a request
# without a token is answered 401 before either is asked, and /noauth leads to the same API without
# keystone.
#
# usage: cloud.sh PREFIX DISABLED...
#   PREFIX    the beginning of the names of Nova's units
#   DISABLED  units, without the prefix, that shall be so
set -euo pipefail
prefix=$1
shift
disabled=("${@/#/$prefix}")
running=("${prefix}conductor" "${prefix}scheduler" "${prefix}api")

cat >/etc/rabbitmq/rabbitmq-env.conf <<X
NODENAME=rabbit@localhost
X
cat >/etc/mysql/mariadb.conf.d/99-test.cnf <<X
[mysqld]
innodb_flush_log_at_trx_commit = 0
innodb_buffer_pool_size = 64M
skip-name-resolve
X
systemctl restart mariadb rabbitmq-server
for database in nova_api nova nova_cell0; do
	mariadb -e "CREATE DATABASE IF NOT EXISTS $database;
		GRANT ALL ON $database.* TO nova@127.0.0.1 IDENTIFIED BY 'secret';"
done
rabbitmqctl -q add_user nova secret
rabbitmqctl -q set_permissions nova '.*' '.*' '.*'

# two workers of the API, as many as the machine has cores, else every restart takes minutes
cat >/etc/nova/nova.conf <<X
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
X
chown root:nova /etc/nova/nova.conf
chmod 640 /etc/nova/nova.conf
# the same application without keystone: shows which routes there are behind the 401
sed -i 's|^/v2.1/+: openstack_compute_api_v21$|&\n/noauth/+: noauth|' /etc/nova/api-paste.ini
grep -q ^/noauth /etc/nova/api-paste.ini
cat >>/etc/nova/api-paste.ini <<X

[pipeline:noauth]
pipeline = cors compute_req_id faultwrap sizelimit noauth2 osapi_compute_app_v21
X

as_nova() { setpriv --reuid nova --regid nova --init-groups -- "$@"; }
as_nova nova-manage api_db sync
as_nova nova-manage cell_v2 map_cell0 \
	--database_connection 'mysql+pymysql://nova:secret@127.0.0.1/nova_cell0?charset=utf8'
as_nova nova-manage cell_v2 create_cell --name cell1
as_nova nova-manage db sync

# beside the running ones: a stopped one, some disabled, and a masked one
systemctl enable -q "${prefix}serialproxy" # the tests stop it
systemctl disable -q "${disabled[@]}"
systemctl mask -q "${prefix}spicehtml5proxy"
systemctl enable -q --now "${running[@]}"
for _ in $(seq 120); do
	code=$(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8774/v2.1/servers || true)
	[ "$code" != 401 ] || break
	sleep 1
done
[ "$code" = 401 ]
systemctl is-active "${running[@]}"
grep -l Traceback /var/log/nova/*.log && exit 1
rm -f /var/log/nova/*.log
journalctl -q --rotate && journalctl -q --vacuum-time=1s
