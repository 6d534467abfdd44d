"""Follows the server action of an adjust to its end, and shows that it goes on."""

from __future__ import annotations

import time
from typing import Any, Callable

from keystoneauth1 import exceptions as ksa_exceptions
from openstack import exceptions as sdk_exceptions
from osc_lib import exceptions

from openstackclient_xloud import api

#: Seconds between two looks. The command ends within a second of the action's end.
INTERVAL = 0.4
#: How long a Compute service that does not answer is asked again, in seconds.
PATIENCE = 60.0
#: How long the server may stay in the adjust's task state when the action has ended, in seconds.
RELEASE = 10.0


def follow(
    compute: Any, server_id: str, request_id: str, tell: Callable[[float], None]
) -> api.Action:
    """Wait until the server action of a request has ended, and the server is free again.

    An adjust to the size that the server has already leaves no action: it has ended at once.

    :param tell: called between two looks, with the seconds that have gone by
    :returns: how the action has ended
    :raises osc_lib.exceptions.CommandError: if the server is gone, or the service does not answer
    """
    begun = answered = time.monotonic()
    seen = False
    while True:
        try:
            action = api.action(compute, server_id, request_id)
            answered = time.monotonic()
            seen = True
            if action.ended:
                break
        except api.NotFound:
            if seen:
                raise exceptions.CommandError(
                    f"The server has been deleted during the adjust {request_id}."
                ) from None
            return api.Action(True, "Success", "the server has this size already")
        except (ksa_exceptions.ClientException, sdk_exceptions.SDKException) as error:
            if not _may_pass(error):
                raise
            if time.monotonic() - answered > PATIENCE:
                raise exceptions.CommandError(
                    f"The Compute service has not answered for {PATIENCE:.0f} s. The adjust goes "
                    f"on there. See how it ends: {api.SHOW_EVENT} {server_id} {request_id}. "
                    f"The last answer: {error}"
                ) from error
        tell(time.monotonic() - begun)
        time.sleep(INTERVAL)
    _wait_for_release(compute, server_id)
    return action


def _may_pass(error: Exception) -> bool:
    """Say whether an error is of a service that is restarted, and not an answer to the caller."""
    code = getattr(error, "status_code", None) or getattr(error, "http_status", None)
    return code is None or code >= 500


def _wait_for_release(compute: Any, server_id: str) -> None:
    """Wait, not for long, until the next operation on the server is not refused for this one."""
    end = time.monotonic() + RELEASE
    while time.monotonic() < end:
        try:
            if not api.is_adjusting(compute, server_id):
                return
        except (ksa_exceptions.ClientException, sdk_exceptions.SDKException):
            return
        time.sleep(INTERVAL / 4)
