"""Recipes and clean-up of roots; making one is tested in tests/packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from nova_xloud import root
from nova_xloud.errors import NotRootError

RECIPE = root.Recipe("test", "trixie", ("a", "b"), ("--hook",))


def test_a_root_is_made_anew_when_its_recipe_changes() -> None:
    for other in (
        root.Recipe("test", "forky", RECIPE.packages, RECIPE.hooks),
        root.Recipe("test", "trixie", ("a", "c"), RECIPE.hooks),
        root.Recipe("test", "trixie", RECIPE.packages, ("--other-hook",)),
    ):
        assert other.digest != RECIPE.digest
    assert root.Recipe("test", "trixie", ("b", "a"), RECIPE.hooks).digest == RECIPE.digest


def test_who_is_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(NotRootError, match="building packages needs root"):
        root.require_root("building packages")


def test_a_tree_is_removed(tmp_path: Path) -> None:
    (tmp_path / "tree/below").mkdir(parents=True)
    root.remove_tree(tmp_path / "tree")
    assert not (tmp_path / "tree").exists()
