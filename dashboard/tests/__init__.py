"""Tests of the plugin, in Horizon's own test settings. They run on the installed files."""
