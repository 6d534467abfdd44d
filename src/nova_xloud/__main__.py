"""Runs the command line as ``python -m nova_xloud``."""

from nova_xloud.cli.main import main

main(prog_name="nova-xloud")
