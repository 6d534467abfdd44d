"""The calls of nova-xloud's API, and the words of their refusals.

The calls go through openstacksdk's proxy of the Compute service. Every supported release of
python-openstackclient has this proxy in ``client_manager.sdk_connection``, whether its own commands
use python-novaclient or openstacksdk. The proxy follows the region, the interface and the endpoint
override of the user's configuration.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from openstack import exceptions as sdk_exceptions
from osc_lib import exceptions

#: Since then the events of a server action have details.
EVENTS = "2.84"
#: Since then Nova checks extra specs.
CHECKED_SPECS = "2.86"
#: The server that no cloud has.
_NOBODY = "00000000-0000-0000-0000-000000000000"
_NO_API = (
    "The Compute service of this cloud does not offer live vertical resize (os-xloud-adjust). "
    "Its nova-api is not nova-xloud's. Nothing has changed."
)
_SEVERAL = "More than one server has the name {name}: give an id."


class NotFound(exceptions.CommandError):  # type: ignore[misc]
    """The API answered that there is no such thing."""


#: The command of the client's own that shows a server action with its details.
SHOW_EVENT = f"openstack --os-compute-api-version {EVENTS} server event show"


class Server(NamedTuple):
    """A server."""

    id: str
    name: str


class Action(NamedTuple):
    """The state of a server action.

    :ivar ended: whether all of its events have ended
    :ivar result: of the last event, ``Success`` or ``Error``; "" as long as the action goes on
    :ivar details: of the last event: the sizes, or the reason of a failure
    """

    ended: bool
    result: str
    details: str


def find_server(compute: Any, name_or_id: str) -> Server:
    """Return a server, by its id or its name.

    An administrator finds the servers of all projects.

    :param compute: openstacksdk's proxy of the Compute service
    :raises osc_lib.exceptions.CommandError: if there is none, or more than one
    """
    try:
        one = compute.find_server(name_or_id, ignore_missing=True)
    except sdk_exceptions.DuplicateResource as error:
        raise exceptions.CommandError(_SEVERAL.format(name=name_or_id)) from error
    if one is not None:
        return Server(one.id, one.name)
    # openstacksdk can do that since 1.0 only
    answer = compute.get(
        "/servers", params={"name": f"^{re.escape(name_or_id)}$", "all_tenants": "1"}
    )
    found = [] if answer.status_code == 403 else _servers(answer)
    named = [each for each in found if each.name == name_or_id]
    if len(named) > 1:
        raise exceptions.CommandError(_SEVERAL.format(name=name_or_id))
    if not named:
        raise NotFound(f"No server with a name or ID of '{name_or_id}' exists.")
    return named[0]


def _servers(answer: Any) -> list[Server]:
    _check(answer)
    return [Server(each["id"], each["name"]) for each in answer.json()["servers"]]


def adjust(compute: Any, server_id: str, size: dict[str, int], *, persist: bool) -> str:
    """Ask for another size of a server.

    :param size: ``current_vcpus``, ``current_memory_mb`` in MiB, or both
    :param persist: whether the size is to outlast the next cold start
    :returns: the id of the request, which the server action has too
    :raises osc_lib.exceptions.CommandError: if it is refused. Nothing has changed then, unless the
        message says that the host has not answered in time: the adjust may still happen.
    """
    body: dict[str, Any] = dict(size)
    if not persist:
        body["persist"] = False
    answer = compute.post(f"/os-xloud-adjust/{server_id}", json=body)
    _check(answer)
    headers = answer.headers
    return str(headers.get("x-openstack-request-id") or headers.get("x-compute-request-id") or "")


def status(compute: Any, server_id: str) -> dict[str, Any]:
    """Return the size of a server and its bounds, by the names of the API.

    :raises osc_lib.exceptions.CommandError: if the API refuses to tell
    """
    answer = compute.get(f"/servers/{server_id}/xloud-status")
    _check(answer)
    return dict(answer.json()["xloud_status"])


def action(compute: Any, server_id: str, request_id: str) -> Action:
    """Return how far the server action of a request is.

    :raises NotFound: if there is none
    :raises openstack.exceptions.HttpException: if the API does not answer as it should
    """
    answer = compute.get(
        f"/servers/{server_id}/os-instance-actions/{request_id}", microversion=EVENTS
    )
    if answer.status_code == 404:
        raise NotFound(f"No server action of the request {request_id} exists.")
    sdk_exceptions.raise_from_response(answer)
    events = answer.json()["instanceAction"].get("events") or []
    if not events or any(event.get("finish_time") is None for event in events):
        return Action(False, "", "")
    return Action(True, str(events[-1].get("result")), str(events[-1].get("details") or ""))


def is_adjusting(compute: Any, server_id: str) -> bool:
    """Say whether an adjust keeps a server from its next operation."""
    answer = compute.get(f"/servers/{server_id}")
    if answer.status_code == 404:
        return False
    sdk_exceptions.raise_from_response(answer)
    return bool(answer.json()["server"].get("OS-EXT-STS:task_state") == "xloud_adjusting")


def require(compute: Any) -> None:
    """Make sure that the cloud has nova-xloud's API.

    :raises osc_lib.exceptions.CommandError: if not
    """
    _check_route(compute.get(f"/servers/{_NOBODY}/xloud-status"))


def set_extra_specs(compute: Any, flavor_id: str, specs: dict[str, str]) -> None:
    """Set extra specs of a flavor, all or none.

    :raises osc_lib.exceptions.CommandError: if they are refused; nothing has changed then
    """
    path = f"/flavors/{flavor_id}/os-extra_specs"
    _check(compute.post(path, json={"extra_specs": specs}, microversion=CHECKED_SPECS))


def extra_specs(compute: Any, flavor_id: str) -> dict[str, str]:
    """Return the extra specs that a flavor has."""
    answer = compute.get(f"/flavors/{flavor_id}/os-extra_specs")
    _check(answer)
    return dict(answer.json()["extra_specs"])


def _check_route(answer: Any) -> None:
    """Tell a path that the service does not know from a thing that it does not find."""
    if answer.status_code != 404:
        return
    try:
        known = "itemNotFound" in answer.json()
    except ValueError:
        known = False
    if not known:
        raise exceptions.CommandError(_NO_API)


def _check(answer: Any) -> None:
    """Raise an error with the words of the API, unless the answer is good."""
    _check_route(answer)
    try:
        sdk_exceptions.raise_from_response(answer)
    except sdk_exceptions.HttpException as error:
        kind = NotFound if answer.status_code == 404 else exceptions.CommandError
        words = " ".join(str(error.details or error.message).split())
        raise kind(f"{words} (HTTP {answer.status_code})") from error
