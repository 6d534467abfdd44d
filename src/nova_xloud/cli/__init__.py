"""The command line: the only wing that prints. It knows all the others."""
