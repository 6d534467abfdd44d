"""Tests of the plugin, in Horizon's own test settings. They run on what is installed."""
