"""Run inside a root, alone: give commands to the package managers, tell the outcome of each.

usage: attempts.py COMMANDS RESULTS
  COMMANDS  a JSON list of shell commands
  RESULTS   gets a JSON list: the output of each, how it ended, and each package before and after
"""

import json
import subprocess
import sys
from pathlib import Path

ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "DEBIAN_FRONTEND": "noninteractive",
    "LC_ALL": "C.UTF-8",
    "HOME": "/root",
}


def packages():
    """Return the state and version of each package that dpkg knows."""
    query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev} ${Version}\n"]
    listed = subprocess.run(query, check=True, stdout=subprocess.PIPE, text=True).stdout
    rows = (line.split() for line in listed.splitlines())
    return {row[0]: " ".join(row[1:]) for row in rows if row[1] != "un"}


def attempt(command):
    """Run a command; return its outcome."""
    before = packages()
    done = subprocess.run(
        ["sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=ENVIRONMENT,
    )
    return {
        "command": command,
        "code": done.returncode,
        "output": done.stdout,
        "before": before,
        "after": packages(),
    }


told = [attempt(command) for command in json.loads(Path(sys.argv[1]).read_text())]
Path(sys.argv[2]).write_text(json.dumps(told))
