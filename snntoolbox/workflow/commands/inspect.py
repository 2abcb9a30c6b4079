"""``snntoolbox inspect``: what a model becomes, without any data."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from snntoolbox.workflow.commands.outcome import Outcome
from snntoolbox.workflow.commands.shared_options import add_force, add_set, columns


def add_options(parser: argparse.ArgumentParser) -> None:
    """The model, and for whom."""
    parser.add_argument("model", type=Path, help="the model file")
    parser.add_argument("--maxpool-type", metavar="NAME", help="short for conversion.maxpool_type")
    parser.add_argument("--simulator", default="", metavar="NAME", help="say what this simulator could not run")
    add_force(parser, "take a network that is too large for the simulator")
    add_set(parser, "choose one key")


def execute(options: argparse.Namespace) -> Outcome:
    """Tables of layers and populations, and what is refused."""
    from snntoolbox.workflow.stories.inspect import inspect

    overrides = [*options.set, *([f"conversion.maxpool_type={options.maxpool_type}"] if options.maxpool_type else [])]
    chosen = {"simulator": options.simulator, "force": options.force}
    # The table of thresholds says itself that they follow from the weights alone.
    logging.getLogger("snntoolbox").setLevel(logging.ERROR)
    report: dict[str, Any] = {}
    for paragraph in inspect(options.model, overrides, **chosen, width=columns()):
        print(paragraph.text, flush=True)
        report |= paragraph.data
    return Outcome(report)
