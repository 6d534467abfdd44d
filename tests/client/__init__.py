"""The page about the plugin, run as printed: needs the plugin in the virtual environment."""
