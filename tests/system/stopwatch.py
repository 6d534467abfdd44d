"""How long a request takes: until its effect shows, and until its server action ends.

The clock starts when the request is sent. The effect is looked for from then on, whether or not
the API has answered yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median

from tests.system.api import Answer
from tests.system.server import Server
from tests.system.waiting import wait_for

#: A look at the console or at the database is cheap, and a late look would be counted.
LOOK = 0.02
_SECONDS = 600


@dataclass(frozen=True)
class Taken:
    """Seconds from the request to two points.

    :ivar effect: until its effect showed
    :ivar end: until its server action had ended, and the server was free
    """

    effect: float
    end: float


def medians(taken: Sequence[Taken]) -> Taken:
    """Return the median of each figure."""
    return Taken(median(each.effect for each in taken), median(each.end for each in taken))


def until(shown: Callable[[], object], act: Callable[[], object]) -> float:
    """Do something and return the seconds until its effect shows."""
    begun = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        acting = pool.submit(act)
        wait_for("the effect", shown, _SECONDS, LOOK)
        taken = time.monotonic() - begun
        acting.result()
    return taken


def measured(server: Server, send: Callable[[], Answer], shown: Callable[[], object]) -> Taken:
    """Send a request that has an action, and return how long it took.

    :param send: returns the answer, which must be a 202
    :param shown: says whether the effect shows
    """
    begun = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send)
        wait_for("the effect", shown, _SECONDS, LOOK)
        effect = time.monotonic() - begun
        answer = sending.result()
        answer.expect(202)
    wait_for_end(server, answer)
    return Taken(effect, time.monotonic() - begun)


def wait_for_end(server: Server, answer: Answer) -> None:
    """Wait until the action of a request has ended, and the server is free."""
    wait_for(
        f"the end of {answer.request_id}",
        lambda: server.cloud.database.ask("ended", server.id, answer.request_id),
        _SECONDS,
        LOOK,
    )
