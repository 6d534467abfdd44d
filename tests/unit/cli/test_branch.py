"""What `nova-xloud branch` says; tests/unit/trees tests the branches."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner
from conftest import git

from nova_xloud.cli import main as cli


def test_it_says_what_is_written_and_what_to_do_next(checkout: Path, ours: Path) -> None:
    git(checkout, "tag", "34.9.0")
    result = CliRunner().invoke(cli.main, ["branch", str(checkout), "mine"])
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        "Nova 34.9.0: branch mine written, 3 commits of ours:",
        f"  {git(checkout, 'rev-parse', 'mine')}",
        "Next: push mine, with the tags of Nova. OpenStack-Ansible takes that commit; see "
        "docs/openstack-ansible.md.",
    ]


def test_a_directory_that_is_missing_is_told() -> None:
    result = CliRunner().invoke(cli.main, ["branch", "nowhere"])
    assert result.exit_code == 2
    assert "'nowhere' does not exist" in result.output
