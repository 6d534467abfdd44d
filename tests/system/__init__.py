"""A real OpenStack with real guests: each promise is checked in all views of a server."""
