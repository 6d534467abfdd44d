"""A real OpenStack with real guests: what is promised, asked of everything that can tell."""
