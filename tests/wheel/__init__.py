"""The wheel: the same bytes twice, and installed over the release that it stands in for."""
