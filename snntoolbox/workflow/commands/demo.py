"""``snntoolbox demo``: convert and run the digit classifier that comes with the package."""

from __future__ import annotations

import argparse
from pathlib import Path

from snntoolbox.ir.foreign import shown
from snntoolbox.workflow.commands.outcome import Outcome
from snntoolbox.workflow.commands.run import run_and_show
from snntoolbox.workflow.commands.shared_options import set_log_level


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which of its files, and where."""
    parser.add_argument("--framework", choices=("onnx", "keras", "pytorch"), default="onnx", help="the model's format")
    parser.add_argument("--folder", type=Path, default=Path("snntoolbox-demo"), help="where to work")


def execute(options: argparse.Namespace) -> Outcome:
    """Copy its files, and run its configuration."""
    from snntoolbox.workflow import demo
    from snntoolbox.workflow.config.load import load_config

    config = demo.copy_to(options.folder, options.framework)
    print(f"Converting {shown(config)} …")
    settings = load_config(config)
    set_log_level(settings.output.verbose)
    return Outcome(run_and_show(settings))
