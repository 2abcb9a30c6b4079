"""Runs a configuration: ``from snntoolbox.bin.run import main``, or this module with a configuration behind it."""

from snntoolbox.workflow import cli
from snntoolbox.workflow.main import main

__all__ = ["main"]

if __name__ == "__main__":
    cli.program()
