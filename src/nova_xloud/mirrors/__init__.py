"""Signed mirrors of packages, for apt and for dnf."""
