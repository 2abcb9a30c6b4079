"""``snntoolbox compare``: one network on several simulators, spike by spike."""

from __future__ import annotations

import argparse

from snntoolbox.ir.foreign import shown
from snntoolbox.workflow.commands.outcome import Outcome
from snntoolbox.workflow.commands.shared_options import add_config, add_force, columns, set_log_level


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which simulators, and how many samples."""
    add_config(parser)
    parser.add_argument(
        "--simulators", required=True, metavar="A,B,...", help="which; the first that runs is the reference"
    )
    parser.add_argument("--samples", type=int, metavar="N", help="how many test samples (num_to_test)")
    add_force(parser, "take a network that is too large for a simulator")


def execute(options: argparse.Namespace) -> Outcome:
    """Exit code 0 if all ran and no raster differs beyond rounding, 1 if one does, 2 if a simulator did not finish."""
    from snntoolbox.workflow.config.load import load_config
    from snntoolbox.workflow.report.comparison_table import in_words, population_table, side_table
    from snntoolbox.workflow.stories.compare import compare_settings

    samples = [] if options.samples is None else [f"simulation.num_to_test={options.samples}"]
    settings = load_config(options.config, [*options.set, *samples])
    set_log_level(settings.output.verbose)
    simulators = [name.strip() for name in options.simulators.split(",") if name.strip()]
    comparison, folder = compare_settings(settings, simulators, force=options.force)
    compared = any(side.compared for side in comparison.sides)
    width = columns()
    print(side_table(comparison, width), end="\n\n")
    if compared:
        print(population_table(comparison, width), end="\n\n")
    print(in_words(comparison, width))
    print(f"Report: {shown(folder / 'compare.json')}\nPage:   {shown(folder / 'report.html')}")
    if compared and not comparison.as_expected:
        return Outcome(folder / "compare.json", code=1)
    return Outcome(folder / "compare.json", code=0 if comparison.complete else 2)
