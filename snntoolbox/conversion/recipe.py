"""What a conversion may be asked for: its choices in one object."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

from snntoolbox.conversion.corrections.correct_layers import CORRECTIONS
from snntoolbox.conversion.lowering.shared_values import Neurons, as_neurons
from snntoolbox.conversion.misfits import Chosen, remedy
from snntoolbox.conversion.misfits import misfits as misfits_of
from snntoolbox.conversion.named_layers import Pairs
from snntoolbox.conversion.own_windows import as_pairs
from snntoolbox.conversion.schedules.rate import Rate
from snntoolbox.conversion.schedules.registry import SCHEDULES, scheduled
from snntoolbox.conversion.schedules.schedule import Schedule
from snntoolbox.conversion.spiking.grid_bounds import LARGEST_THRESHOLD
from snntoolbox.conversion.thresholds.rules import FEW_STEPS, RULES, USUAL, rule_name
from snntoolbox.errors import ConversionError
from snntoolbox.ir.adaptive import RateThreshold
from snntoolbox.ir.arguments import misfits
from snntoolbox.ir.encodings import ConstantCurrent, Encoding
from snntoolbox.ir.gating import Estimate
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes.elementwise import FUNCTIONS

USUAL_START = 0.5
"""The start potential where none is set, in thresholds."""


GATES: Mapping[str, Estimate] = {
    "gate": Estimate.AVERAGE,
    "fir_max": Estimate.FIR,
    "exp_max": Estimate.EXPONENTIAL,
    "avg_max": Estimate.AVERAGE,
}
"""The gates of max pooling by their names, and the estimates of rates that open them."""

SUMS = ("summed", "single")
"""Where products of matrices are summed: in a neuron, or behind neurons."""

READOUTS = ("linear", "spikes", "softmax")
"""The kinds of read-outs."""

POOLS = ("relu_tree", *GATES, "wta")
"""The ways of max pooling."""

_CHECKED = (
    *("normalize", "per_channel", "max2avg_pool", "avgpool_neurons", "softmax_to_relu", "weight_bits", "dt"),
    *("correction_samples", "readout_correction", "batch_size", "percentile", "headroom", "input_range", "schedule"),
    *("neuron", "encoding", "delay", "percentile_fall"),
    *("grid_threshold", "binarize_weights", "bias_relaxation", "allowed_loss", "most_neurons"),
)
"""Fields of which a value of another type would be taken for something else: the text "False", for one, is true."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Every choice of the conversion; the defaults are the ones that are accurate at few steps.

    `approximate` names the smooth functions (`Elementwise`) that may be replaced by line segments.
    Without `normalize` every scale is 1: activations must lie in [0, 1].
    `threshold_rule` names one of `RULES` ('auto': see `rule_for`), `percentile` is for the rule of that name, lower
    by `percentile_fall` with each layer,
    `per_channel` gives each channel its own threshold, `headroom` is the share of the neuron's fastest rate
    (`IF.fastest_rate`) that the activation chosen by the rule comes to; `max_pool` is a tree of rectifiers, or one
    of `GATES`, which differ in the estimate of rates that opens them ('gate' is that by spike counts), or a circuit
    of plain neurons by which the winner takes all ('wta', see `WinnerTakeAll`);
    `neuron` gives the reset, the start potential (in thresholds), leak and refractory period; `readout`
    is linear, the counts of spiking output neurons, or spikes drawn by a
    softmax from `readout_seed` (see `SoftmaxDraws`); `bias` a current or the spikes
    of a neuron (see `BiasNeuron`); `weight_bits` 0 is no quantisation, and
    `grid_threshold` an integer threshold of all neurons then, 0 for the largest of each channel; with
    `binarize_weights` those of a layer's channel have one size, and with `bias_relaxation` biases of deeper layers grow
    during the first half of a run (see `BinarizeWeights` and `RelaxBiases`). `delay` is
    the number of steps that every spike takes beyond those that all spikes take. `layer_correction` names what
    is corrected in each population for the duration of the run, on `correction_samples` calibration samples (see
    `Correct`), and `readout_correction` is the number of samples that correct the read-out, 0 for none; `clamps`
    holds layers by name or place for so many steps (see `Clamp`). `input_range` is what thresholds that follow from
    the weights alone assume of the input. `schedule` says when layers fire, by a
    name of `SCHEDULES`: 'rate', 'differential' (see `Differential`), or those that need the duration of a window:
    'phased', 'radix', 'first-spike' and 'recurrent' (see `Phased`, `Radix`, `FirstSpike` and `Recurrent`). `bits` has
    the binary digits of layers of a radix network whose windows are to be longer or shorter than the duration, by names
    or patterns (see `own_windows`). `products` of matrices of activations are summed in one neuron for each value, or
    come from single neurons (see `SingleProducts`). `neurons_per_value` is how many neurons say each value of a layer
    in windows, which makes it so many times as fine: a number for all, numbers by names, or 'auto', by which trials
    choose the fewest (1, 2 or 4) with which the network should lose at most `allowed_loss` of accuracy and has at most
    `most_neurons` times as many, if that is not 0 (see `ChooseNeurons`).
    """

    normalize: bool = True
    threshold_rule: Literal["auto", "max", "percentile", "mmse", "ltb", "weights"] = "auto"
    percentile: float = USUAL
    percentile_fall: float = 0.0
    per_channel: bool = True
    headroom: float = 1.0
    max_pool: Literal["relu_tree", "gate", "fir_max", "exp_max", "avg_max", "wta"] = "relu_tree"
    max2avg_pool: bool = False
    avgpool_neurons: bool = False
    softmax_to_relu: bool = False
    approximate: frozenset[str] = frozenset()
    bias: Literal["current", "neuron"] = "current"
    readout: Literal["linear", "spikes", "softmax"] = "linear"
    readout_seed: int = 0
    neuron: IF = IF(initial=USUAL_START)  # noqa: RUF009 - frozen
    encoding: Encoding = ConstantCurrent()  # noqa: RUF009 - frozen
    dt: float = 1.0
    delay: int = 0
    weight_bits: int = 0
    grid_threshold: int = 0
    binarize_weights: bool = False
    bias_relaxation: bool = False
    layer_correction: Literal["auto", "none", "bias", "potential", "both", "search", "search+potential", "steps"] = (
        "auto"
    )
    correction_samples: int = 128
    readout_correction: int = 100
    clamps: tuple[tuple[str, int], ...] = ()
    input_range: tuple[float, float] = (0.0, 1.0)
    batch_size: int = 100
    schedule: str = Rate.name
    bits: Mapping[str, int] | Pairs = ()
    products: Literal["summed", "single"] = "summed"
    neurons_per_value: Neurons = 1
    allowed_loss: float = 0.002
    most_neurons: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "bits", as_pairs(self.bits))
        object.__setattr__(self, "neurons_per_value", as_neurons(self.neurons_per_value))
        if wrong := misfits(self, _CHECKED):
            objects = "neuron=snntoolbox.IF(...), encoding=snntoolbox.Poisson() and the like make what is not plain"
            made = any(text.startswith(("neuron", "encoding")) for text in wrong)
            hint = objects if made else "numbers without quotes, rows as (0, 1)"
            raise ConversionError(f"invalid conversion settings: {'; '.join(wrong)}", hint=hint)
        if wrong := [*self._misfits(), *self._invalid_values()]:
            hint = remedy(self._together) if self.schedule in SCHEDULES else ""
            raise ConversionError(f"invalid conversion settings: {'; '.join(wrong)}", hint=hint)

    @property
    def gate(self) -> Estimate | None:
        """The estimate by which gates do max pooling; None where gates do not."""
        return GATES.get(self.max_pool)

    @property
    def chosen_schedule(self) -> Schedule:
        """The schedule that `schedule` names; with the windows of single layers, where they have some."""
        return scheduled(self.schedule, as_pairs(self.bits))

    @property
    def sets_percentile(self) -> bool:
        """Whether somebody has set how the percentile chooses thresholds."""
        return self.percentile != USUAL or bool(self.percentile_fall)

    @property
    def per_step(self) -> float:
        """The share of an activation that a step adds as a current: dt of 1 ms at rates, all of it in longer steps.

        So a step of less than 1 ms solves the same neurons more finely: what they fire in a ms stays as it is.
        """
        return min(self.dt, 1.0) if self.chosen_schedule.rates and self.chosen_schedule.always_fires else 1.0

    def rule_for(self, levels: int | None) -> str:
        """The threshold rule for neurons that tell so many values apart, where 'auto' what it means then."""
        few = math.inf if self.chosen_schedule.in_turn else FEW_STEPS
        return rule_name(self.threshold_rule, levels, self.percentile, self.percentile_fall, few)

    def levels_in(self, steps: int) -> int:
        """How many values above 0 a neuron tells apart in runs, or windows, of so many steps; see `Schedule`."""
        return self.chosen_schedule.resolution(max(1, round(steps * self.per_step)))

    @property
    def _together(self) -> Chosen:
        """The choices of which some do not go with others."""
        return Chosen(**{f.name: getattr(self, f.name) for f in fields(Chosen)})

    def _misfits(self) -> list[str]:
        """What does not go together; the schedule may be unknown."""
        if self.schedule not in SCHEDULES:
            return [f"schedule = {self.schedule!r} is none of {', '.join(SCHEDULES)}"]
        wrong = misfits_of(self._together)
        follows = self.neuron.parts.threshold
        if isinstance(follows, RateThreshold) and follows.per_step != self.per_step:
            step = f"per_step = {follows.per_step:g}, which dt = {self.dt:g} makes {self.per_step:g}"
            wrong.append(f"thresholds that follow the rates have {step}")
        return wrong

    def _invalid_values(self) -> list[str]:
        """Names that are unknown and numbers out of range."""
        wrong = []
        if not 0 < self.percentile <= 100:
            wrong.append(f"percentile = {self.percentile} is not above 0 and at most 100")
        if not 0 <= self.percentile_fall < 1:
            wrong.append(f"percentile_fall = {self.percentile_fall} is not from 0 to less than 1")
        if not 0 < self.headroom <= 1:
            wrong.append(f"headroom = {self.headroom} is not above 0 and at most 1")
        elif self.headroom < 1 and not self.normalize:
            wrong.append(f"headroom = {self.headroom} needs normalize = True: without, every spike stands for 1")
        if self.max_pool not in POOLS:
            wrong.append(f"max_pool = {self.max_pool!r} is none of {', '.join(POOLS)}")
        if self.bias not in ("current", "neuron"):
            wrong.append(f"bias = {self.bias!r} is neither 'current' nor 'neuron'")
        if self.readout not in READOUTS:
            wrong.append(f"readout = {self.readout!r} is none of {', '.join(READOUTS)}")
        if self.products not in SUMS:
            wrong.append(f"products = {self.products!r} is none of {', '.join(SUMS)}")
        if not 0 <= self.readout_seed < 2**64:
            wrong.append(f"readout_seed = {self.readout_seed} is not from 0 to 2^64 - 1")
        if self.weight_bits and self.weight_bits not in range(2, 17):
            wrong.append(f"weight_bits = {self.weight_bits} is neither 0 (off) nor from 2 to 16")
        if not 0 <= self.grid_threshold <= LARGEST_THRESHOLD:
            wrong.append(f"grid_threshold = {self.grid_threshold} is neither 0 (off) nor up to {LARGEST_THRESHOLD}")
        if self.grid_threshold and not self.weight_bits:
            wrong.append(f"grid_threshold = {self.grid_threshold} needs weight_bits: there is no grid")
        if isinstance(self.approximate, str) or not set(self.approximate) <= set(FUNCTIONS):
            wrong.append(f"approximate = {self.approximate!r} is not a set of names from {', '.join(FUNCTIONS)}")
        if not 0 <= self.allowed_loss <= 1:
            wrong.append(f"allowed_loss = {self.allowed_loss} is no share, from 0 to 1")
        if self.most_neurons and not self.most_neurons >= 1:
            wrong.append(f"most_neurons = {self.most_neurons} is neither 0 (any) nor 1 or more")
        if self.delay < 0:
            wrong.append(f"delay = {self.delay} is no number of steps, 0 or more")
        if not self.dt > 0:
            wrong.append(f"dt = {self.dt} is not above 0")
        if self.threshold_rule not in ("auto", "weights", *RULES):
            wrong.append(f"threshold_rule = {self.threshold_rule!r} is none of auto, weights, {', '.join(RULES)}")
        theirs = [name for schedule in SCHEDULES.values() for name in schedule.corrections]
        corrections = tuple(dict.fromkeys(("auto", "none", *CORRECTIONS, *theirs)))
        if self.layer_correction not in corrections:
            wrong.append(f"layer_correction = {self.layer_correction!r} is none of {', '.join(corrections)}")
        if self.batch_size < 1 or self.readout_correction < 0 or self.correction_samples < 1:
            wrong.append("batch_size and correction_samples must be at least 1 and readout_correction at least 0")
        if not self.input_range[0] < self.input_range[1]:
            wrong.append(f"input_range = {self.input_range} does not go from a smaller value to a larger one")
        return wrong

    def check_correction(self) -> None:
        """ConversionError where `layer_correction` names what is not done to layers of this `schedule`.

        Not checked with the other choices: a search goes from one recipe to another by way of such ones.
        """
        schedule = self.chosen_schedule
        if self.layer_correction not in ("auto", *schedule.corrections):
            asked = f"layer_correction = {self.layer_correction}"
            raise ConversionError(
                f"{asked} does not go with schedule = {schedule.name}, {schedule.why_no_others}",
                hint=f"[conversion] layer_correction = {' or '.join(('auto', *schedule.corrections))}",
            )
