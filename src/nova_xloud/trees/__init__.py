"""The modified Nova: a base with our additions and changes, as files and as patches."""
