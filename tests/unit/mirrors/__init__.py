"""Tests of the wing mirrors: a module for each module of the wing."""
