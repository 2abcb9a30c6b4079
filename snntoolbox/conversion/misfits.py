"""Which choices of a conversion do not go together, whatever the model is, and the settings that mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from snntoolbox.conversion.lowering.shared_values import Neurons
from snntoolbox.conversion.schedules.radix import Radix
from snntoolbox.conversion.schedules.rate import Rate
from snntoolbox.conversion.schedules.registry import SCHEDULES
from snntoolbox.conversion.schedules.schedule import Schedule
from snntoolbox.ir.binary_digits import BinaryDigits
from snntoolbox.ir.encodings import ConstantCurrent, Encoding, Poisson, SpikeTimes
from snntoolbox.ir.latency import Latency
from snntoolbox.ir.neurons import IF, Negative, Reset


@dataclass(frozen=True)
class Chosen:
    """What must go together of a `Recipe`, under the names that it has there."""

    neuron: IF
    encoding: Encoding
    weight_bits: int
    schedule: str
    max_pool: str
    bias: str
    bias_relaxation: bool
    readout: str
    delay: int
    clamps: tuple[tuple[str, int], ...]
    bits: Mapping[str, int] | tuple[tuple[str, int], ...]
    neurons_per_value: Neurons

    @property
    def fires(self) -> Schedule:
        """The schedule."""
        return SCHEDULES[self.schedule]


def misfits(chosen: Chosen) -> list[str]:
    """What does not go together, a clause each."""
    rows = (_of_firing, _of_biases, _of_grids, _of_pools)
    return [*chosen.fires.misfits(chosen), *(words for row in rows for words in row(chosen))]


def _of_firing(chosen: Chosen) -> Iterator[str]:
    """What is for layers that fire all the time."""
    schedule = chosen.fires
    if not schedule.always_fires:
        if chosen.bias == "neuron":
            yield f"bias = neuron is for layers that fire all the time, not for schedule = {schedule.name}"
        if any(steps for _, steps in chosen.clamps):
            yield f"clamps are for layers that fire all the time, not for schedule = {schedule.name}"
        if chosen.readout == "softmax":
            yield f"readout = softmax draws in every step, which schedule = {schedule.name} gives no meaning"
        if chosen.bias_relaxation:
            yield f"bias_relaxation needs schedule = rate: {schedule.name} adds biases before layers fire"
    if chosen.bits and schedule.name != Radix.name:
        yield f"bits are binary digits, a step each, which schedule = {schedule.name} has none of"
    if chosen.neurons_per_value and not schedule.in_turn:
        yield f"several neurons for each value need windows, which schedule = {schedule.name} has none of"
    if chosen.delay and not (schedule.rates and schedule.always_fires):
        yield f"a delay of its own needs schedule = rate: {schedule.name} says itself when spikes count"


def _of_biases(chosen: Chosen) -> Iterator[str]:
    """What does not go with the spikes of a neuron as biases."""
    if chosen.bias == "neuron" and any(chosen.neuron.synaptic):
        yield "bias = neuron needs spikes that act at once (no tau_syn_E, tau_syn_I): biases come late"
    if chosen.bias == "neuron" and chosen.bias_relaxation:
        yield "bias_relaxation needs bias = current: the spikes of a neuron come in every step alike"


def _of_grids(chosen: Chosen) -> Iterator[str]:
    """What no integers are."""
    neuron, schedule = chosen.neuron, chosen.fires
    if not chosen.weight_bits:
        return
    if any(level != int(level) for level in (*neuron.levels, *schedule.levels)):
        theirs = f"; {schedule.name} ones do not" if any(level != int(level) for level in schedule.levels) else ""
        yield f"weight_bits needs spikes that carry whole numbers of thresholds{theirs}"
    if neuron.saturation is not None:
        yield "weight_bits needs neurons without limits of their potential (v_limits)"
    if any(neuron.synaptic):
        yield (
            "weight_bits needs spikes that act at once (no tau_syn_E, tau_syn_I): of what fades a share that is no "
            "whole number remains, so that no grid of integers holds it"
        )
    if neuron.leak != 1:
        yield "weight_bits needs neurons without leak: a share of a whole number is none"
    if neuron.reset is Reset.ZERO and neuron.reset_potential:
        yield "weight_bits needs a reset to 0 (v_reset)"
    for words in neuron.special_words:
        yield f"weight_bits needs neurons without {words}, which are no whole numbers"


def _of_pools(chosen: Chosen) -> Iterator[str]:
    """What a circuit that counts spikes cannot count."""
    if chosen.max_pool == "wta" and chosen.neuron.graded:
        yield "max_pool = wta counts plain spikes, without levels, signs and payloads"


# -- what to change -------------------------------------------------------------------------------------------------

Change = Callable[[Chosen], Chosen]

_RATE = f"[conversion] schedule = {Rate.name}"


def _neuron(**plain: object) -> Change:
    return lambda chosen: replace(chosen, neuron=replace(chosen.neuron, **plain))  # type: ignore[arg-type]


def _input(kind: type[Encoding]) -> Change:
    def change(chosen: Chosen) -> Chosen:
        return replace(chosen, encoding=ConstantCurrent()) if isinstance(chosen.encoding, kind) else chosen

    return change


def _choice(**plain: object) -> Change:
    return lambda chosen: replace(chosen, **plain)  # type: ignore[arg-type]


_CHANGES: Mapping[str, Change] = {
    "[cell] reset = subtract": _neuron(reset=Reset.SUBTRACT),
    "[cell] v_reset = 0 (v_rest, where that is set)": _neuron(reset_potential=0.0),
    "[cell] leak = False": _neuron(leak=1.0),
    "[cell] tau_refrac = 0": _neuron(refractory=0),
    "[cell] v_limits left empty": _neuron(saturation=None),
    "[cell] tau_syn_E = 0.01 and tau_syn_I = 0.01": _neuron(synaptic=(0.0, 0.0)),
    "[cell] spikes = unsigned": _neuron(negative=Negative.NEVER),
    "[cell] levels = [1]": _neuron(levels=(1.0,)),
    "[cell] spikes = unsigned and levels = [1]": _neuron(negative=Negative.NEVER, levels=(1.0,)),
    "[cell] delay = 0": _choice(delay=0),
    "[cell] bias_relaxation = False": _choice(bias_relaxation=False),
    "[conversion] bias = current": _choice(bias="current"),
    "[conversion] readout = linear": _choice(readout="linear"),
    "[conversion] maxpool_type = relu_tree": _choice(max_pool="relu_tree"),
    "[conversion] weight_bits = 0": _choice(weight_bits=0),
    "[paths] filename_clamp_indices left out": _choice(clamps=()),
    "[conversion] bits = {}": _choice(bits=()),
    "[conversion] neurons_per_value = 1": _choice(neurons_per_value=()),
    "[input] poisson_input = False": _input(Poisson),
    "[input] latency_input = False": _input(Latency),
    "[input] digit_input = False": _input(BinaryDigits),
    "frames of the events instead of them (x_test.npz)": _input(SpikeTimes),
    f"[conversion] schedule = {Radix.name}": lambda c: replace(c, schedule=Radix.name) if _digits(c) or c.bits else c,
    _RATE: _choice(schedule=Rate.name),
}


def _digits(chosen: Chosen) -> bool:
    return isinstance(chosen.encoding, BinaryDigits) and chosen.schedule == Rate.name


_KEPT: ContextVar[frozenset[str]] = ContextVar("the choices that no remedy changes", default=frozenset())


@contextmanager
def keeping(*names: str) -> Iterator[None]:
    """Inside the block no remedy changes these choices: what is to take the network needs them as they are."""
    token = _KEPT.set(_KEPT.get() | {*names})
    try:
        yield
    finally:
        _KEPT.reset(token)


def remedy(chosen: Chosen) -> str:
    """For each misfit the settings of which any one leaves it and no other; first of all those that leave none."""
    wrong = misfits(chosen)
    changed = {text: change(chosen) for text, change in {**_CHANGES, **_special(chosen)}.items()}
    left = {text: misfits(other) for text, other in changed.items() if _keeps(chosen, other)}
    ways = {words: [text for text, rest in left.items() if _mends(words, rest, wrong)] for words in wrong}
    for texts in ways.values():  # of two settings together and one of them alone, the one
        texts[:] = [text for text in texts if not any(_within(one, text) for one in texts)]
    for_all = [text for text in _common(ways) if len(ways) > 1]
    each = [" or ".join(own) for texts in ways.values() if (own := [t for t in texts if t not in for_all])]
    together = " or ".join(for_all)
    told = f"or {together}, which mends all of it" if together and each else together
    return "; ".join(filter(None, [*dict.fromkeys(each), told]))


def _keeps(chosen: Chosen, other: Chosen) -> bool:
    return all(getattr(chosen, name) == getattr(other, name) for name in _KEPT.get())


def _within(one: str, more: str) -> bool:
    """Whether a setting is one of several."""
    return one != more and one.rpartition("] ")[2] in more


def _mends(words: str, rest: list[str], wrong: list[str]) -> bool:
    return words not in rest and len(rest) < len(wrong)


def _common(ways: Mapping[str, list[str]]) -> list[str]:
    first, *others = ways.values() or [[]]
    return [text for text in first if all(text in texts for texts in others)]


def _special(chosen: Chosen) -> dict[str, Change]:
    """The settings without which there are no special parts."""
    features = [feature for part in chosen.neuron.special for feature in part.features]
    texts = dict.fromkeys(feature.way_out(None) or f"neurons without {feature.words}" for feature in features)
    return {text: _neuron(special=()) for text in texts}
