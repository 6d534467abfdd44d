"""Tests of the wing cli: a module for each module of the wing."""
