"""The scenarios that only apt and dpkg have, and the labs of their targets."""
