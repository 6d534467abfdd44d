"""Tests of the wing trees: a module for each module of the wing."""
