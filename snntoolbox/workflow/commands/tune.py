"""``snntoolbox tune``: the settings that reach a target in the fewest steps."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

from snntoolbox.ir.foreign import shown
from snntoolbox.workflow.commands.outcome import Outcome
from snntoolbox.workflow.commands.shared_options import add_config, add_force, set_log_level


def add_options(parser: argparse.ArgumentParser) -> None:
    """The target, what may be varied, and how long to search."""
    add_config(parser)
    parser.add_argument("--steps", type=_numbers, default=(), metavar="N,N,...", help="numbers of time steps to try")
    parser.add_argument("--agreement", type=float, metavar="SHARE", help="fewest steps that reach it, say 0.99")
    parser.add_argument("--operations", type=float, metavar="N", help="most synaptic operations per sample")
    parser.add_argument("--budget", type=float, default=120.0, metavar="SECONDS", help="how long to try (default: 120)")
    parser.add_argument("--keep", type=_names, default=(), metavar="AXIS,...", help="what stays as it is: coding, ...")
    parser.add_argument("-o", "--output", type=Path, help="where to write (tuned.ini beside the configuration)")
    add_force(parser, "replace an existing file")


def execute(options: argparse.Namespace) -> Outcome:
    """Exit code 0, or 1 where the target is not reached."""
    from snntoolbox.analysis.tuning.tuning import tuning_text
    from snntoolbox.workflow.choices import as_key
    from snntoolbox.workflow.config.load import load_config
    from snntoolbox.workflow.stories.tune import Search, tune_config

    set_log_level(load_config(options.config, options.set).output.verbose)
    search = Search(**{field.name: getattr(options, field.name) for field in fields(Search)})
    tuned = tune_config(options.config, options.set, search=search, output=options.output, force=options.force)
    print(f"{tuning_text(tuned.tuning, as_key)}\n\nReport: {shown(tuned.folder / 'tune.json')}")
    print(f"Page:   {shown(tuned.folder / 'report.html')}")
    print(f"Wrote {shown(tuned.config)}: snntoolbox {shown(tuned.config)}")
    return Outcome(tuned.folder / "tune.json", code=0 if tuned.tuning.reached else 1)


def _numbers(text: str) -> list[int]:
    """Whole numbers between commas."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a list of whole numbers such as 8,16,32") from None


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]
