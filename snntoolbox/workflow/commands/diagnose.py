"""``snntoolbox diagnose``: what the errors of a run come from, and which settings make them less."""

from __future__ import annotations

import argparse

from snntoolbox.workflow.commands.run import run_and_show
from snntoolbox.workflow.commands.shared_options import add_config


def add_options(parser: argparse.ArgumentParser) -> None:
    """The configuration file, and how long to try."""
    add_config(parser)
    parser.add_argument("--seconds", type=float, default=60.0, help="about how long to try settings (default: 60)")


def execute(options: argparse.Namespace) -> None:
    """A run with its errors split, and settings tried."""
    from snntoolbox.workflow.config.load import load_config

    needed = ["output.diagnosis=True", "tools.simulate=True"]
    run_and_show(load_config(options.config, [*options.set, *needed]), advise=options.seconds)
