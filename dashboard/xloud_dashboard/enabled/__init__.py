"""The files that enable the panels: Horizon reads them from its own directory of such files."""
