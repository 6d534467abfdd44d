"""Tests of the wing ground: a module for each module of the wing."""
