"""The openstack command with our plugin, as the people of the cloud run it.

It is the command of the virtual environment of the tests, with the newest client of the package
index. tests/packages runs the plugin with the clients of the distributions.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from tests.system import settings

_COMMAND = Path(sys.executable).with_name("openstack")
_SECONDS = 300


class Done(NamedTuple):
    """The outcome of a command.

    :ivar ended: when it ended, in seconds since 1970
    """

    code: int
    out: str
    err: str
    ended: float

    @property
    def told(self) -> dict[str, Any]:
        """The printed output, which must be JSON."""
        return dict(json.loads(self.out))


def environment(user: str, project: str) -> dict[str, str]:
    """Return the environment of a person of the cloud."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    return {
        **kept,
        "OS_AUTH_URL": settings.url("keystone"),
        "OS_USERNAME": user,
        "OS_PASSWORD": settings.PASSWORD,
        "OS_PROJECT_NAME": project,
        "OS_USER_DOMAIN_ID": "default",
        "OS_PROJECT_DOMAIN_ID": "default",
        "OS_REGION_NAME": settings.REGION,
        "NO_PROXY": settings.AT,
        "no_proxy": settings.AT,
    }


def openstack(*words: object, user: str = "admin", project: str = "admin") -> Done:
    """Run ``openstack`` in the network that this thread speaks in; its output is JSON."""
    command = [str(_COMMAND), *(str(word) for word in words), "-f", "json"]
    done = subprocess.run(
        command,
        env=environment(user, project),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
    )
    return Done(done.returncode, done.stdout, done.stderr, time.time())
