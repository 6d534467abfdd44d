"""apt and dpkg: what only they have, and the labs of their targets."""
