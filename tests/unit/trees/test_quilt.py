from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import CHANGE_FILE, NOVA_FILE, PATH

from nova_xloud import bases
from nova_xloud.ground.patches import Patch
from nova_xloud.trees import quilt, tree


def series(nova: Path) -> tuple[list[tree.Ours], list[Patch]]:
    files = tree.compose(bases.describe(nova), nova).files
    return files, quilt.series(files)


def apply(patches: list[Patch], to: Path) -> None:
    for patch in patches:
        subprocess.run(
            ["patch", "-F0", "-p1", "--batch", "--directory", str(to)],
            input=patch.content,
            check=True,
            stdout=subprocess.PIPE,
        )


def test_the_series_gives_the_bytes_of_the_tree(nova: Path, ours: Path, tmp_path: Path) -> None:
    far = "".join(f"\n\ndef f{n}():\n    pass\n" for n in range(20))
    (nova / PATH).write_text(NOVA_FILE + far + "\n# no newline at the end")
    files, patches = series(nova)
    patched = tmp_path / "patched"
    shutil.copytree(nova, patched)
    apply(patches, patched)
    for each in files:
        assert (patched / each.path).read_bytes() == each.content
    assert not list(patched.rglob("*.orig")), "a hunk applied only with an offset"


def test_a_file_without_final_newline_is_patched(nova: Path, ours: Path, tmp_path: Path) -> None:
    (nova / PATH).write_text(NOVA_FILE.rstrip("\n"))
    files, patches = series(nova)
    assert b"\\ No newline at end of file" in patches[1].content
    apply(patches, nova)
    assert (nova / PATH).read_bytes() == files[0].content


def test_the_patches_only_add(nova: Path, ours: Path) -> None:
    for patch in series(nova)[1]:
        removed = [
            line
            for line in patch.content.splitlines()
            if line.startswith(b"-") and not line.startswith(b"---")
        ]
        assert removed == []


def test_there_is_one_patch_for_additions_and_one_for_each_changed_file(
    nova: Path, ours: Path
) -> None:
    assert [each.name for each in series(nova)[1]] == [
        "xloud/additions.patch",
        "xloud/nova-compute-manager.py.patch",
        "xloud/setup.cfg.patch",
    ]


def test_a_patch_is_described_by_its_change_file(nova: Path, ours: Path) -> None:
    (ours / "changes" / PATH).write_text(
        CHANGE_FILE.replace('start."""', 'start.\n\nWhy:\n  so.\n"""')
    )
    _, (_, manager, setup) = series(nova)
    assert manager.content.startswith(
        b"Description: Servers are adjusted when they start.\n .\n Why:\n so.\n"
        b"Author: nova-xloud\nForwarded: not-needed\n---\n--- a/nova/compute/manager.py\n"
    )
    assert setup.content.startswith(b"Description: Our validators.\nAuthor")


def test_the_text_for_a_section_is_no_description(tmp_path: Path) -> None:
    change = tmp_path / "index.rst"
    change.write_text('.. weave: after section "Title"\n.. toctree::\n\n   page\n')
    assert quilt.description(change) == ["Entries of nova-xloud in index.rst"]
    change.write_text(".. Says why.\n" + change.read_text())
    assert quilt.description(change) == ["Says why."]


def test_a_form_feed_ends_no_line(nova: Path, ours: Path) -> None:
    (nova / PATH).write_text(NOVA_FILE.replace("import os\n", "import os\n\f\n# \x1c \u2028\n"))
    files, patches = series(nova)
    apply(patches, nova)
    assert (nova / PATH).read_bytes() == files[0].content


def test_the_series_is_the_same_every_time(nova: Path, ours: Path) -> None:
    assert series(nova) == series(nova)


@pytest.mark.parametrize(
    ("old", "new", "hunk"),
    [
        ([], ["a\n"], "@@ -0,0 +1,1 @@\n+a\n"),
        (["a\n"], ["b\n", "a\n"], "@@ -1,1 +1,2 @@\n+b\n a\n"),
        (["a\n"], ["a\n", "b"], "@@ -1,1 +1,2 @@\n a\n+b\n\\ No newline at end of file\n"),
    ],
)
def test_hunks(old: list[str], new: list[str], hunk: str) -> None:
    assert "".join(quilt._hunks(old, new)) == hunk
