"""The way from a model to spikes in three calls: `load`, `convert`, `simulate`."""

from snntoolbox.conversion.converting import convert, spiking
from snntoolbox.conversion.exiting import chosen_exit, shortfall
from snntoolbox.conversion.loading import TOLERANCE, check_on_probe, compare_outputs, load, simplify
from snntoolbox.conversion.lowering import lower
from snntoolbox.conversion.recipe import USUAL_START, Recipe
from snntoolbox.conversion.samples import checked_arrays
from snntoolbox.conversion.scaling import Progress, choose_scales
from snntoolbox.conversion.settling import Settled, candidates, settle
from snntoolbox.conversion.simulating import simulate, simulate_batches

__all__ = [
    "TOLERANCE",
    "USUAL_START",
    "Progress",
    "Recipe",
    "Settled",
    "candidates",
    "check_on_probe",
    "checked_arrays",
    "choose_scales",
    "chosen_exit",
    "compare_outputs",
    "convert",
    "load",
    "lower",
    "settle",
    "shortfall",
    "simplify",
    "simulate",
    "simulate_batches",
    "spiking",
]
