"""The table of features: what networks may ask of a backend, one row each, and which of it a network does ask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from snntoolbox.ir import parts, ways_out
from snntoolbox.ir.adaptive import RateThreshold
from snntoolbox.ir.binary_digits import BinaryDigits
from snntoolbox.ir.clamping import Clamped
from snntoolbox.ir.encodings import ConstantCurrent, Encoding, Poisson, SpikeTimes, StepByStep
from snntoolbox.ir.feature import Feature, Lowering
from snntoolbox.ir.latching import Latched
from snntoolbox.ir.latency import Latency
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF, MaxGate
from snntoolbox.ir.nodes import Delay
from snntoolbox.ir.part import Part
from snntoolbox.ir.payloads import ResidueSpikes
from snntoolbox.ir.synapses import Exponential
from snntoolbox.ir.tabulating import Table
from snntoolbox.ir.uneven_digits import UnevenDigitWindow

__all__ = [
    "FEATURES",
    "Asked",
    "Feature",
    "Lowering",
    "features",
    "of_networks",
    "of_neurons",
    "of_populations",
]

Asks = Callable[[Any], bool]
"""Whether a layer asks for a feature."""


@dataclass(frozen=True)
class CodedInput:
    """An input of a network and how it is coded."""

    encoding: Encoding


@dataclass(frozen=True)
class Loop:
    """Populations and maps of a network that form a circle.

    `quick`: of more projections than its delays have steps. `instant`: without any delay.
    """

    names: tuple[str, ...]
    quick: bool = False
    instant: bool = False


Layer = Population | CodedInput | Delay | Loop | SpikingNetwork
"""All that can ask for a feature."""


def of_populations(asks: Callable[[Population], bool]) -> Asks:
    """Asked for by populations of which this holds."""
    return lambda layer: isinstance(layer, Population) and asks(layer)


def of_neurons(asks: Callable[[IF], bool]) -> Asks:
    """Asked for by populations of integrate-and-fire neurons of which this holds."""
    return of_populations(lambda population: isinstance(population.neuron, IF) and asks(population.neuron))


def of_networks(asks: Callable[[SpikingNetwork], bool]) -> Asks:
    """Asked for by networks as a whole."""
    return lambda layer: isinstance(layer, SpikingNetwork) and asks(layer)


_RECORDS = "it does not give them"

(LEAK,) = parts.Leak.features
(THRESHOLDS,) = parts.ConstantThreshold.features
SPIKE_VALUES, SIGNED_SPIKES = parts.GradedSpikes.features
(RESET_SUBTRACT,) = parts.Subtract.features
(RESET_ZERO,) = parts.ToPotential.features
(RESET_MODULO,) = parts.Modulo.features
(SATURATION,) = parts.Saturation.features
(REFRACTORY,) = parts.RefractoryPeriod.features
(WINDOWS,) = parts.FiringWindow.features
(DIGITS,) = parts.DigitWindow.features
(UNEVEN_DIGITS,) = UnevenDigitWindow.features
(FIRST_SPIKES,) = parts.FirstSpikeWindow.features
LINEAR_MAPS = Feature("linear maps, whatever the layer", by_form=True)
BRANCHES = Feature("residual and concat", by_form=True)
MAX_POOLING = Feature(
    "max pooling",
    "max pooling by a gate on spike counts",
    asked_by=of_populations(lambda population: isinstance(population.neuron, MaxGate)),
    lowered_by=Lowering("[conversion] maxpool_type = relu_tree", " (the default): a tree of comparing neurons"),
)
BIAS = Feature(
    "bias",
    asked_by=of_populations(lambda population: population.bias is not None and bool(np.any(population.bias))),
    why_not=parts.ABSENT,
)
PULSES = Feature(
    parts.PULSES,
    "pulses of current",
    asked_by=of_populations(lambda population: bool(population.pulses)),
    avoided_by=ways_out.constant_biases,
    why_not=parts.ONLY_SCHEDULES,
)
RECURRENT = Feature(
    "recurrent connections",
    "a recurrent connection",
    asked_by=lambda layer: isinstance(layer, Loop) and not layer.quick,
    avoided_by=ways_out.no_loops,
    why_not="spikes go forward alone",
)
QUICK_LOOPS = Feature(
    "loops with less delay than projections",
    "a loop with fewer steps of delay than projections",
    asked_by=lambda layer: isinstance(layer, Loop) and layer.quick,
    why_not="a spike needs a step to the next layer",
)
INSTANT_LOOPS = Feature(
    "loops without a delay",
    "a loop without a delay",
    asked_by=lambda layer: isinstance(layer, Loop) and layer.instant,
    avoided_by="a Delay of at least one step in the loop says which of its layers comes first",
)
OWN_PARTS = Feature("neuron parts from elsewhere, in numpy", why_not="its neurons are not written in Python")
DELAYS = Feature(
    "delays of one's own",
    "a delay of its own",
    asked_by=lambda layer: isinstance(layer, Delay),
    avoided_by=ways_out.no_delays,
    why_not="short arms wait for long ones, and nothing else waits",
)
(LASTING_CURRENTS,) = Exponential.features
PRODUCTS, SUMS_OF_PRODUCTS = Latched.features
(TABLES,) = Table.features
UNOPENED_TABLES = Feature(
    "tables of counts without a window",
    "a table of counts without a window",
    asked_by=of_neurons(lambda neuron: neuron.parts.transfer is not None and neuron.parts.openings is None),
    avoided_by="a `window` of these neurons, at whose first step their table is read",
)
INITIAL_POTENTIAL = Feature(
    "initial potential", asked_by=of_neurons(lambda neuron: bool(np.any(neuron.initial))), why_not=parts.ABSENT
)
CONSTANT_INPUT, TIMED_INPUT = ConstantCurrent.features
(POISSON_INPUT,) = Poisson.features
(GIVEN_SPIKES,) = SpikeTimes.features
(LATENCY_INPUT,) = Latency.features
(DIGIT_INPUT,) = BinaryDigits.features
(SEQUENCES,) = StepByStep.features
(RECURRING,) = parts.RecurringWindow.features
(PAYLOADS,) = ResidueSpikes.features
(ADAPTIVE,) = RateThreshold.features
(CLAMPED,) = Clamped.features
SIGNED_INPUT = Feature("negative input values as spikes", why_not="input spikes have no sign")
COUNTED_READOUT = Feature("read-out of spike counts", by_form=True)
DRAWN_READOUT = Feature(
    "read-out that draws spikes by a softmax",
    asked_by=of_networks(lambda network: any(readout.draws for readout in network.readouts)),
    avoided_by="[conversion] readout = linear",
    why_not="nothing there draws spikes",
)
SUMMED_READOUT = Feature("read-out of summed currents", by_form=True)
FLOAT_WEIGHTS = Feature(
    "weights that are not on an integer grid",
    asked_by=of_networks(lambda network: network.grid is None),
    lowered_by=Lowering("[conversion] weight_bits = 8, in Python convert(..., weight_bits=8)"),
)
BATCHES = Feature("samples side by side", why_not="samples run one after the other")
RECORDED_SPIKES = Feature("recording of spikes", why_not=_RECORDS)
RECORDED_POTENTIALS = Feature("recording of potentials", why_not=_RECORDS)

_TABLE: tuple[Feature, ...] = (
    *(LINEAR_MAPS, BRANCHES, MAX_POOLING, BIAS, PULSES, WINDOWS, DIGITS, UNEVEN_DIGITS, FIRST_SPIKES, RECURRING),
    *(TIMED_INPUT, SEQUENCES),
    *(DELAYS, RECURRENT, QUICK_LOOPS, LASTING_CURRENTS, PRODUCTS, SUMS_OF_PRODUCTS, TABLES),
    *(RESET_SUBTRACT, RESET_ZERO, RESET_MODULO, LEAK, REFRACTORY, INITIAL_POTENTIAL, THRESHOLDS, SATURATION),
    *(SIGNED_SPIKES, SPIKE_VALUES, OWN_PARTS),
    *(CONSTANT_INPUT, POISSON_INPUT, LATENCY_INPUT, DIGIT_INPUT, GIVEN_SPIKES, SIGNED_INPUT),
    *(COUNTED_READOUT, SUMMED_READOUT, DRAWN_READOUT, FLOAT_WEIGHTS, BATCHES, RECORDED_SPIKES, RECORDED_POTENTIALS),
)
FEATURES = tuple(dict.fromkeys([*_TABLE, *(row for part in parts.PARTS for row in part.features)]))
"""Every row, in the order of the table of simulators; parts that it has no place for come last."""


MEANINGLESS = (INSTANT_LOOPS, UNOPENED_TABLES)
"""No rows of the table: a network that asks for one has no meaning, so that every backend refuses it."""

INPUTS = frozenset({CONSTANT_INPUT, POISSON_INPUT, LATENCY_INPUT, DIGIT_INPUT, GIVEN_SPIKES, SIGNED_INPUT})
PER_NEURON = frozenset({BIAS, INITIAL_POTENTIAL, THRESHOLDS})
RESETS = frozenset({RESET_SUBTRACT, RESET_ZERO, RESET_MODULO})
RECORDINGS = frozenset({RECORDED_SPIKES, RECORDED_POTENTIALS})


class Asked(NamedTuple):
    """A layer, as the user knows it, a feature that it asks for, and all that it asks for.

    `own_part`: it is asked for by a part of neurons that the table knows nothing of.
    """

    layer: str
    feature: Feature
    company: frozenset[Feature]
    own_part: bool = False

    def among(self, held: frozenset[Feature]) -> bool:
        """Whether these hold it, in this layer."""
        return self.feature.among(held, self.company) or (self.own_part and OWN_PARTS in held)


def features(network: SpikingNetwork, more: Iterable[Feature] = ()) -> list[Asked]:
    """What each layer of a network asks for, of the table and of `more`: populations, inputs, then the whole."""
    rows, found = (*FEATURES, *MEANINGLESS, *more), list[Asked]()
    for label, layer in _layers(network):
        of_parts = _of_parts(layer)
        asked = [feature for feature in rows if feature in of_parts or feature.asked_by(layer)]
        company = frozenset([*asked, *of_parts])
        found += [Asked(label, feature, company) for feature in asked]
        found += [Asked(label, feature, company, own_part=True) for feature in of_parts if feature not in rows]
    return found


def _of_parts(layer: Layer) -> list[Feature]:
    """What the parts of a population's neurons ask for, or the coding of an input."""
    if isinstance(layer, CodedInput):
        return list(layer.encoding.asks())
    if not isinstance(layer, Population) or not isinstance(layer.neuron, IF):
        return []
    asked = dict.fromkeys(feature for part in layer.neuron.parts for feature in part.asks())
    return [*asked, *dict.fromkeys(_by_name(part) for part in layer.neuron.special if _unnamed(part))]


def _unnamed(part: Part) -> bool:
    """Whether a part from elsewhere asks for nothing that tells it from ours: a backend without it must refuse it."""
    kind = type(part)
    return kind not in parts.PARTS and ("features" not in vars(kind) or not part.asks())


def _by_name(part: Part) -> Feature:
    return Feature(f"the part {type(part).__name__}")


def _layers(network: SpikingNetwork) -> Iterator[tuple[str, Layer]]:
    """The layers under the user's own names."""
    yield from ((population.label, population) for population in network.populations.values())
    yield from ((name, CodedInput(encoding)) for name, encoding in network.encodings.items())
    yield network.name, network
    circuit = network.circuit
    yield from ((node.label, node) for node in network.wiring.nodes.values() if isinstance(node, Delay))
    if circuit.cycle:
        yield " -> ".join(circuit.cycle), Loop(circuit.cycle, instant=True)
        return
    if circuit.loop:
        yield " -> ".join(circuit.loop), Loop(circuit.loop)
    if circuit.quick_loop:
        yield " -> ".join(circuit.quick_loop), Loop(circuit.quick_loop, quick=True)
