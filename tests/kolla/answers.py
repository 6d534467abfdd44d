"""The answers of an image's nova-api on our routes."""

from __future__ import annotations

import json
import re
import shutil

from tests.kolla.builder import HERE
from tests.kolla.image import Image


def assert_answers(nova_api: Image) -> None:
    """Start nova-api in an image; an adjust and a status are routed, extra specs are checked."""
    shutil.copy(HERE / "probe.py", nova_api.top / "probe.py")
    _, _, answers = nova_api.says("python3 /probe.py").partition("ANSWERS ")
    told = {what: (code, json.dumps(body)) for what, (code, body) in json.loads(answers).items()}
    print(*told.items(), sep="\n")
    assert told["a floor"][0] == 200
    assert told["no number"][0] == 400
    assert "'many' is not a valid integer" in told["no number"][1]
    assert told["above the maximum"][0] == 400
    assert re.search(r"\b8\b.*\b4\b|\b4\b.*\b8\b", told["above the maximum"][1])
    assert told["adjust, unknown key"][0] == 400
    for route in ("adjust", "status"):
        assert told[route][0] == 404
        assert "11111111-2222-4333-8444-555555555555 could not be found" in told[route][1]
