"""Tests of the wing packages: a module for each module of the wing."""
