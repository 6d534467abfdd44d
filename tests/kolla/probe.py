"""Run by the image's Python: answers of nova-api on loopback, with databases of its own.

Keystone is not there: the filter that asks it for a token is left out, and the headers that it
would set come with the request.  Everything else is the image's /etc/nova/api-paste.ini.
"""

import contextlib
import json
import pathlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from wsgiref.simple_server import WSGIRequestHandler, make_server

ETC = pathlib.Path("/etc/nova")
STATE = pathlib.Path("/var/lib/nova")
SETTINGS = f"""\
[DEFAULT]
transport_url = fake:/
state_path = {STATE}
log_file = /var/log/kolla/nova-api.log
[oslo_concurrency]
lock_path = {STATE}
[api_database]
connection = sqlite:///{STATE}/api.sqlite
[database]
connection = sqlite:///{STATE}/cell1.sqlite
"""
HEADERS = {
    "Content-Type": "application/json",
    "OpenStack-API-Version": "compute 2.86",
    "X-User-Id": "admin",
    "X-Project-Id": "project",
    "X-Roles": "admin,member,reader",
    "X-Identity-Status": "Confirmed",
}
SERVER = "11111111-2222-4333-8444-555555555555"


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def prepare():
    (ETC / "nova.conf").write_text(SETTINGS)
    paste = ETC / "api-paste.ini"
    paste.write_text(paste.read_text().replace(" authtoken ", " "))
    for words in (
        ("api_db", "sync"),
        ("cell_v2", "map_cell0", "--database_connection", f"sqlite:///{STATE}/cell0.sqlite"),
        ("db", "sync"),
        ("cell_v2", "create_cell", "--name", "cell1"),
    ):
        subprocess.run(["nova-manage", *words], check=True)


def serve():
    del sys.argv[1:]  # nova-api reads options there
    try:
        from nova.wsgi.osapi_compute import application
    except ImportError:
        from nova.api.openstack.compute import wsgi

        application = wsgi.init_application()
    make_server("127.0.0.1", 8774, application, handler_class=Quiet).serve_forever()


def wait(server):
    for _ in range(600):
        assert server.poll() is None, "nova-api has ended"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", 8774)):
            return
        time.sleep(0.2)
    raise AssertionError("nova-api does not listen")


def ask(method, path, body=None):
    request = urllib.request.Request(
        f"http://127.0.0.1:8774/v2.1{path}",
        json.dumps(body).encode() if body else None,
        HEADERS,
        method=method,
    )
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return answer.status, json.loads(answer.read() or "{}")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def answers():
    flavor = {"name": "grow", "vcpus": 4, "ram": 4096, "disk": 1}
    _, made = ask("POST", "/flavors", {"flavor": flavor})
    specs = f"/flavors/{made['flavor']['id']}/os-extra_specs"
    yield "a floor", ask("POST", specs, {"extra_specs": {"minimum_cpu": "1"}})
    yield "no number", ask("POST", specs, {"extra_specs": {"minimum_cpu": "many"}})
    yield "above the maximum", ask("POST", specs, {"extra_specs": {"minimum_cpu": "8"}})
    yield "adjust", ask("POST", f"/os-xloud-adjust/{SERVER}", {"current_vcpus": 2})
    yield "adjust, unknown key", ask("POST", f"/os-xloud-adjust/{SERVER}", {"vcpus": 2})
    yield "status", ask("GET", f"/servers/{SERVER}/xloud-status")


if sys.argv[1:] == ["serve"]:
    serve()
else:
    prepare()
    with subprocess.Popen([sys.executable, __file__, "serve"]) as running:
        try:
            wait(running)
            print("ANSWERS " + json.dumps(dict(answers())))
        finally:
            running.kill()
