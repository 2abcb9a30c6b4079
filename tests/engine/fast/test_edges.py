"""The fast paths at their edges: geometry that differs by axis, sums of sums, joined bytes, long rows, wide sums."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.backends.inisim import simulation
from snntoolbox.backends.inisim.backend import InisimBackend
from snntoolbox.engine.fast import (
    bytes_maps,
    events_products,
    jit,
    neurons_firing,
    neurons_loops,
    products_int8,
)
from snntoolbox.engine.fast.bytes_maps import Form, moved
from snntoolbox.engine.kernels import prepare
from snntoolbox.engine.tensors import Target
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import Grid, Population
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.nodes import AveragePool, Concat, Conv, Dense
from snntoolbox.ir.result import Record

RANDOM = np.random.default_rng(2)
INT8 = pytest.mark.skipif(not products_int8.works(), reason="this processor has no exact 8-bit products in torch")
NUMBA = pytest.mark.skipif(not jit.installed(), reason="needs numba")
FLOAT = Target(torch.device("cpu"), torch.float32, exact=True)

GEOMETRY = {
    "dilation": {"dilation": (2, 1), "padding": ((1, 1), (1, 1))},
    "dilation, uneven padding": {"dilation": (1, 3), "padding": ((1, 0), (0, 2))},
    "stride": {"stride": (1, 2), "padding": ((1, 1), (0, 0))},
    "padding by axis": {"padding": ((2, 2), (0, 0))},
    "all": {"stride": (1, 2), "dilation": (2, 1), "padding": ((2, 0), (0, 1)), "kernel": (2, 3)},
}


def convolution(name):
    given = {"stride": (1, 1), "dilation": (1, 1), "padding": ((0, 0), (0, 0)), **GEOMETRY[name]}
    weight = RANDOM.integers(-99, 100, (5, 4, *given.pop("kernel", (3, 3)))).astype(float)
    return Conv(name="c", inputs=("x",), weight=weight, groups=1, **given), (4, 9, 7)


def some_bytes(peak, *shape):
    return RANDOM.integers(0, peak + 1, shape).astype(np.uint8)


@pytest.mark.parametrize("name", GEOMETRY)
@pytest.mark.parametrize("way", [pytest.param("int8", marks=INT8), "event"])
def test_geometry_by_axis(name, way, monkeypatch):
    node, shape = convolution(name)
    x = some_bytes(3, 3, *shape)
    wanted = node.linear(x.astype(float))
    if way == "int8":
        kernel, _ = products_int8.product(node, node.weight, 3)
    else:
        monkeypatch.setattr(events_products, "compiled", lambda loop: loop)
        kernel = events_products.EventProduct(node, node.weight, shape, Form(3), lambda v: v, always=True)
    with torch.inference_mode():
        assert np.array_equal(kernel(torch.from_numpy(x)).numpy(), wanted)


@pytest.mark.parametrize("form", [Form(1), Form(4, 0.25), Form(1, 2.0)])
@pytest.mark.parametrize("kind", ["conv", "dense"])
def test_both_ways_of_an_event_product_are_the_same(form, kind, monkeypatch):
    monkeypatch.setattr(events_products, "compiled", lambda loop: loop)
    if kind == "conv":
        node, shape = convolution("all")
    else:
        node, shape = Dense(name="d", inputs=("x",), weight=RANDOM.integers(-9, 10, (5, 13)) * 1.0), (13,)
    kernel = prepare(node, (shape,), FLOAT)
    dense = lambda v: kernel(v.to(torch.float32) * form.factor)  # noqa: E731
    product = events_products.EventProduct(node, node.weight, shape, form, dense, always=False)
    for share, way in ((0.0, "event"), (1.0, "dense")):
        product.taken.clear()
        x = np.maximum(some_bytes(form.peak, 2, *shape), 1) * (RANDOM.random((2, *shape)) < share).astype(np.uint8)
        assert np.array_equal(product(torch.from_numpy(x)).numpy(), node.linear(x * form.factor))
        assert product.taken == {way}


def test_few_events_are_summed_and_many_multiplied():
    node = Dense(name="d", inputs=("x",), weight=RANDOM.integers(-9, 10, (64, 100)) * 1.0)
    limit = events_products.limit(node.weight[:, :, None, None], whole=False)
    for share, way in ((limit - 0.02, "event"), (limit + 0.02, "dense")):
        product = events_products.EventProduct(node, node.weight, (100,), Form(1), lambda v: v, always=False)
        x = np.zeros((1, 100), np.uint8)
        x[0, : round(share * 100)] = 1
        product.summed = lambda x: torch.zeros(0)
        product(torch.from_numpy(x))
        assert product.taken == {way}


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 15, 16, 17, pytest.param(300, marks=NUMBA)])
def test_any_number_of_events_is_summed(count, monkeypatch):
    """Eight at a time, then the rest; more channels than a byte can number."""
    if count < 256:  # in plain Python a number of bytes is a byte
        monkeypatch.setattr(events_products, "compiled", lambda loop: loop)
    node = Dense(name="d", inputs=("x",), weight=RANDOM.integers(-9, 10, (3, 300)) * 1.0)
    x = np.zeros((2, 300), np.uint8)
    x[1, RANDOM.permutation(300)[:count]] = 1
    product = events_products.EventProduct(node, node.weight, (300,), Form(1), lambda v: v, always=True)
    assert np.array_equal(product(torch.from_numpy(x)).numpy(), node.linear(x.astype(float)))


# -- bytes ----------------------------------------------------------------------------------------------------------

TWICE = {"kernel": (2, 2), "stride": (2, 2)}
NONE = ((0, 0), (0, 0))
POOLS = {
    "overhang": ({"kernel": (2, 2), "stride": (3, 3), "padding": NONE, "overhang": (1, 1), "count_padding": True}, 7),
    "overhang of 2 by 2": ({**TWICE, "padding": NONE, "overhang": (1, 1), "summed": True}, 5),
    "padding of 2 by 2": ({**TWICE, "padding": ((1, 1), (1, 1)), "count_padding": True}, 6),
    "padding before": ({**TWICE, "padding": ((1, 0), (1, 0)), "count_padding": True}, 5),
    "long windows": ({"kernel": (4, 1), "stride": (3, 2), "padding": NONE}, 7),
}


@pytest.mark.parametrize("fused", [False, pytest.param(True, marks=NUMBA)])
@pytest.mark.parametrize("form", [Form(1), Form(5, 0.25)])
@pytest.mark.parametrize("name", POOLS)
def test_pools_of_bytes(name, form, fused):
    settings, size = POOLS[name]
    node, shape = AveragePool(name="n", inputs=("x",), **settings), (2, size, size)
    x = some_bytes(form.peak, 3, *shape)
    x[0] = form.peak
    wanted = node.linear(x * form.factor)
    found = moved(node, (form,), (shape,), fused=fused)
    if found is None:  # the divisor differs at the border
        assert len(np.unique(node.divisor(shape[1:]))) > 1
        return
    given, kernel = found
    value = kernel(torch.from_numpy(x))
    assert value.dtype == torch.uint8
    assert int(value.max()) <= given.peak <= bytes_maps.LARGEST
    assert np.array_equal(value.numpy() * given.factor, wanted)


def test_joined_bytes_have_the_larger_peak_and_one_factor():
    node, shapes = Concat(name="n", inputs=("x", "y"), axis=0), ((2, 3, 3),) * 2
    for pair in ((Form(1), Form(4)), (Form(4), Form(1))):
        found = moved(node, pair, shapes, fused=False)
        assert found is not None
        assert found[0] == Form(4)
    assert moved(node, (Form(1), Form(4, 0.25)), shapes, fused=False) is None


def test_a_byte_stays_below_128():
    """Pairs of products of larger ones do not fit the 16 bits in which some processors add them."""
    assert bytes_maps.LARGEST == 127
    node = AveragePool(name="n", inputs=("x",), kernel=(2, 2), stride=(2, 2), padding=NONE)
    assert moved(node, (Form(31),), ((1, 4, 4),), fused=False) is not None
    assert moved(node, (Form(32),), ((1, 4, 4),), fused=False) is None


# -- neurons --------------------------------------------------------------------------------------------------------


def fired(neuron, currents, drive, fused, *, batch=2, size=5, steps=6):
    """What `Firing` makes of currents (steps, batch, size), or of its drive alone."""
    given = None if drive is None else torch.from_numpy(drive)
    population = Population(
        name="p", shape=(size,), neuron=neuron, current="c", scale=np.ones(1), activation="a", bias=np.full(size, 0.25)
    )
    state = neurons_firing.Firing(population, batch, torch.float32, fused=fused).restart(given)
    current = None if currents is None else torch.from_numpy(currents.reshape(steps * batch, size))
    together = state.advance(current, steps, None).clone().numpy().reshape(steps, batch, size)
    counts, last = state.counts.numpy().copy(), state.potential.numpy().copy()
    state.restart(given)
    trace = torch.empty((steps, batch, size))
    for step in range(steps):  # recorded potentials take the other loop
        now = None if current is None else current[step * batch : (step + 1) * batch]
        z = state.advance(now, 1, trace[step : step + 1])
        assert np.array_equal(z.numpy(), together[step])
    assert np.array_equal(trace[-1].numpy(), last)
    return together, trace.numpy(), counts


def expected(neuron, currents, drive, *, batch=2, size=5, steps=6):
    v = np.full((batch, size), neuron.initial)
    spikes, trace = [], []
    for step in range(steps):
        v = v + 0.25 + (0 if drive is None else drive) + (0 if currents is None else currents[step])
        z = v >= neuron.threshold
        v = v - neuron.threshold * z if neuron.reset is Reset.SUBTRACT else np.where(z, neuron.reset_potential, v)
        spikes.append(z)
        trace.append(v)
    return np.array(spikes), np.array(trace), np.sum(spikes, axis=0)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("reset", [Reset.SUBTRACT, Reset.ZERO])
@pytest.mark.parametrize("currents", [True, False], ids=["currents", "drive alone"])
@pytest.mark.parametrize("drive", [True, False], ids=["input", "bias"])
@pytest.mark.parametrize("block", [2, 1024])
def test_every_loop_of_neurons(fused, reset, currents, drive, block, monkeypatch):
    """Ties (V exactly at the threshold), samples that differ, neurons in several blocks, a reset beside zero."""
    monkeypatch.setattr(neurons_firing, "compiled", lambda loop: loop)
    monkeypatch.setattr(neurons_loops, "BLOCK", block)
    neuron = IF(threshold=1.0, initial=0.5, reset=reset, reset_potential=0.0 if reset is Reset.SUBTRACT else 0.125)
    values = RANDOM.integers(-2, 5, (6, 2, 5)).astype(np.float32) / 8 if currents else None
    given = RANDOM.integers(0, 4, (2, 5)).astype(np.float32) / 8 if drive else None
    wanted = expected(neuron, values, given)
    assert np.any(wanted[0])
    for ours, theirs in zip(fired(neuron, values, given, fused), wanted, strict=True):
        assert np.array_equal(ours, theirs)


# -- whole networks -------------------------------------------------------------------------------------------------


def check(network, x, steps=9, **options):
    wanted = interpret(network, *x, steps=steps, record=Record(spikes=True))
    for engine in ("dense", "auto", *(["event"] if jit.installed() else [])):
        found = (
            InisimBackend()
            .build(network, device="cpu", engine=engine, **options)
            .run(*x, steps=steps, record=Record(spikes=True))
        )
        assert all(np.array_equal(found.spikes[n], wanted.spikes[n]) for n in wanted.spikes), engine
        assert all(np.allclose(found.outputs[n], wanted.outputs[n], rtol=1e-12) for n in wanted.outputs), engine


def pooled():
    """Whole weights and thresholds, and an average in the wiring."""
    draft = Draft(neuron=IF(threshold=8.0, initial=4.0))
    first = draft.neurons(draft.conv(draft.input(2, 6, 6), 4, (3, 3), ((1, 1), (1, 1))), bias=1.0)
    average = draft.node(AveragePool, first, kernel=(2, 2), stride=(2, 2), padding=NONE)
    second = draft.neurons(draft.conv(average, 4, (3, 3), ((1, 1), (1, 1))), bias=2.0)
    draft.readout(draft.dense(draft.flat(second), 3))
    network = draft.network()
    nodes = [replace(n, weight=n.weight * 16) for n in network.wiring.nodes.values() if hasattr(n, "weight")]
    return network.replaced(wiring=network.wiring.edited(nodes))


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=NUMBA)])
def test_averages_on_a_grid_keep_their_divisor(compiled, monkeypatch):
    """`Quantize` moves divisors into the weights; a network whose maps still divide must not lose them."""
    monkeypatch.setattr(jit, "PATIENCE", 0 if compiled else float("inf"))
    network = pooled()
    network = network.replaced(grid=Grid(weight_bits=8, start=8, growth=2**10))
    x = [RANDOM.integers(0, 5, (4, 2, 6, 6)).astype(float)]
    check(network, x)


@pytest.mark.parametrize("steps", [1, 3, 8])
def test_an_input_for_some_steps_is_not_taken_for_a_lasting_one(steps, monkeypatch):
    monkeypatch.setattr(jit, "PATIENCE", 0 if jit.installed() else float("inf"))
    network = pooled()
    network = network.replaced(encodings={n: ConstantCurrent(steps=steps) for n in network.encodings})
    check(network, [RANDOM.integers(0, 5, (4, 2, 6, 6)).astype(float)])


@pytest.mark.parametrize("engine", ["dense", pytest.param("event", marks=NUMBA)])
def test_parts_of_a_batch_draw_their_own_trains(engine, monkeypatch):
    draft = Draft()
    cells = draft.neurons(draft.dense(draft.poisson(6), 8))
    draft.readout(draft.dense(cells, 3))
    network, x = draft.network(), np.ones((7, 6))
    wanted = interpret(network, x, steps=9, record=Record(spikes=True), first_sample=4)
    monkeypatch.setitem(simulation.CHUNK_BYTES, "cpu", 2**8)
    built = InisimBackend().build(network, device="cpu", engine=engine)
    together, _ = built._fitting(built.plans[False], 7, 9, None)
    assert together < 7
    found = built.run(x, steps=9, record=Record(spikes=True), first_sample=4)
    assert all(np.array_equal(found.spikes[n], wanted.spikes[n]) for n in wanted.spikes)


@NUMBA
def test_float64_is_not_shortened_by_events():
    """Weights of more than 24 bits, and currents that decide by the last of them."""
    draft = Draft()
    cells = draft.neurons(draft.dense(draft.input(6), 8), bias=0.5)
    draft.readout(draft.neurons(draft.dense(cells, 5), IF(threshold=1.0, initial=0.5), bias=0.0))
    network = draft.network()
    _, second = (n for n in network.wiring.nodes.values() if isinstance(n, Dense))
    weight = np.where(np.arange(8) % 2, 0.25, 0.25 - 2.0**-40) * np.ones((5, 1))  # a tie with one spike of the first
    network = network.replaced(wiring=network.wiring.edited([replace(second, weight=weight)]))
    x = RANDOM.integers(0, 5, (4, 6)) / 4
    wanted = interpret(network, x, steps=9, record=Record(spikes=True))
    built = InisimBackend().build(network, device="cpu", engine="event", dtype="float64")
    found = built.run(x, steps=9, record=Record(spikes=True))
    assert all(np.array_equal(found.spikes[n], wanted.spikes[n]) for n in wanted.spikes)


@NUMBA
def test_layers_too_wide_for_lists_of_events_are_multiplied():
    """A list holds channels as 16-bit numbers."""
    draft = Draft(neuron=IF(initial=0.5))
    cells = draft.neurons(draft.input(2**16 + 3), bias=0.0)
    draft.neurons(draft.dense(cells, 2), bias=0.0)
    x = np.zeros((1, 2**16 + 3))
    x[0, -5:] = 1
    network = draft.network()
    wanted = interpret(network, x, steps=2, record=Record(spikes=True))
    found = InisimBackend().build(network, device="cpu", engine="event").run(x, steps=2, record=Record(spikes=True))
    assert all(np.array_equal(found.spikes[n], wanted.spikes[n]) for n in wanted.spikes)


def test_neurons_with_more_than_the_loops_know_take_the_general_path():
    plain = Population(name="p", shape=(2,), neuron=IF(), current="c", scale=np.ones(1), activation="a")
    assert neurons_firing.plain(plain)
    assert neurons_firing.plain(replace(plain, bound=np.array([1.0, 2.0])))
    assert not neurons_firing.plain(replace(plain, pulses={0: np.ones(2)}))
    for fields in ({"window": (0, 3)}, {"levels": (1.0, 2.0)}, {"levels": (1.0, 0.5)}):
        assert not neurons_firing.plain(replace(plain, neuron=IF(**fields)))
