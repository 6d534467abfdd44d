"""Tests of the wing weave: a module for each module of the wing."""
