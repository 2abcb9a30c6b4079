"""The keys that say how the spiking network is made: each names the field of the conversion's recipe that it sets."""



from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from snntoolbox.ir.counting import MOST_BITS
from snntoolbox.workflow.config.arithmetic import worked_out
from snntoolbox.workflow.config.key import Rule, above, at_least, between, exactly, key
from snntoolbox.workflow.config.special_parts import offline, special_parts

ScheduleName = Literal["rate", "phased", "radix", "first-spike", "recurrent", "differential"]
ReadoutName = Literal["linear", "spikes", "softmax"]

RATES, PATTERN = "temporal_mean_rate", "temporal_pattern"
CODES: Mapping[str, ScheduleName] = {
    "ttfs": "first-spike",
    "ttfs_dyn_thresh": "first-spike",
    "ttfs_corrective": "first-spike",
    PATTERN: "radix",
}
"""The schedule that each code of the toolbox is; rates go with any.

Its variants of a first spike mend what goes wrong where neurons fire before all of their input is there. Here they
wait for it. A pattern is the binary digits of an activation.
"""
_TOOLBOX_BITS = 32
"""The default there: with another code it says nothing."""


def schedule_of(settings: Any) -> ScheduleName:
    """The name of the schedule, that of the code where it is one."""
    chosen: ScheduleName = settings.conversion.schedule
    return CODES.get(settings.conversion.spike_code, chosen)


def readout_of(settings: Any) -> ReadoutName:
    """The kind of the read-out, that of an appended softmax where there is one."""
    chosen: ReadoutName = settings.conversion.readout
    return "softmax" if settings.conversion.append_softmax else chosen


def always_fires(settings: Any) -> bool:
    """Whether the layers fire in every step."""
    from snntoolbox.conversion.schedules.registry import SCHEDULES  # numpy and more, for what few ask

    return SCHEDULES[schedule_of(settings)].always_fires


def bits_sent(settings: Any) -> int:
    """The binary digits that a pattern has, and its duration has steps: the most significant ones of those asked for.

    Sums of more would not be exact, and float32 holds no more of an activation than some.
    """
    return min(int(settings.conversion.num_bits), MOST_BITS)


def _are_digits(numbers: Mapping[str, object]) -> bool:
    whole = [n for n in numbers.values() if isinstance(n, int) and not isinstance(n, bool)]
    return len(whole) == len(numbers) and all(1 <= n <= MOST_BITS for n in whole)


_MOST_NEURONS = 16
"""Of a value, as the conversion has it."""


def neurons_of(text: str) -> object:
    """What the text says of the neurons of a value: 'auto', a number, or numbers by names."""
    if text == "auto":
        return text
    said = worked_out(text)
    return tuple(said.items()) if isinstance(said, Mapping) else said


def _are_neurons(text: object) -> bool:
    try:
        said = neurons_of(str(text))
    except ValueError:
        return False
    pairs = said if isinstance(said, tuple) else (("*", said),)
    numbers = [number for name, number in pairs if isinstance(name, str) and type(number) is int]
    return text == "auto" or (len(numbers) == len(pairs) and all(1 <= n <= _MOST_NEURONS for n in numbers))


def _no_choice(settings: Any) -> str:
    """Why nothing is chosen, if so."""
    said = settings.conversion.neurons_per_value
    return "" if said == "auto" else f"neurons_per_value = {said}"


def _no_bits(settings: Any) -> str:
    """Why the number of digits says nothing, if so."""
    code, bits = settings.conversion.spike_code, settings.conversion.num_bits
    if code != PATTERN:
        return "" if bits == _TOOLBOX_BITS else f"spike_code = {code}; the digits of schedule = radix are its duration"
    return f"beyond {MOST_BITS}, so many are sent" if bits > MOST_BITS else ""


def _no_percentile(settings: Any) -> str:
    """Why there is no percentile, if so."""
    rule = settings.conversion.threshold_rule
    if not settings.tools.normalize:
        return "normalize = False"
    return "" if rule in ("auto", "percentile") else f"threshold_rule = {rule}"


@dataclass(frozen=True)
class Normalization:
    """How thresholds are found."""

    percentile: float = key(
        99.9,
        "Percentile of the activations that becomes the threshold; 100 is their maximum.",
        rule=above(0, 100),
        recipe="percentile",
        idle=lambda settings: _no_percentile(settings),
    )
    normalization_schedule: bool = key(
        False,
        "Lower the percentile by 0.02 with each layer, from the first on, so that deeper layers spike more.",
        recipe="percentile_fall",
        means={False: 0.0, True: 0.02},
        idle=lambda settings: _no_percentile(settings),
    )
    headroom: float = key(
        1.0,
        "Share of a neuron's fastest rate, such as 0.8, that its input asks for at the activation which the threshold "
        "rule chose. The fastest rate is a spike in every step, or in one of several with a refractory period, in "
        "which a neuron drops input and fires more slowly than asked for.",
        rule=above(0, 1),
        recipe="headroom",
    )
    online_normalization: bool = key(
        False,
        "Let the threshold of a layer fall to its highest rate while the network runs; spikes carry what it was, so "
        "activations stay what they are.",
        recipe="neuron.special",
        means={False: ()},
        value=special_parts,
    )
    diff_to_max_rate: float = key(
        200.0,
        "Hz by which the highest rate of a layer must be below one spike per ms, or per step where steps are longer, "
        "so that its threshold follows.",
        rule=at_least(0),
        recipe="neuron.special",
        idle=offline,
    )
    diff_to_min_rate: float = key(
        100.0,
        "Hz that the highest rate of a layer must be above, so that its threshold follows.",
        rule=at_least(0),
        recipe="neuron.special",
        idle=offline,
    )
    timestep_fraction: int = key(
        10,
        "Time in ms from one time that thresholds follow the rates to the next.",
        rule=at_least(1),
        recipe="neuron.special",
        idle=offline,
    )
    num_samples: int = key(-1, "Number of samples of x_norm to use; -1 is all.", rule=exactly(-1, "all") | at_least(1))


@dataclass(frozen=True)
class Conversion:
    """How the spiking network is made."""

    recipe: Literal["default", "rueckauer2017", "spinnaker"] = key(
        "default",
        "rueckauer2017 takes the choices of the SNN Toolbox where the defaults here differ: an initial_potential of 0, "
        "one threshold per layer by percentile, nothing corrected, a readout of spikes, average pooling with neurons "
        "of its own (avgpool_neurons), max pooling by a gate. spinnaker takes what cells of SpiNNaker can be: "
        "cell.reset = zero and weight_bits = 8. Keys that are set explicitly keep their value.",
    )
    readout: Literal["linear", "spikes", "softmax"] = key(
        "linear",
        "Last layer: linear sums its weighted input without spiking; spikes counts its output spikes; softmax sums as "
        "linear does, and in each step every class spikes with the probability that a softmax of the sums gives it, "
        "drawn from simulation.seed; with schedule = rate.",
        recipe="readout",
        value=readout_of,
    )
    append_softmax: bool = key(
        False, "Give linear outputs a softmax that spikes, as in the SNN Toolbox: readout = softmax.", recipe="readout"
    )
    bias: Literal["current", "neuron"] = key(
        "current",
        "Biases are currents, or the spikes of one neuron that fires in every step, which come by synapses of these "
        "weights: the same spikes; with schedule = rate.",
        recipe="bias",
    )
    initial_potential: float = key(
        0.5, "Membrane potential at the start, in units of the threshold.", rule=between(0, 1), recipe="neuron.initial"
    )
    threshold_scope: Literal["channel", "layer"] = key(
        "channel",
        "One threshold per channel or one per layer.",
        recipe="per_channel",
        means={"channel": True, "layer": False},
    )
    threshold_rule: Literal["auto", "max", "percentile", "mmse", "ltb", "weights"] = key(
        "auto",
        "How thresholds are chosen: max, or normalization.percentile, of the activations; mmse: the least squared "
        "error for the duration; ltb: local threshold balancing; weights: without data. auto: mmse for up to 64 steps, "
        "unless normalization.percentile is not 99.9 or has a schedule; else percentile.",
        recipe="threshold_rule",
    )
    maxpool_type: Literal["relu_tree", "gate", "fir_max", "exp_max", "avg_max", "wta"] = key(
        "relu_tree",
        "Max pooling: relu_tree builds it from spiking neurons, exact in rates; gate, or avg_max, passes the spikes of "
        "the input with the highest mean rate so far, which is the highest spike count; fir_max weighs the spike of "
        "step t by 1/t, exp_max older spikes more by a factor of 1.005 a step; wta is a circuit of plain neurons, a "
        "cell for each input of a window and an inhibitory one that they share, whose count is at most one too many.",
        recipe="max_pool",
        idle=lambda settings: "max2avg_pool = True" if settings.conversion.max2avg_pool else "",
    )
    products: Literal["summed", "single"] = key(
        "summed",
        "Products of matrices of activations, as in attention: summed is a neuron for each value of the result, whose "
        "spikes are those of all its terms; single is a neuron for each term, which rounds apart.",
        recipe="products",
    )
    max2avg_pool: bool = key(False, "Replace max pooling by average pooling.", recipe="max2avg_pool")
    avgpool_neurons: bool = key(
        False, "Give average pooling spiking neurons of its own.", recipe="avgpool_neurons"
    )
    softmax_to_relu: bool = key(
        False, "Replace a final softmax by a ReLU; else it is dropped.", recipe="softmax_to_relu"
    )
    approximate: frozenset[str] = key(
        frozenset(),
        "Smooth activation functions that may be replaced by line segments; the error is measured and reported. Where "
        "layers fire in windows (phased, radix, first-spike) all are tables, named or not.",
        all_of=(
            "sigmoid", "tanh", "erf", "gelu", "gelu_tanh", "silu", "mish", "elu", "selu", "softplus", "hard_swish",
        ),
        recipe="approximate",
    )  # fmt: skip
    spike_code: str = key(
        RATES,
        "How values become spikes: temporal_mean_rate is rate coding; ttfs, by the time of the first spike, is "
        "schedule = first-spike, and so are ttfs_dyn_thresh and ttfs_corrective; temporal_pattern, the binary digits "
        "of a value, is schedule = radix with a duration of num_bits steps.",
        choices=(RATES, *CODES),
    )
    num_bits: int = key(
        MOST_BITS,
        "Binary digits of a value, the most significant first; used by spike_code = temporal_pattern. Of more than "
        f"{MOST_BITS} the first {MOST_BITS} are sent.",
        rule=between(1, 32),
        idle=lambda settings: _no_bits(settings),
    )
    schedule: ScheduleName = key(  # noqa: RUF009 - a field
        "rate",
        "When layers fire: rate, always; phased, one after the other in windows of duration, equal to the network "
        "quantised to that many levels; radix, the same with a step of duration for each binary digit (4 to 8), which "
        "makes 2^duration - 1 levels; first-spike, the levels of phased by the time of one spike; recurrent, as "
        "phased, with one population for all steps of a sequence; "
        "differential, where something changes, by signed spikes of several sizes.",
        recipe="schedule",
    )
    bits: Mapping[str, object] = key(
        {},
        "Binary digits, a step each, of layers of a radix network that have another number of them than duration has "
        "steps: {'conv1': 6, 'block2*': 5}, by names of layers as a report has them or as the model has them (that of "
        "the convolution before a rectifier too), by their places in a report from 0 on, or by patterns of names; the "
        "last that fits counts.",
        rule=Rule(f"whole numbers from 1 to {MOST_BITS} by names of layers", lambda value: _are_digits(value)),
        recipe="bits",
        value=lambda settings: tuple(settings.conversion.bits.items()),
    )
    neurons_per_value: str = key(
        "1",
        "Neurons that say each value of a layer together where layers fire in windows (phased, radix, first-spike), so "
        "many times as finely, in as many steps: a number for all layers, numbers by names as in bits ({'conv1': 2}), "
        "or auto, the fewest (1, 2 or 4 for each layer) with which allowed_loss and most_neurons are kept to, as "
        "trials on x_norm tell.",
        rule=Rule(f"a number from 1 to {_MOST_NEURONS}, such numbers by names of layers, or auto", _are_neurons),
        recipe="neurons_per_value",
        value=lambda settings: neurons_of(settings.conversion.neurons_per_value),
    )
    allowed_loss: float = key(
        0.002,
        "The accuracy that neurons_per_value = auto lets a network lose, as a share, by how much less likely the "
        "original holds the classes that it chooses; without classes the squared error over the variance.",
        rule=between(0.0, 1.0),
        recipe="allowed_loss",
        idle=lambda settings: _no_choice(settings),
    )
    most_neurons: float = key(
        0.0,
        "How many times as many neurons neurons_per_value = auto may take as one for each value would be; 0: any.",
        rule=at_least(0.0),
        recipe="most_neurons",
        idle=lambda settings: _no_choice(settings),
    )
    layer_correction: Literal[
        "auto", "none", "bias", "potential", "both", "search", "search+potential", "steps"
    ] = key(
        "auto",
        "What is corrected in each layer for the duration of the run, on samples of x_norm: its bias, its potential at "
        "the start, both, or both by trying some start potentials (search), and then each neuron's potential "
        "(search+potential); steps: a bias of its own in each step, for simulators with pulses of current. auto: for "
        "up to 64 steps search, or what short trials on x_norm show to be better; none for more.",
        recipe="layer_correction",
    )
    correction_samples: int = key(
        128,
        "Samples of x_norm that layer_correction uses at most; in longer runs of large networks fewer do.",
        rule=at_least(1),
        recipe="correction_samples",
    )
    readout_correction: int = key(
        100,
        "Samples of x_norm that correct the bias of the read-out for the duration of the run at most; 0 is off.",
        rule=at_least(0),
        recipe="readout_correction",
    )
    weight_bits: int = key(
        0, "Quantise weights to integers of this many bits, the network to an integer grid; 0 is off.",
        rule=exactly(0, "off") | between(2, 16), recipe="weight_bits",
    )  # fmt: skip
