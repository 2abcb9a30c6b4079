"""How many calibration samples correct, so that it takes a few passes over them however long the runs are."""

from __future__ import annotations

import sys

from snntoolbox.ir.network import SpikingNetwork

PASSES, LEAST_SAMPLES = 1.5, 1000
"""Samples times steps that are simulated are as many as so many passes of the original over the calibration samples,
or over so many samples if there are fewer."""

PASSES_FOR_READOUTS, MOST_PASSES_FOR_TRIALS = 1.2, 2.2
"""The same where read-outs alone are fitted; and the most for trials of corrections, however small a network is."""

QUICK = 0.2
"""Seconds that corrections may take in any case, by the estimate of `work`: small networks take all samples."""

FEWEST, FEWEST_FOR_READOUTS = 24, 3
"""With fewer samples corrections of layers, and of read-outs, would be more chance than mending."""


def quick_steps(network: SpikingNetwork) -> int:
    """How many samples times steps take as good as no time: any where nothing is computed, as without populations."""
    from snntoolbox.engine.fast.planning import work

    seconds = work(network)
    return int(QUICK / seconds) if seconds else sys.maxsize


def sample_steps(network: SpikingNetwork, samples: int, passes: float = PASSES) -> int:
    """How many samples times steps may be simulated where there are so many calibration samples."""
    return max(int(passes * max(samples, LEAST_SAMPLES)), quick_steps(network))


def trial_steps(network: SpikingNetwork, samples: int) -> int:
    """The same for trials of corrections, all of them together."""
    return min(sample_steps(network, samples), int(MOST_PASSES_FOR_TRIALS * max(samples, LEAST_SAMPLES)))


def correcting(network: SpikingNetwork, steps: int, samples: int, most: int) -> int:
    """How many of so many calibration samples correct layers for runs of `steps` steps, at most `most`."""
    return min(samples, most, max(FEWEST, sample_steps(network, samples) // steps))


def fitting(network: SpikingNetwork, steps: int, samples: int, most: int) -> int:
    """The same where read-outs alone are fitted."""
    fewest, passes = FEWEST_FOR_READOUTS, PASSES_FOR_READOUTS
    return min(samples, most, max(fewest, sample_steps(network, samples, passes) // steps))
