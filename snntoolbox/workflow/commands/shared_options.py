"""Options and habits that several commands share."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
from pathlib import Path

WIDTH = 80
"""Columns of tables that go to a file or a pipe."""

_LEVELS = (logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)
"""What is logged for each [output] verbose."""


def add_config(parser: argparse.ArgumentParser, *, or_model: bool = False) -> None:
    """The configuration file, and keys that it is overridden by; a model file in its place where that is enough."""
    model = ", or a model file for the default settings" if or_model else ""
    parser.add_argument("config", type=Path, help=f"the configuration file{model}")
    add_set(parser, "override one key")


def add_set(parser: argparse.ArgumentParser, meaning: str) -> None:
    """Keys of the configuration on the command line."""
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help=meaning)


def add_force(parser: argparse.ArgumentParser, meaning: str) -> None:
    """Do it all the same."""
    parser.add_argument("--force", action="store_true", help=meaning)


def set_log_level(verbose: int) -> None:
    """Log what [output] verbose asks for."""
    logging.getLogger().setLevel(logging.WARNING if verbose else logging.ERROR)
    logging.getLogger("snntoolbox").setLevel(_LEVELS[verbose])


def columns() -> int:
    """How wide tables and paragraphs are: as the terminal, else `WIDTH`."""
    known = sys.stdout.isatty() or os.environ.get("COLUMNS")
    return shutil.get_terminal_size().columns if known else WIDTH
