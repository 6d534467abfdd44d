"""The requests to the Compute API, with the token of the signed-in user.

They go through keystoneauth, which every Horizon needs to sign users in: python-novaclient has no
call of nova-xloud's, and newer releases of Horizon use openstacksdk in its place.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.conf import settings
from django.utils.translation import gettext as _
from keystoneauth1 import exceptions as ksa_exceptions
from keystoneauth1 import session, token_endpoint
from openstack_dashboard.api import base

_LOG = logging.getLogger(__name__)

#: Since 2.47 a server comes with the figures of its flavor, since 2.84 an event has details; up to
#: 2.87 a hypervisor comes with the figures of its host's tracker.
VERSION = "2.84"
#: How many requests of one page are under way at once: nova-api may have few processes.
AT_ONCE = 4
#: Seconds: xloud-status waits for libvirt as long as libvirt unplugs a vCPU.
TIMEOUT = 60
#: The answers to these codes say that the API has done nothing. A 409 may say that the host has not
#: answered in time: the adjust may still happen.
_UNCHANGED = (400, 401, 403, 404)
ACTION = "xloud_adjust"
_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")


class ComputeError(Exception):
    """A request has no good answer; the text is for the user."""


class RefusedError(ComputeError):
    """The API has refused a request.

    :ivar status: of the answer, 400 to 499
    :ivar unchanged: whether the answer excludes that the request changes anything
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.unchanged = status in _UNCHANGED


class MissingError(RefusedError):
    """The API knows no such server, or no such action of the server."""


class UnansweredError(ComputeError):
    """The service failed: nobody knows whether it has changed anything."""


class SilentError(UnansweredError):
    """The service sent no answer at all. The log has the cause, which names addresses."""

    def __init__(self) -> None:
        super().__init__(_("The Compute service does not answer."))


class Compute:
    """The Compute API, as the user of a request may use it. Threads may share one."""

    def __init__(self, request: Any, timeout: float = TIMEOUT) -> None:
        """Take endpoint and token of a user.

        :param request: Django's request of a user who has signed in
        :param timeout: the seconds that an answer may take
        """
        self._url = base.url_for(request, "compute").rstrip("/")
        verify = not settings.OPENSTACK_SSL_NO_VERIFY and (settings.OPENSTACK_SSL_CACERT or True)
        self._session = session.Session(
            auth=token_endpoint.Token(self._url, request.user.token.id),
            verify=verify,
            timeout=timeout,
            app_name="xloud-dashboard",
        )

    def servers(self, *, everywhere: bool = False) -> list[dict[str, Any]]:
        """Return the servers of the project, with details: one request for each thousand.

        :param everywhere: those of all projects; an administrator's right
        """
        return self._all("/servers/detail", "servers", {"all_tenants": "1"} if everywhere else {})

    def server(self, server_id: str) -> dict[str, Any]:
        """Return a server with its details."""
        return dict(self._get(f"/servers/{server_id}", VERSION)["server"])

    def hypervisors(self) -> list[dict[str, Any]]:
        """Return the hypervisors, with the figures of their trackers: one request per thousand.

        Only an administrator may ask.
        """
        return self._all("/os-hypervisors/detail", "hypervisors", {})

    def status(self, server_id: str) -> dict[str, Any]:
        """Return the size of a server and its bounds, by the names of the API."""
        return dict(self._get(f"/servers/{server_id}/xloud-status")["xloud_status"])

    def adjust(self, server_id: str, wish: Any) -> str:
        """Ask for another size.

        :param wish: the body of the request; the API checks it
        :returns: the id of the request, by which the server action is found; "" if the answer has
            none
        """
        told = self._ask("POST", f"/os-xloud-adjust/{server_id}", body=wish).headers
        return str(told.get("x-openstack-request-id") or told.get("x-compute-request-id") or "")

    def action(self, server_id: str, request_id: str) -> dict[str, Any]:
        """Return the server action of a request, with its events."""
        path = f"/servers/{server_id}/os-instance-actions/{request_id}"
        return dict(self._get(path, VERSION)["instanceAction"])

    def adjusts(self, server_id: str, most: int) -> list[dict[str, Any]]:
        """Return the last adjusts of a server with their events, the newest first."""
        told = self._get(f"/servers/{server_id}/os-instance-actions", VERSION)["instanceActions"]
        ids = [each["request_id"] for each in told if each["action"] == ACTION][:most]
        return at_once(lambda request_id: self.action(server_id, request_id), ids)

    def _all(self, path: str, key: str, query: dict[str, str]) -> list[dict[str, Any]]:
        """Return all pages of a list.

        :param key: the name of the list in an answer
        """
        found: list[dict[str, Any]] = []
        while True:
            answer = self._get(path, VERSION, query)
            found += answer[key]
            links = answer.get(f"{key}_links") or []
            if not answer[key] or not any(link["rel"] == "next" for link in links):
                return found
            query = {**query, "marker": found[-1]["id"]}

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
            _LOG.error("no answer to %s %s: %s", method, path, error)
            raise SilentError from error
        if answer.status_code >= 400:
            raise _error(answer)
        return answer


def at_once(ask: Callable[[_Asked], _Answer], things: Iterable[_Asked]) -> list[_Answer]:
    """Ask for several things at once, but for only so many, and return the answers in order."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(ask, things))


def _error(answer: Any) -> ComputeError:
    """Return the error that an answer of 400 or more stands for."""
    status = answer.status_code
    try:
        told = answer.json()
        (kind, words), *_more = told.items()
        message = str(words["message"])
    except (ValueError, AttributeError, KeyError, TypeError):
        kind, message = "", ""
    message = message or _("The Compute service answered with the code %d.") % status
    if status >= 500:
        return UnansweredError(message)
    if status != 404:
        return RefusedError(status, message)
    if kind == "itemNotFound":
        return MissingError(status, message)
    # the service does not know the path: Nova's answer for a missing server has the kind above
    return RefusedError(
        status,
        _(
            "The Compute service of this cloud does not offer live vertical resize: its nova-api "
            "is not nova-xloud's."
        ),
    )
