"""The rule of an early exit, chosen by a run on calibration samples."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from snntoolbox.conversion.samples import checked_arrays
from snntoolbox.early_exit import calibrated_exit
from snntoolbox.errors import DataError
from snntoolbox.ir.exits import ExitRule
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Record, Result

log = logging.getLogger(__name__)

EXIT_SAMPLES = 1000
"""At most so many calibration samples choose the margin of an early exit."""

Run = Callable[[Sequence[Array], Record], Result]


def chosen_exit(
    network: SpikingNetwork, calibration_data: Array | Sequence[Array], agreement: float, run: Run
) -> ExitRule:
    """The rule that keeps this share of the predictions, see `calibrated_exit`; `run` simulates samples.

    `calibration_data` are those that the network was converted with. The first ones have corrected it, which looks
    surer on them than it is: they are left out, as far as at least half of the samples remains. DataError where there
    is nothing to choose by.
    """
    data = checked_arrays({n: network.wiring.shapes[n] for n in network.encodings}, calibration_data, network.encodings)
    if not len(data[0]):
        raise DataError("there are no samples to calibrate an early exit on")
    first = min(network.corrected, len(data[0]) // 2)
    known = [a[first:][:EXIT_SAMPLES] for a in data]
    return calibrated_exit(run(known, Record(outputs_per_step=True)), agreement)


def shortfall(rule: ExitRule) -> str:
    """What to tell where the calibration samples were too few for the agreement; empty where they were enough."""
    if rule.assured >= rule.agreement or rule.agreement >= 1:  # nothing assures all
        return ""
    few = f"{rule.samples} calibration samples, all of them kept, assure no more than {rule.assured:.1%}"
    return f"early_exit = {rule.agreement:g}: {few}; more calibration samples (x_norm) assure more"
