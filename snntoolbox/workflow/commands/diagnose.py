"""``snntoolbox diagnose``: what the errors of a run come from, and which settings make them less."""

from __future__ import annotations

import argparse

from snntoolbox.workflow.commands.outcome import Outcome
from snntoolbox.workflow.commands.run import show
from snntoolbox.workflow.commands.shared_options import add_config, set_log_level


def add_options(parser: argparse.ArgumentParser) -> None:
    """The configuration file, and how long to try."""
    add_config(parser)
    parser.add_argument("--seconds", type=float, default=60.0, help="about how long to try settings (default: 60)")


def execute(options: argparse.Namespace) -> Outcome:
    """A run with its errors split, and settings tried."""
    from snntoolbox.workflow.config.load import load_config
    from snntoolbox.workflow.stories.diagnose import diagnose_settings

    needed = ["output.diagnosis=True", "tools.simulate=True", "tools.serialise_only=False"]
    settings = load_config(options.config, [*options.set, *needed])
    set_log_level(settings.output.verbose)
    done = diagnose_settings(settings, options.seconds)
    show(done, f"\n{done.diagnosis}\n")
    return Outcome(done.report)
