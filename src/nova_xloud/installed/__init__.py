"""Installed trees: check, apply, verify and roll back, in the Python that the tree itself runs in.

A Nova that pip has installed, in a virtual environment or in a container, gets our changes file by
file. The wing imports the standard library, ``weave`` and ``ground.errors``, nothing else: it
travels in one file, and runs in Python 3.8 and later.
"""
