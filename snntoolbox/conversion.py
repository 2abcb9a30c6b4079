"""The way from a model to spikes in three calls: `load`, `convert`, `simulate`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from functools import cache
from numbers import Integral
from typing import Any, Literal

import numpy as np

from snntoolbox import building, plugins
from snntoolbox.errors import ConversionError, DataError, GraphError, NoReferenceError, UnsupportedError
from snntoolbox.frontends.protocol import Frontend
from snntoolbox.ir.encodings import ConstantCurrent, Encoding, sample_shape
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.nodes import MaxPool, ReLU
from snntoolbox.ir.nodes.elementwise import FUNCTIONS
from snntoolbox.ir.result import Record, Result, joined
from snntoolbox.passes import EXACT
from snntoolbox.passes.approximate import ApproximateActivations
from snntoolbox.passes.choose import CANDIDATES, TRIED_STEPS, UNTRIED, Choice, Choose
from snntoolbox.passes.convert import Convert, gateable, unsupported_nodes
from snntoolbox.passes.correct import Correct
from snntoolbox.passes.correct_layers import CORRECTIONS, STARTING
from snntoolbox.passes.correct_phased import CorrectPhased
from snntoolbox.passes.invariants import check_grid, check_same_function, check_scales, probe
from snntoolbox.passes.lower_outputs import LowerSoftmax, MaxToAveragePooling, RectifyOutputs
from snntoolbox.passes.lower_sigmoid import LowerSigmoid
from snntoolbox.passes.max_pool_tree import MaxPoolTree
from snntoolbox.passes.quantize import Quantize
from snntoolbox.passes.rules import FEW_STEPS, RULES, USUAL, Situation, rule_for, rule_name
from snntoolbox.passes.spiking_pools import SpikingAveragePools
from snntoolbox.passes.thresholds import ModelBasedThresholds, Scales
from snntoolbox.schedules import SCHEDULES, check_phased, check_schedule, legalized, run_steps, scheduled, steps_of
from snntoolbox.workers.batches import Job, run_batches
from snntoolbox.workers.cluster import check as check_workers

log = logging.getLogger(__name__)

TOLERANCE = 1e-5
"""Largest difference allowed between a parsed graph and its framework, as a share of the output's scale."""

USUAL_START = 0.5
"""The start potential where none is set, in thresholds."""

_VALUES_AT_ONCE = 2**22

Progress = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Every choice of the conversion; the defaults are the ones that are accurate at few steps.

    `approximate` names the smooth functions (`Elementwise`) that may be replaced by line segments.
    Without `normalize` every scale is 1: activations must lie in [0, 1].
    `threshold_rule` names one of `RULES` ('auto': see `rule_for`), `percentile` is for the rule of that name,
    `per_channel` gives each channel its own threshold; `max_pool` is a tree of rectifiers or a gate on spike
    counts; `neuron` gives the reset, the start potential (in thresholds), leak and refractory period; `readout` is
    linear or the counts of spiking output neurons; `weight_bits` 0 is no quantisation. `layer_correction` names what
    is corrected in each population for the duration of the run, on `correction_samples` calibration samples (see
    `Correct`), and `readout_correction` is the number of samples that correct the read-out, 0 for none; `input_range`
    is what thresholds that follow from the weights alone assume of the input. `schedule` says when layers fire: 'rate',
    'phased' (see `Phased`; needs the duration of a window) or 'differential' (see `Differential`).
    """

    normalize: bool = True
    threshold_rule: Literal["auto", "max", "percentile", "mmse", "ltb", "weights"] = "auto"
    percentile: float = 99.9
    per_channel: bool = True
    max_pool: Literal["relu_tree", "gate"] = "relu_tree"
    max2avg_pool: bool = False
    avgpool_neurons: bool = False
    softmax_to_relu: bool = False
    approximate: frozenset[str] = frozenset()
    readout: Literal["linear", "spikes"] = "linear"
    neuron: IF = IF(initial=USUAL_START)  # noqa: RUF009 - frozen
    encoding: Encoding = ConstantCurrent()  # noqa: RUF009 - frozen
    dt: float = 1.0
    weight_bits: int = 0
    layer_correction: Literal[
        "auto", "none", "bias", "potential", "both", "search", "search+potential", "steps"
    ] = "auto"
    correction_samples: int = 128
    readout_correction: int = 100
    input_range: tuple[float, float] = (0.0, 1.0)
    batch_size: int = 100
    schedule: Literal["rate", "phased", "differential"] = "rate"

    def __post_init__(self) -> None:
        wrong = []
        if self.schedule not in SCHEDULES:
            wrong.append(f"schedule = {self.schedule!r} is none of {', '.join(SCHEDULES)}")
        if self.schedule != "rate" and (self.neuron.reset != "subtract" or self.neuron.leak != 1):
            wrong.append(f"schedule = {self.schedule} needs neurons with reset = subtract and without leak")
        if self.schedule != "rate" and self.neuron.refractory:
            wrong.append(f"schedule = {self.schedule} needs neurons without a refractory period")
        if self.schedule == "phased" and self.neuron.graded:
            wrong.append("schedule = phased needs plain spikes, without levels and signs")
        fractions = self.schedule == "differential" or any(level != int(level) for level in self.neuron.levels)
        if self.weight_bits and fractions:
            wrong.append("weight_bits need spikes that carry whole numbers of thresholds; differential ones do not")
        if not 0 < self.percentile <= 100:
            wrong.append(f"percentile = {self.percentile} is not above 0 and at most 100")
        if self.max_pool not in ("relu_tree", "gate"):
            wrong.append(f"max_pool = {self.max_pool!r} is neither 'relu_tree' nor 'gate'")
        if self.readout not in ("linear", "spikes"):
            wrong.append(f"readout = {self.readout!r} is neither 'linear' nor 'spikes'")
        if not isinstance(self.weight_bits, Integral) or (self.weight_bits and self.weight_bits not in range(2, 17)):
            wrong.append(f"weight_bits = {self.weight_bits} is neither 0 (off) nor from 2 to 16")
        if isinstance(self.approximate, str) or not set(self.approximate) <= set(FUNCTIONS):
            wrong.append(f"approximate = {self.approximate!r} is no set of {', '.join(FUNCTIONS)}")
        if not self.dt > 0:
            wrong.append(f"dt = {self.dt} is not above 0")
        if self.threshold_rule not in ("auto", "weights", *RULES):
            wrong.append(f"threshold_rule = {self.threshold_rule!r} is none of auto, weights, {', '.join(RULES)}")
        if self.layer_correction not in ("auto", "none", *CORRECTIONS):
            names = ", ".join(CORRECTIONS)
            wrong.append(f"layer_correction = {self.layer_correction!r} is none of auto, none, {names}")
        if self.batch_size < 1 or self.readout_correction < 0 or self.correction_samples < 1:
            wrong.append("batch_size and correction_samples must be at least 1 and readout_correction at least 0")
        if not self.input_range[0] < self.input_range[1]:
            wrong.append(f"input_range = {self.input_range} is no range")
        if wrong:
            raise ConversionError(f"a conversion cannot be so: {'; '.join(wrong)}")


def load(model: Any, *, frontend: str | None = None, input_shape: Shape | None = None, check: bool = True) -> Graph:
    """The graph of a trained model: a file or a live object of Keras, PyTorch or ONNX, in its simplest exact form.

    `frontend` is told by the file's ending or the object's type unless given; `input_shape` (without batch) is
    needed for a PyTorch module that does not say it. With `check` the graph's output is compared with the
    framework's own on random input. Errors: FrontendError, UnsupportedError (all layers at once), GraphError.
    """
    reader = plugins.frontend(frontend) if frontend else plugins.frontend_for(model)
    opened = reader.open(model, input_shape=input_shape)
    graph = simplify(reader.parse(opened), check=check)
    if check:
        try:
            check_on_probe(graph, reader, opened)
        except NoReferenceError as error:
            log.warning("%s: parsing was checked for shapes and weights only", error.message)
    return graph


def simplify(graph: Graph, check: bool = False) -> Graph:
    """The same function with permutations cancelled, batch normalisation folded and identities dropped.

    With `check` it is seen to be the same on a random sample after every pass.
    """
    for rewrite in EXACT:
        before, graph = graph, rewrite(graph)
        if check:
            check_same_function(before, graph, type(rewrite).__name__)
    return graph


def check_on_probe(graph: Graph, frontend: Frontend, model: Any, samples: int = 2) -> float:
    """Compare graph and framework on seeded random input in [0, 1); returns the largest difference."""
    generator = np.random.default_rng(0)
    samples = max(samples, 16) if graph.jumps else samples
    x = [generator.random((samples, *graph.shapes[i]), dtype=np.float32) for i in graph.inputs]
    values = graph.values(*(a.astype(np.float64) for a in x))
    rounded = graph.values(*x) if graph.jumps else {}
    outputs, likely = ([v[o] for o in graph.outputs if o in v] for v in (values, rounded))
    return compare_outputs(outputs, frontend.predict(model, *x), likely)


def compare_outputs(found: Sequence[Array], wanted: Sequence[Array], rounded: Sequence[Array] = ()) -> float:
    """The largest difference as a share of each output's scale (its largest absolute value); GraphError above 1e-5.

    In a quantised network (`Graph.jumps`) a rounding error of float32 can change a value by a whole level. There
    `rounded` is what the graph gives in float32, and it is enough that the better quarter of the samples differs by
    at most 1e-5, or by four times what that rounding changes in three of four; that difference is returned.
    """
    worst = 0.0
    if len(found) != len(wanted):
        raise GraphError(f"the parsed model has {len(found)} outputs, the original {len(wanted)}")
    for i, (ours, theirs) in enumerate(zip(found, wanted, strict=True)):
        if ours.size != theirs.size:
            raise GraphError(f"the parsed model's output has shape {ours.shape}, the original's {theirs.shape}")
        scale = float(np.abs(theirs).max()) or 1.0
        difference, allowed = float(np.max(_distances(ours, theirs), initial=0.0)) / scale, TOLERANCE
        if rounded and difference > TOLERANCE:
            difference = float(np.quantile(_distances(ours, theirs), 0.25)) / scale
            allowed = max(TOLERANCE, 4 * float(np.quantile(_distances(ours, rounded[i]), 0.75)) / scale)
        if not difference <= allowed:  # NaN is no agreement
            raise GraphError(
                f"the parsed model differs from the original by {difference:.2g} of the output's scale",
                hint="this is a defect of snntoolbox: please report the model; nothing was converted",
            )
        worst = max(worst, difference)
    return worst


def _distances(ours: Array, theirs: Array) -> Array:
    """The largest difference of two outputs, for each sample."""
    return np.asarray(np.abs(ours.reshape(theirs.shape) - theirs).reshape(len(theirs), -1).max(axis=1))


def lower(graph: Graph, recipe: Recipe) -> Graph:
    """The graph of rectifiers and linear maps that `recipe` converts; UnsupportedError lists what cannot be."""
    graph = LowerSoftmax(recipe.softmax_to_relu)(graph)
    graph = LowerSigmoid(keep="sigmoid" in recipe.approximate)(graph)
    graph = ApproximateActivations(recipe.approximate)(graph)
    if recipe.max2avg_pool:
        graph = MaxToAveragePooling()(graph)
    pooled, graph = graph, MaxPoolTree(None if recipe.max_pool == "relu_tree" else _not_gateable(graph))(graph)
    check_same_function(pooled, graph, "max pooling by rectifiers")
    if recipe.readout == "spikes":
        graph = RectifyOutputs()(graph)
    if recipe.avgpool_neurons:
        graph = SpikingAveragePools()(graph)
    if offenders := unsupported_nodes(graph):
        raise UnsupportedError("the conversion", offenders, hint="what each one needs stands behind it")
    check_schedule(graph, recipe.schedule)
    return graph


def _not_gateable(graph: Graph) -> frozenset[str]:
    """Max pools that a gate cannot do, as they do not read the spikes of one population: they become trees."""
    found: set[str] = set()
    for node in graph.nodes.values():
        if isinstance(node, MaxPool) and (node.inputs[0] in found or not gateable(graph, node)):
            found.add(node.name)
    if found:
        log.warning("no gate for %s, which read no spikes: a tree of rectifiers instead", ", ".join(sorted(found)))
    return frozenset(found)


def choose_scales(
    lowered: Graph,
    calibration_data: Sequence[Array] | None,
    recipe: Recipe,
    progress: Progress | None = None,
    duration: float | None = None,
) -> Scales:
    """The scale of every rectifier: from data, without any from the weights, or 1 without normalisation."""
    if not recipe.normalize:
        return {
            n.name: np.ones((1,) * len(lowered.shapes[n.name])) for n in lowered.nodes.values() if isinstance(n, ReLU)
        }
    if calibration_data is None or recipe.threshold_rule == "weights":
        low, high = recipe.input_range
        if calibration_data is None:
            log.warning("no calibration data: thresholds from the weights alone, for inputs in [%g, %g]", low, high)
        return ModelBasedThresholds(low, high, recipe.per_channel)(lowered)
    situation = Situation(
        # Differential coding sends values of several sizes, for which the error of one size says nothing.
        steps=None if duration is None or recipe.schedule == "differential" else steps_of(duration, recipe.dt),
        initial=float(np.mean(recipe.neuron.initial)),
        percentile=recipe.percentile,
        per_channel=recipe.per_channel,
        batch_size=recipe.batch_size,
    )
    return rule_for(recipe.threshold_rule, situation)(lowered, calibration_data, progress)


def convert(
    graph: Graph,
    calibration_data: Array | Sequence[Array] | None = None,
    *,
    duration: float | None = None,
    recipe: Recipe | None = None,
    progress: Progress | None = None,
    device: str = "cpu",
    **choices: Any,
) -> SpikingNetwork:
    """The spiking network of a graph; `choices` are fields of `Recipe`.

    `calibration_data` is an array of a few hundred samples (one array per input for several inputs); without it
    thresholds follow from the weights alone, which needs many more steps. With the `duration` (ms) that the network
    is meant to run, thresholds are chosen for that many steps, and layers and read-outs are corrected for what these
    leave over; `device` (cpu, cuda, auto) is where corrections are computed.
    """
    if not isinstance(graph, Graph):
        raise ConversionError(f"{type(graph).__name__} is no graph", hint="graph = snntoolbox.load(model) makes one")
    known = [f.name for f in fields(Recipe)]
    if unknown := [name for name in choices if name not in known]:
        near = get_close_matches(unknown[0], known, 1) or known
        raise ConversionError(f"there is no choice '{unknown[0]}'", hint=f"known and near: {', '.join(near)}")
    recipe = replace(recipe or Recipe(), **choices)
    shapes = {n: graph.shapes[n] for n in graph.inputs}
    data = None if calibration_data is None else checked_arrays(shapes, calibration_data)
    lowered = lower(graph, recipe)
    made = settle(lowered, data, recipe, duration, progress, device)
    return spiking(lowered, made.scales, data, made.recipe, duration, device, made.notes)


@dataclass(frozen=True, eq=False)
class Settled:
    """A recipe whose threshold rule and layer correction are no 'auto' any more, its scales, and what was tried."""

    recipe: Recipe
    scales: Scales
    choice: Choice | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What the network's summary says of it."""
        return () if self.choice is None else (str(self.choice),)

    def told(self) -> dict[str, Any]:
        """What a report says of it."""
        found: dict[str, Any] = {f: getattr(self.recipe, f) for f in ("threshold_rule", "layer_correction")}
        return found if self.choice is None else {**found, **self.choice.data()}


def settle(
    lowered: Graph,
    data: Sequence[Array] | None,
    recipe: Recipe,
    duration: float | None = None,
    progress: Progress | None = None,
    device: str = "cpu",
) -> Settled:
    """What the recipe leaves to 'auto', chosen by T and, for few steps, by trials on calibration data (`Choose`)."""
    steps = None if duration is None else steps_of(duration, recipe.dt)
    pairs = [("weights", "none")] if data is None else candidates(recipe, steps)

    @cache
    def scales_of(rule: str) -> Scales:
        shown = progress if rule == pairs[0][0] else None
        return choose_scales(lowered, data, replace(recipe, threshold_rule=rule), shown, duration)  # type: ignore[arg-type]

    choice, (rule, layers) = None, pairs[0]
    if len(pairs) > 1 and data is not None and steps is not None:
        samples, readouts = recipe.correction_samples, recipe.readout_correction > 0
        choose = Choose(steps=steps, samples=samples, readouts=readouts, device=device)
        choice = choose(pairs, cache(lambda rule: _uncorrected(lowered, scales_of(rule), data, recipe)), lowered, data)
        layers = UNTRIED if layers in STARTING else layers
    if choice is not None:
        rule, layers = choice.chosen.rule, choice.chosen.layers
        log.info("chosen: %s", choice)
    settled = replace(recipe, threshold_rule=rule, layer_correction=layers)  # type: ignore[arg-type]
    return Settled(settled, scales_of(rule), choice)


def candidates(recipe: Recipe, steps: int | None) -> list[tuple[str, str]]:
    """Threshold rule and layer correction of a recipe for runs of `steps` steps, where 'auto' all that it may mean.

    The first is what it means without a trial. A start potential other than the usual is the user's: it stays.
    """
    rated = recipe.schedule == "rate"
    rule = rule_name(recipe.threshold_rule, steps if recipe.schedule != "differential" else None, recipe.percentile)
    if recipe.layer_correction != "auto":
        return [(rule, recipe.layer_correction)]
    if steps is None or steps > FEW_STEPS:  # in long runs there is little to mend, less than what few samples get wrong
        return [(rule, "none")]
    kept = bool(np.any(np.not_equal(recipe.neuron.initial, USUAL_START)))
    pairs = [(r, "bias") for r in ("mmse", "percentile")] if kept else list(CANDIDATES)
    if recipe.threshold_rule != "auto" or recipe.percentile != USUAL or not recipe.normalize or not rated:
        pairs = [*dict.fromkeys((rule, layers) for _, layers in pairs)]
    return pairs if steps <= TRIED_STEPS and rated else [(rule, "bias" if kept else UNTRIED)]


def _uncorrected(lowered: Graph, scales: Scales, data: Sequence[Array] | None, recipe: Recipe) -> SpikingNetwork:
    """The network with these scales, on its grid."""
    network = Convert(neuron=recipe.neuron, encoding=recipe.encoding, dt=recipe.dt)(lowered, scales)
    sample = probe(lowered, *recipe.input_range) if data is None else [a[:1] for a in data]
    check_scales(network, lowered, sample)
    if not recipe.weight_bits:
        return network
    quantize = Quantize(recipe.weight_bits)
    fitting = quantize.fitting(network)
    check_scales(fitting, lowered, sample)
    placed = quantize.placed(fitting)
    check_grid(placed, fitting, lowered, sample)
    return placed


def spiking(
    lowered: Graph,
    scales: Scales,
    data: Sequence[Array] | None,
    recipe: Recipe,
    duration: float | None = None,
    device: str = "cpu",
    notes: tuple[str, ...] = (),
) -> SpikingNetwork:
    """The spiking network of a lowered graph with these scales; corrected on `data` where the `duration` is known.

    `recipe` is a settled one; `notes` are kept with the network.
    """
    quantized = any(isinstance(n, ReLU) and n.levels for n in lowered.nodes.values())
    other_start = bool(np.any(np.not_equal(recipe.neuron.initial, USUAL_START)))
    if quantized and other_start:
        log.warning("quantised rectifiers (QCFS) start at half a threshold, as they were trained, and at nothing else")
    network = _uncorrected(lowered, scales, data, recipe).replaced(notes=notes)
    if recipe.schedule == "phased" and duration is not None and data is not None and recipe.layer_correction != "none":
        correct_phased = CorrectPhased(window=steps_of(duration, recipe.dt))
        network = correct_phased(network, lowered, [a[: recipe.correction_samples] for a in data])
    before, network = network, scheduled(network, recipe.schedule, duration)
    if recipe.schedule == "phased" and data is not None:
        check_phased(network, before, data, plugins.backend("INI"))
    if duration is None or data is None:
        return network
    steps, readouts = run_steps(network, duration), recipe.readout_correction > 0
    layers = None if recipe.layer_correction == "none" else recipe.layer_correction
    if other_start and layers in STARTING and recipe.schedule == "rate":
        log.warning(
            "layer_correction = %s changes the start potential that is set; bias, steps and none leave it", layers
        )
    samples = max(recipe.correction_samples if layers else 0, recipe.readout_correction)
    correct = Correct(steps=steps, layers=layers, readouts=readouts, device=device)
    return correct(network, lowered, [a[:samples] for a in data])


def checked_arrays(
    shapes: Mapping[str, Shape], x: Array | Sequence[Array], encodings: Mapping[str, Encoding] | None = None
) -> tuple[Array, ...]:
    """One array per input, checked: number, shapes, equal numbers of samples, no NaN or infinity; DataError."""
    arrays = tuple(_as_array(a) for a in ([x] if hasattr(x, "__array__") else x))
    if len(arrays) != len(shapes):
        raise DataError(f"{len(arrays)} arrays given, the model has {len(shapes)} inputs")
    for (name, shape), array in zip(shapes.items(), arrays, strict=True):
        if encodings:
            shape = sample_shape(encodings[name], shape, array)
        if array.shape[1:] != shape:
            raise DataError(f"samples have shape {array.shape[1:]}, the model takes {shape}", layer=name)
        if len(array) != len(arrays[0]):
            raise DataError(f"{len(array)} samples, {len(arrays[0])} for the first input", layer=name)
        if array.dtype.kind not in "biuf":
            raise DataError(f"the data are of type {array.dtype}, not numbers", layer=name)
        if not _finite(array):
            raise DataError("the data hold NaN or infinite values", layer=name)
    return arrays


def _as_array(samples: Any) -> Array:
    """Anything that numpy makes an array of, such as a torch tensor; DataError where it would lose something."""
    if isinstance(samples, np.ma.MaskedArray) and np.ma.is_masked(samples):
        raise DataError("some of the data are masked", hint="fill them with numbers: x.filled(0), for instance")
    try:
        return np.asarray(samples)
    except (RuntimeError, TypeError, ValueError) as error:  # rows of several lengths; tensors on a GPU
        raise DataError(f"the data are no array: {error}", hint="give numpy arrays") from error


def _finite(array: Array) -> bool:
    """Whether there is no NaN and no infinity; in pieces, as the array may lie in a file larger than the memory."""
    step = max(1, _VALUES_AT_ONCE // max(1, array[:1].size))
    return all(bool(np.isfinite(array[i : i + step]).all()) for i in range(0, len(array), step))


def simulate(
    network: SpikingNetwork,
    x: Array | Sequence[Array],
    *,
    duration: float | None = None,
    simulator: str = "INI",
    batch_size: int = 100,
    record: Record | None = None,
    progress: Progress | None = None,
    force: bool = False,
    workers: int = 0,
    scheduler: str = "",
    **options: Any,
) -> Result:
    """Run samples for `duration` ms on a simulator, in batches; `progress` is told the number of samples done.

    Without a duration 64 ms, and a phased network as long as it takes; one that is given must be that of its windows.
    With `workers` the batches are spread over so many processes, with `scheduler` (tcp://host:port) over a Dask
    cluster; 0 or 1 is this process. The result is the same. `options` go to the simulator's `build` (device, chunk).
    UnsupportedError lists what the simulator cannot run; TooLargeError says that the network is estimated to be too
    large for it, unless `force`.
    """
    results = []
    spread: dict[str, Any] = {"workers": workers, "scheduler": scheduler, "force": force, **options}
    for result in simulate_batches(network, x, duration, simulator, batch_size, record, **spread):
        results.append(result)
        if progress:
            progress(result.samples)
    return joined(results)


def simulate_batches(
    network: SpikingNetwork,
    x: Array | Sequence[Array],
    duration: float | None,
    simulator: str,
    batch_size: int,
    record: Record | None = None,
    *,
    force: bool = False,
    workers: int = 0,
    scheduler: str = "",
    **options: Any,
) -> Iterator[Result]:
    """The results of consecutive batches, each handed out as soon as it is there; `workers` as for `simulate`."""
    arrays = checked_arrays({n: network.wiring.shapes[n] for n in network.encodings}, x, network.encodings)
    steps = run_steps(network, duration)
    backend = plugins.backend(simulator)
    network = legalized(network, backend, arrays)
    building.check(backend, network, force=force)
    if not len(arrays[0]):
        raise DataError("there are no samples to simulate")
    if batch_size < 1:
        raise DataError(f"batch_size = {batch_size} is not at least 1")
    for (name, encoding), array in zip(network.encodings.items(), arrays, strict=True):
        encoding.check(array, name)
    check_workers(workers, scheduler)
    starts = range(0, len(arrays[0]), batch_size)
    batches = ((start, [a[start : start + batch_size] for a in arrays]) for start in starts)
    if workers > 1 or scheduler:
        run = Job(network=network, simulator=simulator, steps=steps, record=record, options=options)
        job = replace(run, samples=len(arrays[0]))
        yield from run_batches(job, batches, workers=workers, scheduler=scheduler)
        return
    with building.build(backend, network, options, force=force) as executable:
        # A simulator that prepares more for more samples has this beside what every one has.
        getattr(executable, "expect", lambda samples: None)(len(arrays[0]))
        for start, batch in batches:
            yield executable.run(*batch, steps=steps, record=record, first_sample=start)
