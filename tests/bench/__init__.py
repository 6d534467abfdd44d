"""Figures of the builder against the distribution's own, measured in one run."""
