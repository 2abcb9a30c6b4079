"""Every engine gives the interpreter's spikes, and says which way it took."""

import os
import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from waiting import PATIENCE

from snntoolbox.analysis.conformance.cases import cases
from snntoolbox.analysis.conformance.checks import check
from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.analysis.conformance.networks import NETWORKS
from snntoolbox.backends.inisim.backend import InisimBackend
from snntoolbox.conversion.spiking.quantize import Quantize
from snntoolbox.engine.fast import events_products, jit, products_int8
from snntoolbox.errors import BackendError
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.nodes import Add, AveragePool, Concat, Mean, Pad, Permute, Reshape, Scale, Take
from snntoolbox.ir.result import Record

NUMBA = pytest.mark.skipif(not jit.installed(), reason="needs numba")
INT8 = pytest.mark.skipif(not products_int8.works(), reason="this processor has no exact 8-bit products in torch")
EVERYTHING = Record(spikes=True, potentials=True)

# name -> options, whether loops are compiled
ENGINES = {
    "auto": ({}, False),
    "auto, compiled": ({}, True),
    "auto, whole events": ({}, "events"),
    "event": ({"engine": "event"}, True),
    "dense": ({"engine": "dense"}, False),
    "reference": ({"engine": "reference"}, False),
}


@pytest.fixture(params=ENGINES)
def options(request, monkeypatch):
    given, compiled = ENGINES[request.param]
    if compiled and not jit.installed() and not os.environ.get("CI"):
        pytest.skip("needs numba")
    monkeypatch.setattr(jit, "PATIENCE", 0 if compiled else float("inf"))
    if compiled == "events":  # of 8-bit networks too, however small and dense their layers
        monkeypatch.setattr(events_products, "SPARSE", dict.fromkeys(events_products.SPARSE, 1.0))
        monkeypatch.setattr(events_products, "FEWEST", 0)
    return {"device": "cpu", **given}


CASES = {case.name: case for case in cases()}


@pytest.mark.parametrize("options", [e for e in ENGINES if e != "auto"], indirect=True)  # `auto`: all backends' test
@pytest.mark.parametrize("name", CASES)
@pytest.mark.one_in(3)
def test_engine_conforms(name, options):
    if options.get("engine") == "reference" and CASES[name].check == "recorded":
        pytest.skip("the interpreter tells no progress")
    assert check(InisimBackend(), CASES[name], **options) == "passed"


def cnn(draft):
    """What vision networks are made of: pools of 2, 3 and all, a skip, flattening, a joined dense layer."""
    first = draft.neurons(draft.conv(draft.input(3, 8, 8), 16, (3, 3), ((1, 1), (1, 1))))
    second = draft.neurons(draft.conv(draft.average(first, stride=2), 8, (3, 3), ((1, 1), (1, 1))))
    third = draft.neurons(draft.conv(draft.node(Concat, second, second, axis=0), 8, (3, 3), ((0, 1), (1, 1)), groups=2))
    fourth = draft.neurons(draft.dense(draft.flat(draft.average(third, stride=2)), 9))
    draft.readout(draft.dense(fourth, 4))
    draft.readout(draft.dense(draft.node(Mean, third, axes=(1, 2)), 3))


def line(draft):
    """One axis, channels last, and a dense layer that reads a permuted and flattened population."""
    first = draft.neurons(draft.conv(draft.input(2, 12), 6, (3,), ((1, 1),)))
    pooled = draft.node(AveragePool, first, kernel=(4,), stride=(4,), padding=((0, 0),))
    second = draft.neurons(draft.conv(pooled, 4, (2,), ((1, 0),), dilation=1))
    turned = draft.node(Permute, second, axes=(1, 0))
    draft.readout(draft.dense(draft.node(Reshape, turned, shape=(12,)), 3))


def tree(draft):
    """Max pooling by comparing neurons: taps, differences, and sums in front of a convolution and a dense layer."""
    first = draft.neurons(draft.conv(draft.input(2, 4, 6), 16, (3, 3), ((1, 1), (1, 1))))
    left, right = (draft.node(Take, first, axis=2, indices=(i, i + 2, i + 4)) for i in (0, 1))
    larger = draft.neurons(draft.node(Add, left, right, coefficients=(1.0, -0.5)))
    scaled = draft.node(Scale, larger, gain=draft.numbers(16, 1, 1))
    most = draft.node(Add, right, scaled)
    second = draft.neurons(draft.conv(most, 8, (3, 3), ((1, 1), (0, 1)), dilation=1))
    third = draft.neurons(draft.dense(draft.flat(most), 9))
    draft.readout(draft.dense(draft.flat(second), 4))
    draft.readout(draft.dense(third, 3))


def shortened(draft):
    """A residual link by every second pixel and channels of zeros, and one that is scaled value by value."""
    first = draft.neurons(draft.conv(draft.input(3, 6, 6), 8, (3, 3), ((1, 1), (1, 1))))
    long = draft.conv(first, 16, (3, 3), ((0, 1), (0, 1)), stride=2)
    rows = draft.node(Take, first, axis=1, indices=(0, 2, 4))
    short = draft.node(Pad, draft.node(Take, rows, axis=2, indices=(0, 2, 4)), pads=((4, 4), (0, 0), (0, 0)))
    second = draft.neurons(draft.node(Add, long, short))
    each = draft.node(Scale, second, gain=draft.numbers(16, 3, 3))
    third = draft.neurons(draft.node(Add, each, draft.conv(second, 16, (1, 1), ((0, 0), (0, 0)))))
    draft.readout(draft.dense(draft.flat(third), 4))


JOINED = {"tree": tree, "shortened": shortened}
DRAWN = {**NETWORKS, "cnn": cnn, "line": line, **JOINED}
OTHERWISE = {"late start", "late tie", "differences", "spike times"}
"""These leak, carry fractions, or take other inputs; the conformance cases have them."""

NEURONS = {"subtract": IF(initial=0.5), "zero": IF(reset=Reset.ZERO)}


@cache
def quantized(name, bits, reset):
    draft = Draft(exact=False, neuron=NEURONS[reset])
    DRAWN[name](draft)
    network = Quantize(bits)(draft.network())
    random = np.random.default_rng(3)
    x = [2 * random.random((5, *network.wiring.shapes[n])) - 0.5 for n in network.encodings]
    return network, x, interpret(network, *x, steps=21, record=EVERYTHING)


def differences(found, wanted):
    """What two results do not have in common; recorded potentials are float32."""
    kinds = {"counts": int, "spikes": bool, "potentials": np.float32, "outputs": float}
    return [
        f"{kind} of {name}"
        for kind, dtype in kinds.items()
        for name, value in getattr(wanted, kind).items()
        if not np.array_equal(getattr(found, kind)[name].astype(dtype), value.astype(dtype))
    ]


GRIDS = [(8, "subtract"), (8, "zero"), (11, "subtract"), (16, "subtract")]


def products():
    """All networks on all engines and grids: every pair of two of these at once, the rest of the product is long."""
    for i, name in enumerate(n for n in DRAWN if n not in OTHERWISE):
        for j, engine in enumerate(ENGINES):
            for k, (bits, reset) in enumerate(GRIDS):
                rest = () if (i + j) % len(GRIDS) == k else pytest.mark.long
                yield pytest.param(name, engine, bits, reset, id=f"{name}-{engine}-{bits}-{reset}", marks=rest)


@pytest.mark.parametrize(("name", "options", "bits", "reset"), [*products()], indirect=["options"])
def test_integer_networks_are_exact(name, bits, reset, options):
    network, x, wanted = quantized(name, bits, reset)
    with InisimBackend().build(network, **options) as simulation:
        assert differences(simulation.run(*x, steps=21, record=EVERYTHING), wanted) == []
        # Read-outs from counts alone, parts of a batch, and memory that is used again.
        found = simulation.run(*x, steps=21, record=Record(outputs_per_step=False))
        assert all(np.allclose(found.outputs[n], wanted.outputs[n], rtol=1e-12) for n in wanted.outputs)
        assert all(np.array_equal(found.counts[n], wanted.counts[n]) for n in wanted.counts)


@INT8
@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=NUMBA)])
@pytest.mark.parametrize(("factor", "dtype"), [(1, torch.float32), (2**14, torch.float64)])
def test_large_potentials_stay_exact(factor, dtype, compiled, monkeypatch):
    monkeypatch.setattr(jit, "PATIENCE", 0 if compiled else float("inf"))
    network, x, _ = quantized("cnn", 8, "subtract")
    x = [a * factor for a in x]  # currents beyond 2^24: float32 would lose their last bits
    wanted = interpret(network, *x, steps=9, record=EVERYTHING)
    built = InisimBackend().build(network, device="cpu")
    found = built.run(*x, steps=9, record=Record(spikes=True))
    assert {used for used, _ in built.fast} == {dtype}
    assert all(np.array_equal(found.spikes[n], wanted.spikes[n]) for n in wanted.spikes)
    assert {way for ways in found.engine_paths.values() for way in ways} == {"int8", "constant"}


@INT8
@pytest.mark.parametrize(("bits", "way"), [(8, "int8"), (11, "int8x2")])
def test_paths_are_told(bits, way):
    network, x, _ = quantized("cnn", bits, "subtract")
    paths = InisimBackend().build(network, device="cpu").run(*x, steps=4).engine_paths
    names = list(network.populations)
    assert paths[names[0]] == {"constant"}
    assert all(paths[n] == {way} for n in names[1:])


@NUMBA
@pytest.mark.parametrize(("bias", "way"), [(-3.0, "event"), (3.0, "dense")])
def test_density_chooses(bias, way, monkeypatch):
    monkeypatch.setattr(jit, "PATIENCE", 0)
    draft = Draft()
    first = draft.neurons(draft.conv(draft.input(2, 6, 6), 4, (3, 3), ((1, 1), (1, 1))), bias=bias)
    draft.neurons(draft.conv(first, 4, (3, 3), ((1, 1), (1, 1))))
    network = draft.network()
    x = np.random.default_rng(0).random((2, 2, 6, 6)).astype(np.float32)
    for engine, wanted in (("auto", {way}), ("event", {"event"}), ("dense", {"dense"})):
        found = InisimBackend().build(network, device="cpu", engine=engine).run(x, steps=8)
        assert found.engine_paths[list(network.populations)[1]] == wanted, engine


@NUMBA
def test_float_weights_give_the_same_rates(monkeypatch):
    monkeypatch.setattr(jit, "PATIENCE", 0)
    draft = Draft(exact=False)
    cnn(draft)
    network = draft.network()
    x = np.random.default_rng(0).random((20, 3, 8, 8)).astype(np.float32)
    runs = {e: InisimBackend().build(network, engine=e, device="cpu").run(x, steps=64) for e in ("event", "dense")}
    for name in network.populations:
        difference = np.abs(runs["event"].rates(name) - runs["dense"].rates(name))
        assert difference.mean() < 0.5 / 64, name
    assert np.mean(runs["event"].predictions == runs["dense"].predictions) >= 0.95


@NUMBA
def test_threads_share_the_work(monkeypatch):
    monkeypatch.setattr(jit, "PATIENCE", 0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    monkeypatch.setattr(events_products, "SPARSE", dict.fromkeys(events_products.SPARSE, 1.0))
    monkeypatch.setattr(events_products, "FEWEST", 0)
    network, x, wanted = quantized("cnn", 8, "subtract")
    for engine in ("auto", "event"):
        built = InisimBackend().build(network, device="cpu", engine=engine)
        assert differences(built.run(*x, steps=21, record=EVERYTHING), wanted) == []
        # One sample: the threads share its rows, and read some of them twice.
        found = built.run(*(a[:1] for a in x), steps=21, record=Record(spikes=True))
        assert all(np.array_equal(found.spikes[n], wanted.spikes[n][:, :1]) for n in wanted.spikes)


def test_event_engine_without_numba_is_refused(monkeypatch):
    monkeypatch.setattr(jit, "installed", lambda: False)
    jit.compiled.cache_clear()
    with pytest.raises(BackendError, match=r"snntoolbox\[fast\]"):
        InisimBackend().build(quantized("cnn", 8, "subtract")[0], engine="event")


def test_batches_differ_by_nothing_that_ran_before():
    network, x, wanted = quantized("cnn", 8, "subtract")
    with InisimBackend().build(network, device="cpu") as built:
        built.run(*(a[:2] for a in x), steps=5)
        assert differences(built.run(*x, steps=21, record=EVERYTHING), wanted) == []
        kept = built.run(*x, steps=21, record=Record(spikes=True))
        built.run(*(1 - a for a in x), steps=21)
        assert all(np.array_equal(kept.spikes[n], wanted.spikes[n]) for n in wanted.spikes)
        assert all(np.array_equal(kept.counts[n], wanted.counts[n]) for n in wanted.counts)


def test_small_runs_do_not_wait_for_numba():
    code = """
import sys
from snntoolbox.analysis.conformance.cases import cases
from snntoolbox.analysis.conformance.checks import check
from snntoolbox.backends.inisim.backend import InisimBackend
for case in cases():
    if case.name.startswith("network"):
        check(InisimBackend(), case)
assert "torch" in sys.modules and "numba" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE)


def test_a_readout_may_have_the_name_of_the_layer_that_it_reads(options):
    """A flattened dense layer reads what lies before the flattening, and its read-out still reads the layer."""
    draft = Draft(exact=False, neuron=IF(initial=0.5))
    cells = draft.neurons(draft.conv(draft.input(3, 6, 6), 8, (3, 3), ((1, 1), (1, 1))))
    draft.readout(draft.dense(draft.flat(cells), 4))
    network = draft.network()
    (readout,) = network.readouts
    network = network.replaced(readouts=[replace(readout, name=readout.current)])
    x = np.random.default_rng(3).random((5, 3, 6, 6))
    wanted = interpret(network, x, steps=7)
    found = InisimBackend().build(network, **options).run(x, steps=7)
    np.testing.assert_allclose(found.output, wanted.output, atol=1e-5)
