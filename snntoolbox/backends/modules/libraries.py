"""The libraries whose modules are written: what their neurons are called, and which settings give our spikes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from snntoolbox.ir import parts
from snntoolbox.ir.feature import Feature
from snntoolbox.ir.features import of_neurons
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array
from snntoolbox.ir.part import Part

_NO_FEATURES: tuple[Feature, ...] = ()

PARTS: tuple[type[Part], ...] = (
    *(parts.Delta, parts.PerfectIntegrator, parts.ConstantThreshold, parts.BinarySpikes),
    *(parts.Subtract, parts.ToPotential),
)
"""What neurons of all of them can be made of."""


@dataclass(frozen=True, kw_only=True)
class Library:
    """A library of spiking neurons on PyTorch.

    module: what must be importable to run what is written. imports: the lines at the top of the file. code: what
    stands behind them. make: the lines that make the neurons ``self.NAME``. state: what their state dict holds, by the
    end of the key. call: how they are called with a current. potential: the attribute that holds V.
    begin: V before the first step, from `initial`. tied: packages that it asks for but the neurons do not need.
    refuses: what its neurons alone cannot do.
    """

    name: str
    title: str
    module: str
    imports: tuple[str, ...]
    make: Callable[[str, IF, Array], list[str]]
    state: Callable[[IF, Array], Mapping[str, Array]]
    call: str
    potential: str
    code: str = ""
    begin: str = "{initial}"
    refuses: tuple[Feature, ...] = field(default=_NO_FEATURES)


def _reset(neuron: IF) -> float | None:
    """The potential that a spike resets to, None where it subtracts the threshold."""
    part = neuron.parts.reset
    return float(part.potential) if isinstance(part, parts.ToPotential) else None


def _shape(threshold: Array) -> str:
    return f"torch.empty({threshold.shape})"


# -- SpikingJelly ---------------------------------------------------------------------------------------------------


def _jelly(name: str, neuron: IF, threshold: Array) -> list[str]:
    reset = f"v_reset={_reset(neuron)!r}"
    if _alike(threshold):
        return [f"self.{name} = neuron.IFNode(v_threshold={float(threshold.flat[0])!r}, {reset})"]
    # The fast node takes one number; the simple one computes with a tensor in its place.
    return [
        f"self.{name} = neuron.SimpleIFNode({reset})",
        f"del self.{name}.v_threshold",
        f'self.{name}.register_buffer("v_threshold", {_shape(threshold)})',
    ]


def _alike(threshold: Array) -> bool:
    return bool(np.all(threshold == threshold.flat[0]))


SPIKINGJELLY = Library(
    name="spikingjelly",
    title="SpikingJelly",
    module="spikingjelly",
    imports=("from spikingjelly.activation_based import neuron",),
    make=_jelly,
    state=lambda neuron, threshold: {} if _alike(threshold) else {"v_threshold": threshold},
    call="self.{name}(current)",
    potential="v",
)


# -- sinabs ---------------------------------------------------------------------------------------------------------


def _sinabs(name: str, neuron: IF, threshold: Array) -> list[str]:
    reset = "MembraneSubtract()" if _reset(neuron) is None else "MembraneReset()"
    # By default a neuron fires several times in a step; ours fires once, and its potential has no lower bound.
    return [f"self.{name} = IAF({_shape(threshold)}, spike_fn=SingleSpike, reset_fn={reset}, min_v_mem=None)"]


OTHER_POTENTIAL = Feature(
    "a reset to another potential than 0",
    asked_by=of_neurons(lambda neuron: _reset(neuron) not in (None, 0.0)),
    avoided_by="[cell] v_reset = 0",
)

SINABS = Library(
    name="sinabs",
    title="sinabs",
    module="sinabs",
    imports=(
        "from sinabs.activation import MembraneReset, MembraneSubtract, SingleSpike",
        "from sinabs.layers import IAF",
    ),
    make=_sinabs,
    state=lambda neuron, threshold: {"spike_threshold": threshold, "v_mem": np.zeros(0)},
    call="self.{name}(current[:, None])[:, 0].to(current)",
    potential="v_mem",
    refuses=(OTHER_POTENTIAL,),
)


# -- snnTorch -------------------------------------------------------------------------------------------------------

_FIRE = '''

class Fire(torch.autograd.Function):
    """A spike where V >= threshold; snnTorch's own functions fire where V > threshold."""

    @staticmethod
    def forward(ctx, above):
        ctx.save_for_backward(above)
        return (above >= 0).to(above)

    @staticmethod
    def backward(ctx, gradient):
        (above,) = ctx.saved_tensors
        return gradient / (1 + (torch.pi * above) ** 2)  # the slope of an arctangent in place of the step's
'''


def _snntorch(name: str, neuron: IF, threshold: Array) -> list[str]:
    reset = "subtract" if _reset(neuron) is None else "zero"
    made = f'Leaky(beta=1.0, threshold={_shape(threshold)}, spike_grad=Fire.apply, reset_mechanism="{reset}"'
    return [f"self.{name} = {made}, init_hidden=True)"]


def _snntorch_state(neuron: IF, threshold: Array) -> Mapping[str, Array]:
    mechanism = np.asarray(0 if _reset(neuron) is None else 1)
    one = np.asarray(1.0)
    return {"threshold": threshold, "beta": one, "graded_spikes_factor": one, "reset_mechanism_val": mechanism}


BEGINS_HIGH = Feature(
    "an initial potential at its threshold beside a reset to 0",
    asked_by=of_neurons(lambda n: _reset(n) is not None and bool(np.any(np.asarray(n.initial) >= n.threshold))),
)

SNNTORCH = Library(
    name="snntorch",
    title="snnTorch",
    module="snntorch",
    imports=("from snntorch import Leaky",),
    code=_FIRE,
    make=_snntorch,
    state=_snntorch_state,
    call="self.{name}(current)",
    potential="mem",
    # A spike takes its threshold away at the beginning of the next step, from whatever lies at the threshold then: a
    # potential that begins there has to be as much higher.
    begin="{initial} + ({initial} >= self.{name}.threshold) * self.{name}.threshold",
    refuses=(OTHER_POTENTIAL, BEGINS_HIGH),
)

LIBRARIES = (SPIKINGJELLY, SINABS, SNNTORCH)
