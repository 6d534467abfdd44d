"""The page on automatic rebuilds: its script and units, as they are printed."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from nova_xloud import cli_outdated
from tests.printed import DOCS, commands

PAGE = (DOCS / "automation.md").read_text()


def printed(kind: str) -> list[str]:
    """Return the blocks of the page of one kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_exit_codes_are_the_commands() -> None:
    for code in (cli_outdated.EXIT_OUTDATED, cli_outdated.EXIT_NOT_ASKED):
        assert f"| {code} |" in PAGE
    assert f"\t{cli_outdated.EXIT_OUTDATED}) ;;" in printed("sh")[0]


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


def run_the_script(tmp_path: Path, *codes: int) -> tuple[int, list[str]]:
    """Run the printed script where ``outdated`` exits with codes, one after the other.

    :returns: its exit code, and the commands that it has run
    """
    checkout = tmp_path / "checkout"
    (checkout / ".venv/bin").mkdir(parents=True)
    answers = "".join(f"{code}\n" for code in codes)
    (checkout / "answers").write_text(answers)
    fake = checkout / ".venv/bin/nova-xloud"
    fake.write_text(
        '#!/bin/sh\necho "$*" >>ran\n[ "$1" = outdated ] || exit 0\n'
        "read -r code <answers; sed -i 1d answers; exit $code\n"
    )
    fake.chmod(0o755)
    script = tmp_path / "rebuild"
    script.write_text(printed("sh")[0].replace("/opt/nova-xloud", str(checkout)))
    subprocess.run(["shellcheck", script], check=True)
    done = subprocess.run(["sh", script], env={"PATH": os.environ["PATH"]})
    return done.returncode, [
        line.partition(" ")[0] for line in (checkout / "ran").read_text().splitlines()
    ]


def test_the_script_builds_only_when_it_must(tmp_path: Path) -> None:
    whole = ["outdated", "build", "mirror", "outdated"]
    for number, (codes, expected) in enumerate(
        {
            (0,): (0, ["outdated"]),
            (41,): (41, ["outdated"]),
            (1,): (1, ["outdated"]),
            (40, 0): (0, whole),
            (40, 40): (40, whole),
        }.items()
    ):
        (tmp_path / str(number)).mkdir()
        assert run_the_script(tmp_path / str(number), *codes) == expected
