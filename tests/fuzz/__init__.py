"""A fuzz of the weaver: real Nova files, mutated, are woven right or refused."""
