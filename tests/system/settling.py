"""nova-xloud-settle, as an operator runs it on a host of the cloud."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.system.cloud import Cloud
from tests.system.server import Server


@dataclass(frozen=True)
class Settled:
    """The outcome of the command.

    :ivar code: its exit code
    :ivar left: the servers and the rest that it has not settled, as in its JSON
    :ivar said: the text on its standard error
    """

    code: int
    left: dict[str, Any]
    said: str

    @property
    def servers(self) -> dict[str, dict[str, Any]]:
        """The servers that are left, by id."""
        return {each["id"]: each for each in self.left["servers"]}

    def hindrance(self, server: Server) -> str | None:
        """Return why a server cannot be settled now, None if it can."""
        found: str | None = self.servers[server.id]["hindrance"]
        return found


def settle(cloud: Cloud, action: str, *options: str) -> Settled:
    """Run the command as root, as the guides say.

    :param action: ``list`` or ``apply``
    """
    command = " ".join(["nova-xloud-settle", action, "--json", *options])
    told = cloud.sh(f"code=0; {command} >/tmp/left 2>/tmp/said || code=$?; echo $code")
    said = cloud.sh("cat /tmp/said")
    code = int(told)
    assert code in (0, 1, 3), said
    return Settled(code, json.loads(cloud.sh("cat /tmp/left")), said)
