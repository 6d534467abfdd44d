"""The cloud's APIs, as its users and its admin speak to them, through keystoneauth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keystoneauth1.identity import v3
from keystoneauth1.session import Session

from tests.system import settings

#: Has servers without a network, and actions with the reason of a failure. Every release that we
#: support has it.
LATEST_NEEDED = "2.90"
PLACEMENT_VERSION = "1.39"
_SECONDS = 60


@dataclass(frozen=True)
class Answer:
    """The answer of a service.

    :ivar request_id: by which the server's actions name the request
    """

    status: int
    body: Any
    request_id: str

    def expect(self, status: int) -> Any:
        """Return the body.

        :raises AssertionError: another status
        """
        assert self.status == status, f"{self.status} instead of {status}: {self.body}"
        return self.body


class Api:
    """One account's view of the cloud; may be used from several threads."""

    def __init__(self, user: str, project: str) -> None:
        self.session = Session(
            auth=v3.Password(
                auth_url=settings.url("keystone"),
                username=user,
                password=settings.PASSWORD,
                project_name=project,
                user_domain_id="default",
                project_domain_id="default",
            ),
            timeout=_SECONDS,
        )

    @property
    def token(self) -> str:
        """A token of the account."""
        return str(self.session.get_token())

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        service: str = "compute",
        microversion: str | None = LATEST_NEEDED,
    ) -> Answer:
        """Send a request and return the answer, with any status.

        :param path: below the service's endpoint, e.g. ``/servers``
        :param body: sent as JSON, unless it is None
        :param microversion: None sends no header of one
        """
        answer = self.session.request(
            path,
            method,
            json=body,
            endpoint_filter={"service_type": service, "region_name": settings.REGION},
            microversion=microversion,
            raise_exc=False,
            # a request that can be repeated is sent again; no other is, or a lost one goes unseen
            connect_retries=3 if method in ("GET", "DELETE") else 0,
            # uwsgi's own HTTP ends a connection without a word: none is used twice
            headers={"Accept": "application/json", "Connection": "close"},
        )
        told = answer.json() if answer.content else None
        return Answer(answer.status_code, told, answer.headers.get("x-openstack-request-id", ""))

    def get(self, path: str, **settings: Any) -> Any:
        """Return the body of a path's answer, which must be a 200."""
        return self.request("GET", path, **settings).expect(200)

    def placement(self, path: str) -> Any:
        """Return the body of Placement's answer at a path, which must be a 200."""
        return self.get(path, service="placement", microversion=PLACEMENT_VERSION)
