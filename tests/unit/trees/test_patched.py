"""The tree as patches: those of the base first, then ours; a change that does not fit is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import PATH

from nova_xloud import bases
from nova_xloud.ground.errors import AnchorError
from nova_xloud.ground.patches import Patch
from nova_xloud.trees import patched


def test_our_patches_follow_those_of_the_base(nova: Path, ours: Path) -> None:
    theirs = Patch("debian-from-binary.patch", b"theirs\n")
    base = bases.describe(nova)._replace(patches=(theirs,))
    made = patched.woven(base, nova)
    assert made.base == base
    assert made.patches[0] == theirs
    assert [each.name for each in made.patches[1:]] == [
        *("xloud/additions.patch", "xloud/nova-compute-manager.py.patch", "xloud/setup.cfg.patch")
    ]
    assert made.added == {"nova/xloud/size.py"}


def test_a_change_that_does_not_fit_makes_no_tree(nova: Path, ours: Path) -> None:
    (nova / PATH).write_text("class Other: ...\n")
    with pytest.raises(AnchorError, match=r"ComputeManager.*34\.9\.0"):
        patched.woven(bases.describe(nova), nova)
