"""Packages of a tree, and what they are built for: deb, rpm and wheel."""
