"""Tests of the wing bases: a module for each module of the wing."""
