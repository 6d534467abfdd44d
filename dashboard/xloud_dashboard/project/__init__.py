"""The panel of projects."""
