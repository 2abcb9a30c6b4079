"""Random models through each frontend: the parsed graph is the model, and every engine gives the same spikes."""

import logging

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from random_models import FRAMEWORKS, drawn, laid_out

from snntoolbox.backends.inisim import simulation
from snntoolbox.backends.inisim.backend import InisimBackend
from snntoolbox.conversion.load import load
from snntoolbox.conversion.stages import convert
from snntoolbox.engine.fast import jit
from snntoolbox.errors import ConversionError, UnsupportedError
from snntoolbox.frontends.registry import frontend_named
from snntoolbox.ir.encodings import ConstantCurrent, Poisson, SpikeTimes
from snntoolbox.ir.neurons import IF, Negative, Reset
from snntoolbox.ir.result import Record
from snntoolbox.ir.timing import run_steps

EVERYTHING = Record(spikes=True, potentials=True)
ENGINES = [("dense", False), ("auto", False), *([("auto", True), ("event", True)] if jit.installed() else [])]
"""Engines, and whether loops are compiled; with windows `auto` goes by counts."""

NEURONS = {
    "plain": IF(initial=0.5),
    "zero": IF(reset=Reset.ZERO),
    "modulo": IF(reset=Reset.MODULO, initial=0.25),
    "leaky": IF(leak=0.5),
    "refractory": IF(refractory=2, initial=0.5),
    "leaky, refractory, to a quarter": IF(leak=0.5, refractory=1, reset=Reset.ZERO, reset_potential=0.25),
    "bursts": IF(levels=(1.0, 2.0, 4.0), initial=0.5),
    "signed": IF(levels=(1.0, 2.0), negative=Negative.MEMORY, initial=0.5),
    "clipped": IF(saturation=(-0.5, 0.75), initial=0.5),
    "clipped, signed": IF(saturation=(-1.0, 0.5), levels=(1.0, 2.0), negative=Negative.MEMORY),
    "parts": IF(levels=(1.0, 0.5, 0.25), negative=Negative.MEMORY),
}
OFF_GRID = ("leaky", "parts", "leaky, refractory, to a quarter", "clipped", "clipped, signed")
CODINGS = {
    "constant": ConstantCurrent(),
    "first steps": ConstantCurrent(steps=3),
    "poisson": Poisson(amplitude=8.0, seed=5),
    "short poisson": Poisson(amplitude=8.0, seed=6, steps=2),
    "times": SpikeTimes(amplitude=1.0),
}
DATA = {
    "usual": lambda rng, shape: rng.integers(0, 9, shape) / 8,
    "signed": lambda rng, shape: rng.integers(-8, 9, shape) / 8,
    "large": lambda rng, shape: rng.integers(-64, 65, shape) / 8,
    "zeros": lambda rng, shape: np.zeros(shape),
    "constant": lambda rng, shape: np.full(shape, 0.75),
    "sparse": lambda rng, shape: (rng.random(shape) < 0.1).astype(float),
}


def recipe(pick):
    """Fields of a recipe that go together, and the duration."""
    bits = pick([0, 4, 8, 8, 12, 16])
    schedule = pick(["rate", "rate", "rate", "phased", "radix", "first-spike", "differential"])
    names = list(NEURONS) if schedule == "rate" else ["plain"]
    if bits:
        names = [n for n in names if n not in OFF_GRID]
        schedule = "rate" if schedule == "differential" else schedule
    name = pick(["plain", *names])
    choices = {
        "weight_bits": bits,
        "schedule": schedule,
        "neuron": NEURONS[name],
        "encoding": CODINGS[pick([*CODINGS]) if schedule == "rate" else "constant"],
        "max_pool": pick(["relu_tree", "gate"]) if schedule == "rate" else "relu_tree",
        "readout": pick(["linear", "linear", "spikes"]),
        "avgpool_neurons": pick([False, False, True]),
    }
    if bits:
        plain = name == "plain" and schedule == "rate" and isinstance(choices["encoding"], ConstantCurrent)
        if plain and choices["encoding"].steps is None:
            choices["layer_correction"] = pick(["none", "steps", "search", "both"])
    else:
        choices |= {"normalize": False, "layer_correction": "none", "readout_correction": 0}
    return choices, pick([1, 2, 4, 8]), name


def differences(found, wanted):
    """What two results do not have in common; recorded potentials are float32."""
    kinds = {"counts": float, "spikes": float, "potentials": np.float32, "fired": int}
    unlike = [
        f"{kind} of {name}"
        for kind, dtype in kinds.items()
        for name, value in getattr(wanted, kind).items()
        if not np.array_equal(getattr(found, kind)[name].astype(dtype), value.astype(dtype))
    ]
    for name, value in wanted.outputs.items():
        if not np.allclose(found.outputs[name], value, rtol=1e-12, atol=1e-12 * max(1.0, np.abs(value).max())):
            unlike.append(f"output {name}")
    return unlike


def check_parsed(graph, reader, opened, x):
    """The graph's outputs are those of the framework, to rounding."""
    values = graph.values(x.astype(np.float64))
    for name, wanted in zip(graph.outputs, reader.predict(opened, x.astype(np.float32)), strict=True):
        assert np.abs(values[name] - wanted).max() <= 1e-5 * max(1.0, np.abs(wanted).max())


def samples_for(coding, x, steps, rng):
    if not isinstance(coding, SpikeTimes):
        return x
    return rng.integers(-1, 2, (len(x), max(1, steps - 1), *x.shape[1:])).astype(np.float32)


def clipped(network):
    """The network with potentials of a few thresholds, whole as everything on its grid."""
    neurons = [p.neuron for p in network.populations.values() if isinstance(p.neuron, IF)]
    largest = max((max(np.abs(n.initial).max(), np.max(n.threshold)) for n in neurons), default=1)
    return network.with_neurons(saturation=(-float(np.ceil(largest / 2)) - largest, float(largest)))


def check(chance, framework):
    plan, pick = drawn(chance), chance.choice
    layout, kind, count, chunk = pick(["first", "last"]), pick([*DATA]), pick([1, 3]), pick([0, 0, 1, 3])
    rng = np.random.default_rng(chance.getrandbits(32))
    x, calibration = (laid_out(make(rng, (n, *plan.shape)).astype(np.float32), layout) for make, n in
                      ((DATA[kind], count), (DATA["signed"], 12)))  # fmt: skip
    choices, duration, name = recipe(pick)
    model, shape = FRAMEWORKS[framework](plan, layout), x.shape[1:] if framework == "pytorch" else None
    reader = frontend_named(framework)
    opened = reader.open(model, input_shape=shape)
    graph = load(model, frontend=framework, input_shape=shape, check=False)
    check_parsed(graph, reader, opened, x)
    try:
        network = convert(graph, calibration, duration=duration, **choices)
    except (UnsupportedError, ConversionError) as error:
        event(f"refused: {error.message[:60]}")
        return
    if not choices["weight_bits"] and not plan.exact:
        event("not exact")
        return
    if network.grid and name == "plain" and choices["schedule"] == "rate" and pick([True, False, False]):
        network, name = clipped(network), "clipped"
    steps = run_steps(network, duration)
    given = samples_for(choices["encoding"], x, steps, rng)
    wanted = InisimBackend().build(network, engine="reference").run(given, steps=steps, record=EVERYTHING)
    memory, threads, dtype = pick([2**23, 2**12, 2**8]), pick([1, 1, 3]), pick(["float32", "float32", "float64"])
    event(f"{name}, {choices['weight_bits']} bits, {choices['schedule']}")
    for engine, compiled in ENGINES:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(jit, "PATIENCE", 0 if compiled else float("inf"))
            patch.setitem(simulation.CHUNK_BYTES, "cpu", memory)  # parts of the samples, and few steps at once
            patch.setattr(torch, "get_num_threads", lambda: threads)
            built = InisimBackend().build(network, engine=engine, device="cpu", chunk=chunk, dtype=dtype)
            found = built.run(given, steps=steps, record=EVERYTHING)
            assert differences(found, wanted) == [], (engine, compiled, choices)
            lean = built.run(given, steps=steps, record=Record(outputs_per_step=False))
        for output, value in wanted.outputs.items():
            np.testing.assert_allclose(lean.outputs[output], value, rtol=1e-9, atol=1e-9 * max(1, np.abs(value).max()))


QUIET = {"deadline": None, "suppress_health_check": list(HealthCheck), "derandomize": True, "database": None,
         "phases": (Phase.generate,)}  # fmt: skip


@pytest.fixture(autouse=True)
def _quiet(caplog):
    caplog.set_level(logging.CRITICAL)


@pytest.mark.long
@settings(max_examples=16, **QUIET)
@given(st.randoms(use_true_random=True))
def test_through_onnx(chance):
    check(chance, "onnx")


@settings(max_examples=4, **QUIET)
@given(st.randoms(use_true_random=True))
def test_through_keras(chance):
    check(chance, "keras")


@pytest.mark.long
@settings(max_examples=4, **QUIET)
@given(st.randoms(use_true_random=True))
def test_through_pytorch(chance):
    check(chance, "pytorch")


@pytest.mark.long
@pytest.mark.parametrize("framework", FRAMEWORKS)
@settings(max_examples=12, **QUIET)
@given(chance=st.randoms(use_true_random=True))
def test_more_of_them(framework, chance):
    check(chance, framework)
