"""The page on automatic rebuilds: its script and units, as they are printed."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from nova_xloud.cli import outdated as cli_outdated
from tests.printed import DOCS, commands

PAGE = (DOCS / "automation.md").read_text()


def printed(kind: str) -> list[str]:
    """Return the blocks of the page of one kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_exit_codes_are_the_commands() -> None:
    for code in (cli_outdated.EXIT_OUTDATED, cli_outdated.EXIT_NOT_ASKED):
        assert f"| {code} |" in PAGE
    for script in printed("sh"):
        assert f"\t{cli_outdated.EXIT_OUTDATED}) ;;" in script


def test_the_units_are_ones_that_systemd_takes(tmp_path: Path) -> None:
    names = re.findall(r"^`/etc/systemd/system/(\S+)`:$", PAGE, re.MULTILINE)
    for name, text in zip(names, printed("ini"), strict=True):
        # the script is not installed where the tests run
        (tmp_path / name).write_text(
            text.replace("/usr/local/sbin/nova-xloud-rebuild", "/bin/true")
        )
    units = sorted(tmp_path.iterdir())
    assert [each.suffix for each in units] == [".service", ".timer"]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True)
    told = [line for line in done.stderr.splitlines() if "nova-xloud" in line]
    assert (done.returncode, told) == (0, [])
    reload, enable = commands("automation.md", "A timer")
    assert reload == "systemctl daemon-reload"
    assert enable.endswith(" nova-xloud-rebuild.timer")


def run_the_script(script: str, tmp_path: Path, *codes: int) -> tuple[int, list[str]]:
    """Run a printed script where ``outdated``, or what else is told, exits with codes, in turn.

    :returns: its exit code, and the commands that it has run
    """
    checkout = tmp_path / "checkout"
    (checkout / ".venv/bin").mkdir(parents=True)
    (checkout / "answers").write_text("".join(f"{code}\n" for code in codes))
    fakes = {".venv/bin/nova-xloud": "outdated", "make": "test"}
    for name, answers in fakes.items():
        fake = checkout / name
        fake.write_text(
            f'#!/bin/sh\necho "$*" >>ran\n[ "$1" = {answers} ] || exit 0\n'
            "read -r code <answers; sed -i 1d answers; exit $code\n"
        )
        fake.chmod(0o755)
    file = tmp_path / "script"
    file.write_text(script.replace("/opt/nova-xloud", str(checkout)))
    subprocess.run(["shellcheck", file], check=True)
    path = f"{checkout}:{os.environ['PATH']}"
    done = subprocess.run(["sh", file], env={"PATH": path}, cwd=checkout)
    return done.returncode, [
        line.partition(" ")[0] for line in (checkout / "ran").read_text().splitlines()
    ]


@pytest.mark.parametrize(
    ("codes", "code", "ran"),
    [
        ((0,), 0, ["outdated"]),
        ((41,), 41, ["outdated"]),
        ((1,), 1, ["outdated"]),
        ((40, 0), 0, ["outdated", "build", "mirror", "outdated"]),
        ((40, 40), 40, ["outdated", "build", "mirror", "outdated"]),
    ],
)
def test_the_script_builds_only_when_it_must(
    tmp_path: Path, codes: tuple[int, ...], code: int, ran: list[str]
) -> None:
    assert run_the_script(printed("sh")[0], tmp_path, *codes) == (code, ran)


@pytest.mark.parametrize(
    ("codes", "code", "ran"),
    [
        ((0,), 0, ["outdated"]),
        ((41,), 41, ["outdated"]),
        ((40, 2), 2, ["outdated", "test"]),
        ((40, 0, 0), 0, ["outdated", "test", "mirror", "outdated"]),
        ((40, 0, 40), 40, ["outdated", "test", "mirror", "outdated"]),
    ],
)
def test_the_job_gives_the_mirror_what_is_tested(
    tmp_path: Path, codes: tuple[int, ...], code: int, ran: list[str]
) -> None:
    assert run_the_script(printed("sh")[1], tmp_path, *codes) == (code, ["setup", *ran])
