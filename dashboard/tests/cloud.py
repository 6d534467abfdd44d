"""A Compute service on the loopback interface that answers what a test scripts.

It has no logic of the real one. It writes down each request, to the byte.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

SERVER = "11111111-2222-3333-4444-555555555555"
OTHER = "66666666-7777-8888-9999-000000000000"
REQUEST = "req-aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
STATUS = {
    "current_vcpus": 2,
    "current_memory_mb": 1536,
    "min_vcpus": 1,
    "min_memory_mb": 1024,
    "max_vcpus": 4,
    "max_memory_mb": 4096,
    "balloon_driver_active": True,
    "attached_dimms_mb": 0,
    "has_virtiomem": False,
    "guest_online_vcpus": None,
}


class Asked(NamedTuple):
    """A request that came."""

    method: str
    path: str
    token: str
    version: str
    body: Any


def server(number: int = 0, **more: Any) -> dict[str, Any]:
    """Return a server with a floor, as the API tells it."""
    return {
        "id": SERVER if not number else f"{number:08d}-2222-3333-4444-555555555555",
        "name": f"web{number}",
        "status": "ACTIVE",
        "OS-EXT-STS:task_state": None,
        "OS-EXT-SRV-ATTR:host": "compute1",
        "tenant_id": "1",
        "flavor": {
            "vcpus": 4,
            "ram": 4096,
            "original_name": "grow",
            "extra_specs": {"minimum_cpu": "1", "minimum_memory": "1024"},
        },
        **more,
    }


def event(result: str | None, details: str | None = None) -> dict[str, Any]:
    """Return an event of a server action; a result of None: it goes on."""
    return {
        "event": "compute_xloud_adjust",
        "start_time": "2026-11-27T12:00:00.000000",
        "finish_time": None if result is None else "2026-11-27T12:00:02.500000",
        "result": result,
        "details": details,
    }


def action(*events: dict[str, Any], request_id: str = REQUEST) -> dict[str, Any]:
    """Return a server action."""
    return {
        "action": "xloud_adjust",
        "request_id": request_id,
        "start_time": "2026-11-27T12:00:00.000000",
        "events": list(events),
    }


def refusal(status: int, kind: str, message: str) -> tuple[int, Any]:
    """Return an answer of Nova's that is an error."""
    return status, {kind: {"code": status, "message": message}}


class Cloud:
    """The service.

    :ivar answers: {method and path: (status, body)}; an unknown path is 404, as of unmodified Nova
    :ivar asked: the requests, in order
    :ivar silent: whether it answers no request at all
    :ivar names: the headers of an answer that have the id of the request
    """

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.asked: list[Asked] = []
        self.silent = False
        self.closed = threading.Event()
        self.names: tuple[str, ...] = ("x-openstack-request-id", "x-compute-request-id")
        handler = type("Handler", (_Handler,), {"cloud": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v2.1"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """End it."""
        self.closed.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    cloud: Cloud

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        path = self.path[len("/v2.1") :]
        headers = (self.headers.get("X-Auth-Token"), self.headers.get("OpenStack-API-Version"))
        told = (str(each or "") for each in headers)
        self.cloud.asked.append(Asked(self.command, path, *told, body))
        if self.cloud.silent:
            self.cloud.closed.wait(60)
            self.close_connection = True
            return
        nothing = (404, "The resource could not be found.")
        status, answer = self.cloud.answers.get(f"{self.command} {path}", nothing)
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name in self.cloud.names:
            self.send_header(name, REQUEST)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = _answer  # noqa: N815 named by http.server

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""
