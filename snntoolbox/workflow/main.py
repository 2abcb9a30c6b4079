"""Runs a configuration from a script, as the command does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from snntoolbox.ir.arguments import checked
from snntoolbox.workflow.commands.run import carried_out
from snntoolbox.workflow.config.raw_config import Config


@checked
def main(config: str | Path | Config, overrides: Sequence[str] = (), *, force: bool = False) -> list[float]:
    """Run a configuration, print its tables, and return the accuracy of the run, or of each point of its sweep.

    The same as ``snntoolbox config.ini``; `config` may also be a `configparser.ConfigParser` or section -> key ->
    value. `overrides` are of the form ``section.key=value``; `force` takes a network that is too large for the
    simulator. nan where there are no labels or nothing is simulated. All else is in the ``report.json`` of the run.
    SNNToolboxError is what the command prints.
    """
    accuracies = [report["snn_accuracy"] for report in carried_out(config, overrides, force=force)]
    return [math.nan if accuracy is None else accuracy for accuracy in accuracies]
