"""Packages of the tree, one module for each format, and the targets they are built for."""
