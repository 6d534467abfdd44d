"""The output of `nova-xloud kolla`; tests/unit/packages tests its files."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from nova_xloud.cli import main as cli


def run(*words: object) -> Result:
    return CliRunner().invoke(cli.main, ["kolla", *map(str, words)])


def test_it_says_what_is_written_and_what_to_do_next(
    nova: Path, ours: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = run(nova, out)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        "Nova 34.9.0, for the images of Kolla 23:",
        f"  {out}/patches.conf: Kolla installs this Nova, and kolla_patch applies the patches",
        f"  {out}/source.conf: Kolla installs this Nova with our changes",
        f"Next: `kolla-build --config-file {out}/patches.conf nova`, with the options of your "
        "site; see docs/kolla.md.",
    ]


def test_a_version_is_for_a_source_without_one(tmp_path: Path) -> None:
    result = run("29.4.0", tmp_path / "out", "--version", "29.4.0")
    assert result.exit_code == 2
    assert "--version is for one base, which is a directory or an sdist" in result.output
    assert not (tmp_path / "out").exists()
