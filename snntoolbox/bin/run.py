"""Runs a configuration: ``from snntoolbox.bin.run import main``, or this module with a configuration behind it."""

from __future__ import annotations

import sys
from pathlib import Path

from snntoolbox.workflow import cli
from snntoolbox.workflow.commands import parser
from snntoolbox.workflow.config.raw_config import Config
from snntoolbox.workflow.main import main as run

__all__ = ["main"]


def main(filepath: str | Path | Config | None = None) -> list[float]:
    """Run a configuration as `snntoolbox.main` does; without one that which the command line names.

    The accuracy of the run, or of each point of its sweep. Errors as there; a command line that is wrong ends the
    program with 2, as it does there.
    """
    if filepath is not None:
        return run(filepath)
    options = parser("run").parse_args(["run", *sys.argv[1:]])
    return run(options.config, options.set, force=options.force)


if __name__ == "__main__":
    cli.program()
