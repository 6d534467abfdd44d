"""The commands. No other wing prints, and none imports this one."""
