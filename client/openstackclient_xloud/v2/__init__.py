"""The commands for version 2 of the Compute API."""
