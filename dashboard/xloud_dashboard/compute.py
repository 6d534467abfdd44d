"""The requests to the Compute API, with the token of the signed-in user.

They go through keystoneauth, which every Horizon needs to sign users in: python-novaclient has no
call of nova-xloud's, and newer releases of Horizon use openstacksdk in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.conf import settings
from django.utils.translation import gettext as _
from keystoneauth1 import exceptions as ksa_exceptions
from keystoneauth1 import session, token_endpoint
from openstack_dashboard.api import base

#: Since 2.47 a server comes with the figures of its flavor, since 2.84 an event has details; up to
#: 2.87 a hypervisor comes with the figures of its host's tracker.
VERSION = "2.84"
#: How many requests of one page are under way at once: nova-api may have few processes.
AT_ONCE = 4
#: Seconds: xloud-status waits for libvirt as long as libvirt unplugs a vCPU.
TIMEOUT = 60
ACTION = "xloud_adjust"
_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")


class ComputeError(Exception):
    """A request has no good answer; the text is for the user."""


class RefusedError(ComputeError):
    """The API has refused a request, and has changed nothing.

    :ivar status: of the answer, 400 to 499
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class UnansweredError(ComputeError):
    """The service did not answer, or failed: whether it has changed anything is not known."""


class Compute:
    """The Compute API, as the user of a request may use it. Threads may share one."""

    def __init__(self, request: Any) -> None:
        """Take endpoint and token of a user.

        :param request: Django's request of a user who has signed in
        """
        self._url = base.url_for(request, "compute").rstrip("/")
        verify = not settings.OPENSTACK_SSL_NO_VERIFY and (settings.OPENSTACK_SSL_CACERT or True)
        self._session = session.Session(
            auth=token_endpoint.Token(self._url, request.user.token.id),
            verify=verify,
            timeout=TIMEOUT,
            app_name="xloud-dashboard",
        )

    def servers(self, *, everywhere: bool = False) -> list[dict[str, Any]]:
        """Return the servers of the project, with details: one request for each thousand.

        :param everywhere: those of all projects; an administrator's right
        """
        query = {"all_tenants": "1"} if everywhere else {}
        found: list[dict[str, Any]] = []
        while True:
            answer = self._get("/servers/detail", VERSION, query)
            found += answer["servers"]
            links = answer.get("servers_links") or []
            if not answer["servers"] or not any(link["rel"] == "next" for link in links):
                return found
            query = {**query, "marker": found[-1]["id"]}

    def server(self, server_id: str) -> dict[str, Any]:
        """Return a server with its details."""
        return dict(self._get(f"/servers/{server_id}", VERSION)["server"])

    def hypervisors(self) -> list[dict[str, Any]]:
        """Return the hypervisors, with the figures of their trackers; an administrator's right."""
        return list(self._get("/os-hypervisors/detail", VERSION)["hypervisors"])

    def status(self, server_id: str) -> dict[str, Any]:
        """Return the size of a server and its bounds, by the names of the API."""
        return dict(self._get(f"/servers/{server_id}/xloud-status")["xloud_status"])

    def adjust(self, server_id: str, wish: Any) -> str:
        """Ask for another size.

        :param wish: the body of the request; the API checks it
        :returns: the id of the request, by which the server action is found
        """
        answer = self._ask("POST", f"/os-xloud-adjust/{server_id}", body=wish)
        return str(answer.headers.get("x-openstack-request-id", ""))

    def action(self, server_id: str, request_id: str) -> dict[str, Any]:
        """Return the server action of a request, with its events."""
        path = f"/servers/{server_id}/os-instance-actions/{request_id}"
        return dict(self._get(path, VERSION)["instanceAction"])

    def adjusts(self, server_id: str, most: int) -> list[dict[str, Any]]:
        """Return the last adjusts of a server with their events, the newest first."""
        told = self._get(f"/servers/{server_id}/os-instance-actions", VERSION)["instanceActions"]
        ids = [each["request_id"] for each in told if each["action"] == ACTION][:most]
        return at_once(lambda request_id: self.action(server_id, request_id), ids)

    def _get(self, path: str, version: str = "", query: dict[str, str] | None = None) -> Any:
        return self._ask("GET", path, version, query).json()

    def _ask(
        self,
        method: str,
        path: str,
        version: str = "",
        query: dict[str, str] | None = None,
        body: Any = None,
    ) -> Any:
        headers = {"Accept": "application/json"}
        if version:
            headers["OpenStack-API-Version"] = f"compute {version}"
        try:
            answer = self._session.request(
                self._url + path,
                method,
                params=query or {},
                json=body,
                headers=headers,
                raise_exc=False,
            )
        except ksa_exceptions.ClientException as error:
            raise UnansweredError(str(error)) from error
        if answer.status_code >= 500:
            raise UnansweredError(_message(answer))
        if answer.status_code >= 400:
            raise RefusedError(answer.status_code, _message(answer))
        return answer


def at_once(ask: Callable[[_Asked], _Answer], things: Iterable[_Asked]) -> list[_Answer]:
    """Ask for several things at once, but for only so many, and return the answers in order."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(ask, things))


def _message(answer: Any) -> str:
    """Return the words of an answer that is an error."""
    try:
        told = answer.json()
        (kind, words), *_more = told.items()
        message = str(words["message"])
    except (ValueError, AttributeError, KeyError, TypeError):
        kind, message = "", ""
    if answer.status_code == 404 and kind != "itemNotFound":
        # a path that the service does not know: Nova's own answer is another one
        return _(
            "The Compute service of this cloud does not offer live vertical resize: its nova-api "
            "is not nova-xloud's."
        )
    return message or _("The Compute service answered with the code %d.") % answer.status_code
