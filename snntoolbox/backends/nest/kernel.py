"""What NEST's neurons and kernel need to be exact on discrete steps of 1 ms."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from snntoolbox.errors import BackendError
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.part import Part
from snntoolbox.ir.parts import (
    BinarySpikes,
    ConstantThreshold,
    Delta,
    Leak,
    PerfectIntegrator,
    RefractoryPeriod,
    Subtract,
    ToPotential,
)

MODELS: Mapping[type[Part], str] = {Subtract: "eprop_iaf", ToPotential: "iaf_psc_delta"}
"""The neuron of NEST that is exact for each reset; the others lose the residue, or fire on > instead of >=."""

NO_LEAK = 1e300
"""A membrane time constant in ms at which nothing leaks: an infinite one gives NaN."""


def quiet_nest() -> ModuleType:
    """NEST, imported without its banner and with errors alone reported; BackendError where it is not installed."""
    before = os.environ.get("PYNEST_QUIET")
    os.environ["PYNEST_QUIET"] = "1"
    try:
        import nest
    except ImportError as error:
        raise BackendError(f"NEST cannot be imported: {error}", hint="pip install 'snntoolbox[nest]'") from error
    finally:
        if before is None:
            del os.environ["PYNEST_QUIET"]
        else:
            os.environ["PYNEST_QUIET"] = before
    nest.verbosity = nest.VerbosityLevel.ERROR
    module: ModuleType = nest
    return module


def time_constant(leak: float) -> float:
    """The tau in ms for which exp(-1 ms / tau) is `leak`, to the last bit where there is such a tau."""
    if leak == 1:
        return NO_LEAK
    tau = -1 / math.log(leak)
    # Rounding of log and division can leave exp a bit off; a neighbour of tau hits it.
    near = (tau + k * math.ulp(tau) for k in sorted(range(-64, 65), key=abs))
    return next((t for t in near if math.exp(-1 / t) == leak), tau)


PARTS: Mapping[type[Part], Callable[[Any], dict[str, float]]] = {
    Delta: lambda part: {},
    PerfectIntegrator: lambda part: {"tau_m": NO_LEAK},
    Leak: lambda part: {"tau_m": time_constant(part.factor)},
    ConstantThreshold: lambda part: {},
    BinarySpikes: lambda part: {},
    Subtract: lambda part: {},
    ToPotential: lambda part: {"V_reset": part.potential},
    RefractoryPeriod: lambda part: {"t_ref": float(part.steps)},
}
"""The parameters of NEST's neurons that stand for each part; a threshold is set neuron by neuron."""


def parameters(neuron: IF) -> dict[str, float]:
    """What all neurons of a population share in NEST's names.

    V is 0 before the first step: a potential to start from is delivered with the first step's input.
    """
    shared = {"E_L": 0.0, "V_m": 0.0, "C_m": 1.0, "I_e": 0.0, "t_ref": 0.0, "V_th": 1e300}
    for part in neuron.parts:
        shared |= PARTS[type(part)](part)
    return shared


def model(neuron: IF) -> str:
    """NEST's name of the neuron."""
    return MODELS[type(neuron.parts.reset)]
