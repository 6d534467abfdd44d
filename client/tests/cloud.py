"""A cloud of one server and one flavor, as the API of Identity and Compute shows it.

The cloud answers over HTTP on the loopback interface. A test scripts its answers: it has
no logic of the Compute service.
"""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

SERVER = "11111111-2222-3333-4444-555555555555"
FOREIGN = "66666666-7777-8888-9999-000000000000"
FLAVOR = "f1"
REQUEST = "req-aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
STATUS = {
    "current_vcpus": 1,
    "current_memory_mb": 1024,
    "min_vcpus": 1,
    "min_memory_mb": 1024,
    "max_vcpus": 4,
    "max_memory_mb": 4096,
    "balloon_driver_active": True,
    "attached_dimms_mb": 0,
    "has_virtiomem": False,
}
_PROJECT = "p1"


def event(result: str | None, details: str | None = None) -> dict[str, Any]:
    """Return an event of a server action; a result of None: it goes on."""
    return {
        "event": "compute_xloud_adjust",
        "start_time": "2026-11-27T12:00:00.000000",
        "finish_time": None if result is None else "2026-11-27T12:00:02.000000",
        "result": result,
        "details": details,
    }


class Cloud:
    """The cloud of a test.

    :ivar address: of its Identity service
    :ivar posts: the requests that would change something: path, microversion, body
    :ivar refusal: status, kind and message of the answer to each such request; None: accepted
    :ivar actions: the answers to one question after the other for the server action: its events,
        or a status with an error; the last one stays
    :ivar status: the answer of xloud-status
    :ivar busy: for how many further looks the server stays in the adjust's task state
    :ivar is_xloud: False: the Compute service is unmodified Nova's
    :ivar is_admin: whether the user may look at all projects
    :ivar has_twins: whether each server has another one of its name
    :ivar ended: when the first answer with the end of the action was sent, by time.monotonic
    """

    def __init__(self) -> None:
        self.posts: list[tuple[str, str, Any]] = []
        self.refusal: tuple[int, str, str] | None = None
        self.actions: list[Any] = [404]
        self.status = dict(STATUS)
        self.specs: dict[str, str] = {}
        self.keeps_specs = True
        self.busy = 0
        self.is_xloud = True
        self.is_admin = False
        self.has_twins = False
        self.ended = 0.0
        handler = type("Handler", (_Handler,), {"cloud": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a user of it."""
        return {
            "OS_AUTH_URL": f"{self.address}/identity/v3",
            "OS_USERNAME": "u",
            "OS_PASSWORD": "p",
            "OS_PROJECT_NAME": "p",
            "OS_USER_DOMAIN_ID": "default",
            "OS_PROJECT_DOMAIN_ID": "default",
            "OS_IDENTITY_API_VERSION": "3",
            "OS_REGION_NAME": "R",
            "NO_PROXY": "127.0.0.1",
            "COLUMNS": "200",
        }

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, url: str, version: str, body: Any) -> tuple[int, Any]:
        """Return the status and the body of an answer."""
        parts = urlsplit(url)
        path, query = parts.path, parse_qs(parts.query)
        if path.startswith("/identity"):
            return self._identity(method, path)
        path = path[len("/compute") :] if path.startswith("/compute") else path
        if path in ("", "/", "/v2.1", "/v2.1/"):
            return 200, self._versions(path)
        path = path[len("/v2.1") :]
        if method == "POST":
            return self._post(path, version, body)
        return self._get(path, query)

    def _identity(self, method: str, path: str) -> tuple[int, Any]:
        if method == "POST" and path.endswith("/auth/tokens"):
            return 201, {"token": self._token()}
        version = {
            "id": "v3.14",
            "status": "stable",
            "links": [{"rel": "self", "href": f"{self.address}/identity/v3/"}],
            "media-types": [],
        }
        return 200, {"version": version} if "v3" in path else {"versions": {"values": [version]}}

    def _token(self) -> dict[str, Any]:
        def service(kind: str, url: str) -> dict[str, Any]:
            endpoint = {"interface": "public", "region_id": "R", "region": "R", "url": url}
            return {"type": kind, "name": kind, "id": kind, "endpoints": [{**endpoint, "id": kind}]}

        return {
            "methods": ["password"],
            "user": {"id": "u1", "name": "u", "domain": {"id": "default", "name": "Default"}},
            "project": {"id": _PROJECT, "name": "p", "domain": {"id": "default", "name": "D"}},
            "roles": [{"id": "r", "name": "member"}],
            "expires_at": "2099-01-01T00:00:00.000000Z",
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "catalog": [
                service("identity", f"{self.address}/identity/v3"),
                service("compute", f"{self.address}/compute/v2.1"),
            ],
        }

    def _versions(self, path: str) -> dict[str, Any]:
        version = {
            "id": "v2.1",
            "status": "CURRENT",
            "version": "2.96",
            "min_version": "2.1",
            "links": [{"rel": "self", "href": f"{self.address}/compute/v2.1/"}],
        }
        return {"version": version} if "v2.1" in path else {"versions": [version]}

    def _post(self, path: str, version: str, body: Any) -> tuple[int, Any]:
        self.posts.append((path, version, body))
        if path.startswith("/os-xloud-adjust/") and not self.is_xloud:
            return 404, {"code": "404 Not Found", "message": "The resource could not be found."}
        if self.refusal:
            code, kind, message = self.refusal
            return code, {kind: {"code": code, "message": message}}
        if path.startswith("/os-xloud-adjust/"):
            return 202, {}
        if self.keeps_specs:
            self.specs.update(body["extra_specs"])
        return 200, {"extra_specs": body["extra_specs"]}

    def _get(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        if path.endswith("/xloud-status"):
            if not self.is_xloud:
                return 404, {"code": "404 Not Found", "message": "The resource could not be found."}
            known = (SERVER, FOREIGN)
            if path.split("/")[2] in known:
                return 200, {"xloud_status": self.status}
            return 404, _fault("Instance could not be found.")
        if "/os-instance-actions/" in path:
            return self._action()
        if path.startswith("/flavors"):
            return self._flavors(path)
        return self._servers(path, query)

    def _action(self) -> tuple[int, Any]:
        told = self.actions.pop(0) if len(self.actions) > 1 else self.actions[0]
        if isinstance(told, int):
            return told, _fault("no such action")
        if not self.ended and told and all(each["finish_time"] for each in told):
            self.ended = time.monotonic()
        return 200, {"instanceAction": {"action": "xloud_adjust", "events": told}}

    def _flavors(self, path: str) -> tuple[int, Any]:
        flavor = {"id": FLAVOR, "name": "grow", "vcpus": 4, "ram": 4096, "disk": 1, "links": []}
        if path.endswith("/os-extra_specs"):
            return 200, {"extra_specs": self.specs}
        if path == f"/flavors/{FLAVOR}":
            return 200, {"flavor": flavor}
        if path in ("/flavors", "/flavors/detail"):
            return 200, {"flavors": [flavor]}
        return 404, _fault("Flavor could not be found.")

    def _servers(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        ours = {"id": SERVER, "name": "web1", "status": "ACTIVE", "links": []}
        theirs = {"id": FOREIGN, "name": "db1", "status": "ACTIVE", "links": []}
        if path in ("/servers", "/servers/detail"):
            everything = bool({"all_tenants", "all_projects"} & set(query))
            if everything and not self.is_admin:
                return 403, {"forbidden": {"code": 403, "message": "Policy does not allow it."}}
            listed = [ours, theirs] if everything else [ours]
            listed = [*listed, *({**each, "id": "twin"} for each in listed if self.has_twins)]
            name = query.get("name", [""])[0].strip("^$")
            return 200, {"servers": [each for each in listed if name in each["name"]]}
        for each in (ours, theirs):
            if path == f"/servers/{each['id']}":
                self.busy -= 1
                state = "xloud_adjusting" if self.busy >= 0 else None
                return 200, {"server": {**each, "OS-EXT-STS:task_state": state}}
        return 404, _fault("Instance could not be found.")


def _fault(message: str) -> dict[str, Any]:
    return {"itemNotFound": {"code": 404, "message": message}}


class _Handler(BaseHTTPRequestHandler):
    """Hands requests to the cloud."""

    cloud: Cloud
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer a question."""
        self._answer("GET")

    def do_POST(self) -> None:
        """Answer a wish."""
        self._answer("POST")

    def _answer(self, method: str) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        version = self.headers.get("OpenStack-API-Version", "").replace("compute ", "")
        code, told = self.cloud.answer(
            method, self.path, version, json.loads(content) if content else None
        )
        text = json.dumps(told).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("x-openstack-request-id", REQUEST)
        if code == 201:
            self.send_header("X-Subject-Token", "token")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
