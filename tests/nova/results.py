"""Reads the record of a stestr run: one outcome per test id.

Run inside the environment of the suites (it needs stestr and python-subunit):
``python results.py REPOSITORY ANSWER`` writes a JSON object {test id: outcome}.
"""

import io
import json
import pathlib
import subprocess
import sys


def outcomes(repository):
    """Return {test id: outcome} of the last run; a test that never ended is ``lost``."""
    import subunit
    import testtools

    found = {}

    class Collector(testtools.StreamResult):
        def status(self, test_id=None, test_status=None, **kwargs):
            if test_id is None or test_status in (None, "exists"):
                return
            if test_status == "inprogress":
                found.setdefault(test_id, "lost")
            else:
                found[test_id] = test_status

    # The stored stream is of an old version; stestr itself translates it.
    command = [sys.executable, "-m", "stestr", "--repo-url", repository, "last", "--subunit"]
    stream = subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout
    case = subunit.ByteStreamToStreamResult(io.BytesIO(stream), non_subunit_name="stdout")
    case.run(Collector())
    return found


if __name__ == "__main__":
    pathlib.Path(sys.argv[2]).write_text(json.dumps(outcomes(sys.argv[1])))
