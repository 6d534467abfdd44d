"""Kolla from the package index: it takes what `nova-xloud kolla` writes, and its images answer."""
