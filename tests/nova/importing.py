"""Imports modules, one after the other, and writes which cannot be imported, and why.

Runs in the environment of a release: ``python importing.py NAMES.json ANSWER.json``.
"""

import importlib
import json
import pathlib
import sys
import traceback

# Nova's commands import it before all else.
import nova.monkey_patch


def main(names, answer):
    """Import the modules that a file names; write {name: error} into another file."""
    # Some releases patch on import.
    getattr(nova.monkey_patch, "patch", lambda: None)()
    errors = {}
    for name in json.loads(pathlib.Path(names).read_text()):
        try:
            importlib.import_module(name)
        except BaseException as error:  # a module may also exit
            traceback.print_exc()
            errors[name] = f"{type(error).__name__}: {error}"
    pathlib.Path(answer).write_text(json.dumps(errors))


if __name__ == "__main__":
    main(*sys.argv[1:])
