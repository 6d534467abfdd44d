"""Nova's documents with ours in them: guides, API reference, release notes.

``python -m tests.nova.documents`` builds them as Nova's tox.ini does, where a warning is an
error, and looks for ours in the pages.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from nova_xloud.trees import tree as trees
from tests.nova import releases as releases_
from tests.nova.environment import NovaEnvironment
from tests.nova.runs import BrokenTreeError, make_metadata, weave_tree
from tests.nova.workplace import workplace

# The directory of the documents -> {a built page: a text that it must have}.
EXPECTED = {
    "doc": {
        "admin/index.html": "xloud-adjust.html",
        "admin/xloud-adjust.html": "minimum_memory",
        "configuration/extra-specs.html": "admin/xloud-adjust.html",
    },
    "api-ref": {"index.html": "os-xloud-adjust"},
}
NOTES = [path for path in trees.paths() if path.startswith("releasenotes/notes/")]
# A repository of one commit: the theme asks git for the version, reno reads the notes from it.
_GIT = (
    "rm -rf .git && git init -q . && git add -A && "
    "git -c user.name=tests -c user.email=tests@localhost commit -q -m base"
)
_PYTHON = ("python", "-c", "import sys; from reno.main import main; sys.exit(main())")
_RENO = '"$@"'


def problems(environment: NovaEnvironment, tree: Path, part: str, log: Path) -> list[str]:
    """Build a part of the documents of a tree; return its faults.

    :param part: ``doc`` or ``api-ref``
    """
    built = tree / part / "build"
    shutil.rmtree(built, ignore_errors=True)
    sphinx = ["python", "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    if environment.run([*sphinx, f"{part}/source", f"{part}/build/html"], tree, log):
        return [f"{part} has warnings: see {log}"]
    missing = []
    for page, text in EXPECTED[part].items():
        file = built / "html" / page
        if not file.exists() or text not in file.read_text():
            missing.append(f"{part}: {page} does not have {text}")
    return missing


def problems_of_notes(environment: NovaEnvironment, tree: Path, log: Path) -> list[str]:
    """Let reno read our release notes; return their faults.

    They are alone in a repository: in one commit with all of Nova's, reno stumbles over two of
    those that have the same number.
    """
    scratch = tree / ".notes"
    shutil.rmtree(scratch, ignore_errors=True)
    for note in NOTES:
        (scratch / note).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tree / note, scratch / note)
    for arguments in ("lint", "report --output report.rst"):
        command = f"cd .notes && {_GIT} && exec {_RENO} {arguments}"
        if environment.run(["sh", "-c", command, "sh", *_PYTHON], tree, log):
            return [f"reno {arguments}: see {log}"]
    report = (scratch / "report.rst").read_text()
    return [f"reno's report does not have {note}" for note in NOTES if note not in report]


def prepare(environment: NovaEnvironment, tree: Path, log: Path) -> None:
    """Make the parts that the builds need: the tree's metadata, and a repository around it.

    :raises BrokenTreeError: if that fails
    """
    make_metadata(environment, tree, log)
    if environment.run(["sh", "-c", _GIT], tree, log):
        raise BrokenTreeError(f"no git repository in the tree: see {log}")


@click.command()
@releases_.option("main", "newest")
@click.option("--keep", type=click.Path(path_type=Path), help="keep the trees and logs there")
def main(releases: tuple[str, ...], keep: Path | None) -> None:
    """Build the documents of woven trees; exit 1 if there is a warning, or ours are not there."""
    wrong = []
    with workplace("documents", keep) as work:
        for release in releases:
            environment = NovaEnvironment(release, documents=True)
            environment.prepare()
            tree, log = work / f"tree-{release}", work / f"documents-{release}.log"
            weave_tree(release, tree)
            prepare(environment, tree, log)
            found = [each for part in EXPECTED for each in problems(environment, tree, part, log)]
            found += problems_of_notes(environment, tree, log)
            click.echo(f"{release:8} doc, api-ref, release notes: {len(found)} problems")
            wrong += [f"{release}: {each}" for each in found]
        for each in wrong:
            click.echo(f"  {each}")
        if wrong:
            raise SystemExit(1)


if __name__ == "__main__":
    main()
