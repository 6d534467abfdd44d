"""The files for guests: one set of udev rules, as a package, vendor data and an image element."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

GUEST = Path(__file__).parents[2] / "guest"
RULES = "99-xloud-guest.rules"
IN_GUEST = f"usr/lib/udev/rules.d/{RULES}"
SHARED = "usr/share/xloud-guest"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file systems of a guest and of an operator's host."""
    place = tmp_path_factory.mktemp("installed")
    for what in ("guest", "operator"):
        command = ["make", "-s", "-C", GUEST, f"install-{what}", f"DESTDIR={place / what}"]
        subprocess.run(command, check=True)
    return place


@pytest.fixture(scope="module")
def vendor_script(installed: Path) -> str:
    """The script that cloud-init gets."""
    text = (installed / "operator" / SHARED / "vendordata.json").read_text()
    data = json.loads(text)
    assert list(data) == ["cloud-init"]
    return str(data["cloud-init"])


def test_the_guest_gets_the_rules_and_the_script_alone(installed: Path) -> None:
    guest = installed / "guest"
    files = {str(path.relative_to(guest)) for path in guest.rglob("*") if path.is_file()}
    assert files == {IN_GUEST, f"{SHARED}/apply-rules"}
    assert (guest / IN_GUEST).read_bytes() == (GUEST / RULES).read_bytes()


def test_an_operators_host_gets_no_rule_of_its_own(installed: Path) -> None:
    """A host's CPUs may be offline on purpose: Nova saves power so."""
    operator = installed / "operator"
    assert {path.name for path in operator.iterdir()} == {"usr"}
    assert {path.name for path in (operator / "usr").iterdir()} == {"share"}
    assert {path.name for path in (operator / "usr/share").iterdir()} == {"xloud-guest"}


def test_the_element_has_the_same_rules(installed: Path) -> None:
    element = installed / "operator" / SHARED / "elements/xloud-guest"
    assert (element / "static" / IN_GUEST).read_bytes() == (GUEST / RULES).read_bytes()
    assert (element / "element-deps").read_text() == "install-static\n"


def run(script: str, guest: Path) -> subprocess.CompletedProcess[str]:
    """Run the vendor data's script with a directory in the place of the guest's root."""
    for name in ("/etc/udev", "/usr/lib/udev", "/run/udev"):
        script = script.replace(name, f"{guest}{name}")
    tools = guest / "tools"
    tools.mkdir()
    (tools / "udevadm").write_text(f'#!/bin/sh\necho "$@" >>{guest}/udevadm.log\n')
    (tools / "udevadm").chmod(0o755)
    return subprocess.run(
        ["sh", "-c", script],
        env={"PATH": f"{tools}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )


def test_the_vendor_data_writes_the_same_rules(vendor_script: str, tmp_path: Path) -> None:
    run(vendor_script, tmp_path)
    assert (tmp_path / "etc/udev/rules.d" / RULES).read_bytes() == (GUEST / RULES).read_bytes()


def test_the_vendor_data_leaves_the_rules_of_the_package(
    vendor_script: str, tmp_path: Path
) -> None:
    (tmp_path / IN_GUEST).parent.mkdir(parents=True)
    (tmp_path / IN_GUEST).write_text("of a later release\n")
    run(vendor_script, tmp_path)
    assert not (tmp_path / "etc").exists()


def test_an_image_that_is_built_is_not_asked_to_follow(vendor_script: str, tmp_path: Path) -> None:
    run(vendor_script, tmp_path)
    assert not (tmp_path / "udevadm.log").exists()


def test_the_same_bytes_each_time(installed: Path, tmp_path: Path) -> None:
    subprocess.run(
        ["make", "-s", "-C", GUEST, "install-operator", f"DESTDIR={tmp_path}"], check=True
    )
    name = f"{SHARED}/vendordata.json"
    assert (tmp_path / name).read_bytes() == (installed / "operator" / name).read_bytes()
