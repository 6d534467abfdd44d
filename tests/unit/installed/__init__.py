"""The tests of the wing ``installed``."""
