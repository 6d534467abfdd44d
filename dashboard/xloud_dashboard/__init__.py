"""Horizon panels for servers that are resized while they run."""
