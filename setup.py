"""The builder as an ordinary Python distribution; pyproject.toml describes it."""

from setuptools import setup

setup()
