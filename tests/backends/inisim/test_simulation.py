"""INI against the interpreter, spike for spike, on networks whose sums float32 holds exactly."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from snntoolbox.backends.inisim.backend import InisimBackend
from snntoolbox.engine.neurons import IntegrateAndFire
from snntoolbox.ir.encodings import ConstantCurrent, Poisson
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import constant_currents, interpret
from snntoolbox.ir.network import Grid, Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF, MaxGate, Reset
from snntoolbox.ir.nodes import (
    Add,
    AveragePool,
    Concat,
    Conv,
    Dense,
    Input,
    Mean,
    Pad,
    Permute,
    Reshape,
    Scale,
    Sparse,
    Take,
)
from snntoolbox.ir.result import Record

ALL = Record(spikes=True, potentials=True)
STEPS = 11


class Draft:
    """A network under construction; all numbers are multiples of 1/16 (or random floats with `exact=False`)."""

    def __init__(self, seed=0, *, exact=True):
        self.random = np.random.default_rng(seed)
        self.exact = exact
        self.nodes, self.shapes, self.encodings = {}, {}, {}
        self.populations, self.readouts = [], []

    def numbers(self, *shape, scale=0.5):
        if self.exact:
            return self.random.integers(-int(16 * scale), int(16 * scale) + 1, size=shape) / 16
        return self.random.uniform(-scale, scale, size=shape)

    def node(self, kind, *sources, **fields):
        name = f"{kind.__name__.lower()}{len(self.nodes)}"
        return self.add(kind(name=name, inputs=sources, **fields))

    def add(self, node):
        self.nodes[node.name] = node
        self.shapes[node.name] = node.output_shape(*(self.shapes[i] for i in node.inputs))
        return node.name

    def input(self, shape, coding):
        name = f"input{len(self.encodings)}"
        self.encodings[name] = coding
        return self.add(Input(name=name, shape=shape))

    def poisson(self, shape, seed=3):
        """A Poisson input of amplitude 2, and the gain behind it."""
        source = self.input(shape, Poisson(amplitude=2.0, seed=seed))
        return self.node(Scale, source, gain=np.full((1,) * len(shape), 2.0))

    def dense(self, source, out):
        return self.node(Dense, source, weight=self.numbers(out, self.shapes[source][-1], scale=1.0))

    def conv(self, source, out, stride=1, padding=((1, 1), (0, 1))):
        weight = self.numbers(out, self.shapes[source][0], 3, 2)
        return self.node(Conv, source, weight=weight, stride=(stride,) * 2, padding=padding, dilation=(1, 1))

    def average(self, source):
        pads = ((0, 0), (0, 0))
        return self.node(AveragePool, source, kernel=(2, 2), stride=(2, 2), padding=pads)

    def flat(self, source):
        return self.node(Reshape, source, shape=(int(np.prod(self.shapes[source])),))

    def neurons(self, current, shape=None, neuron=None, bias=True):
        shape = shape or self.shapes[current]
        name = f"population{len(self.populations)}"
        bias = self.numbers(*shape, scale=0.25) if bias else None
        neuron = neuron or IF()
        scale = np.ones((1,) * len(shape))
        self.populations.append(
            Population(name=name, shape=shape, neuron=neuron, current=current, bias=bias, scale=scale, activation=name)
        )
        return self.add(Input(name=name, shape=shape))

    def gate(self, current, kernel, stride, padding, dilation=(1, 1)):
        geometry = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
        spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
        sizes = zip(self.shapes[current][1:], spans, stride, padding, strict=True)
        space = tuple((n + lo + hi - k) // s + 1 for n, k, s, (lo, hi) in sizes)
        return self.neurons(current, (self.shapes[current][0], *space), MaxGate(**geometry), bias=False)

    def readout(self, current, bias=True, scale=1.5):
        shape = self.shapes[current]
        bias = self.numbers(*shape) if bias else None
        name = f"out{len(self.readouts)}"
        self.readouts.append(Readout(name=name, current=current, shape=shape, bias=bias, scale=scale))

    def network(self, grid=None):
        ends = [p.current for p in self.populations] + [r.current for r in self.readouts]
        wiring = Graph(self.nodes.values(), list(dict.fromkeys(ends)))
        return SpikingNetwork(wiring, self.encodings, self.populations, self.readouts, grid=grid)


def mlp(draft):
    hidden = draft.neurons(draft.dense(draft.input((6,), ConstantCurrent()), 9))
    second = draft.neurons(draft.dense(hidden, 7))
    draft.readout(draft.dense(second, 4))


def convolutions(draft):
    """The shared linear work of two pools, flatten and dense; the last map is not one layer but three."""
    first = draft.neurons(draft.conv(draft.input((2, 6, 8), ConstantCurrent()), 4))
    second = draft.neurons(draft.conv(draft.average(first), 5))
    draft.readout(draft.dense(draft.flat(draft.average(second)), 3))


def residual(draft):
    first = draft.neurons(draft.conv(draft.input((2, 5, 6), ConstantCurrent()), 4))
    second = draft.neurons(draft.conv(first, 4))
    third = draft.neurons(draft.node(Add, draft.conv(second, 4), first, coefficients=(1.0, -0.5)))
    draft.readout(draft.node(Mean, draft.node(Take, third, axis=1, indices=(0, 1, 2, 4)), axes=(1,)))


def constant_joins_spikes(draft):
    """The input itself is concatenated and added to what comes from spikes."""
    source = draft.input((2, 4, 4), ConstantCurrent())
    first = draft.neurons(draft.conv(source, 2))
    joined = draft.neurons(draft.conv(draft.node(Concat, source, first, axis=0), 3))
    summed = draft.neurons(draft.node(Add, draft.conv(joined, 2), source), bias=False)
    draft.readout(draft.dense(draft.flat(draft.node(Concat, summed, source)), 3))


def moves(draft):
    first = draft.neurons(draft.conv(draft.input((2, 4, 6), ConstantCurrent()), 3))
    padded = draft.node(Pad, first, pads=((0, 1), (1, 0), (0, 2)))
    turned = draft.node(Permute, padded, axes=(2, 0, 1))
    second = draft.neurons(draft.node(Take, turned, axis=0, indices=(7, 5, 5, 0, 1, 2)))
    third = draft.neurons(draft.conv(draft.node(Permute, second, axes=(1, 2, 0)), 2))
    matrix = draft.numbers(6, int(np.prod(draft.shapes[third])))
    shapes = {"shape_in": draft.shapes[third], "shape_out": (2, 3)}
    draft.readout(draft.node(Sparse, third, matrix=sp.csr_array(matrix), **shapes))


def several_ends(draft):
    """Two inputs of two codings; a read-out of a Poisson input alone, one of the constant, one of both."""
    image, spikes = draft.input((5,), ConstantCurrent()), draft.poisson((6,))
    hidden = draft.neurons(draft.node(Add, draft.dense(image, 7), draft.dense(spikes, 7)))
    draft.readout(draft.dense(hidden, 4))
    draft.readout(draft.dense(spikes, 3), bias=False)
    draft.readout(draft.dense(image, 2))
    draft.readout(draft.node(Concat, image, spikes))


def signed_poisson(draft):
    first = draft.neurons(draft.conv(draft.poisson((2, 6, 8)), 4))
    draft.readout(draft.dense(draft.flat(draft.average(first)), 3))


def no_population(draft):
    draft.readout(draft.dense(draft.input((5,), ConstantCurrent()), 3))


def spikes_without_population(draft):
    draft.readout(draft.dense(draft.poisson((5,)), 3))


def bias_alone_drives(draft):
    """A second population that a silent part of the first feeds."""
    source = draft.input((4,), ConstantCurrent())
    first = draft.neurons(draft.node(Scale, source, gain=np.zeros(1)))
    draft.readout(draft.dense(first, 3))


def one_dimension(draft):
    kernels = {"stride": (1,), "padding": ((1, 1),), "dilation": (1,)}
    source = draft.input((2, 8), ConstantCurrent())
    first = draft.neurons(draft.node(Conv, source, weight=draft.numbers(3, 2, 3), **kernels))
    pooled = draft.node(AveragePool, first, kernel=(2,), stride=(2,), padding=((0, 0),))
    second = draft.neurons(draft.node(Conv, pooled, weight=draft.numbers(4, 3, 3), **kernels))
    draft.readout(draft.flat(second))


def gated(kernel, stride, padding, dilation=(1, 1)):
    def build(draft):
        first = draft.neurons(draft.conv(draft.input((2, 6, 7), ConstantCurrent()), 3))
        pooled = draft.gate(first, kernel, stride, padding, dilation)
        second = draft.neurons(draft.conv(pooled, 3))
        draft.readout(draft.flat(second))

    return build


NETWORKS = {
    "mlp": mlp,
    "convolutions": convolutions,
    "residual": residual,
    "constant joins spikes": constant_joins_spikes,
    "moves": moves,
    "several ends": several_ends,
    "signed poisson": signed_poisson,
    "no population": no_population,
    "spikes without population": spikes_without_population,
    "bias alone drives": bias_alone_drives,
    "one dimension": one_dimension,
    "gate": gated((2, 2), (2, 2), ((0, 0), (0, 0))),
    "gate, overlapping": gated((3, 2), (2, 1), ((1, 0), (1, 1))),
    "gate, dilated": gated((2, 2), (1, 2), ((1, 1), (0, 2)), (2, 3)),
}
THRESHOLDS = np.array([1.0, 0.5, 0.8125, 1.5])
NEURONS = {
    "subtract": {"reset": Reset.SUBTRACT},
    "zero": {"reset": Reset.ZERO},
    "zero, to another potential": {"reset": Reset.ZERO, "reset_potential": 0.25},
    "modulo": {"reset": Reset.MODULO},
    "small threshold": {"threshold": 0.25},
    "small threshold, modulo": {"threshold": 0.25, "reset": Reset.MODULO},
    "leak": {"leak": 0.5},
    "leak, zero": {"leak": 0.5, "reset": Reset.ZERO},
    "refractory": {"refractory": 2},
    "refractory, modulo, leak": {"refractory": 1, "reset": Reset.MODULO, "leak": 0.5},
    "start": {"initial": 0.5},
    "saturation": {"saturation": (-0.5, 0.75)},
    "threshold as an array of one": {"threshold": np.array([0.75])},
}


def built(name, *, seed=1, exact=True):
    draft = Draft(seed, exact=exact)
    NETWORKS[name](draft)
    return draft.network()


def samples(network, count=5, seed=2, exact=True):
    random = np.random.default_rng(seed)
    shapes = [(count, *network.wiring.shapes[n]) for n in network.encodings]
    return [random.integers(-16, 17, size=s) / 16 if exact else random.uniform(-1, 1, size=s) for s in shapes]


def assert_same(found, expected):
    """Everything that two results hold is identical (potentials in float32)."""
    assert (found.steps, found.samples) == (expected.steps, expected.samples)
    for field in ("spikes", "counts", "outputs", "outputs_per_step", "potentials"):
        ours, theirs = getattr(found, field), getattr(expected, field)
        assert list(ours) == list(theirs), field
        for name, value in theirs.items():
            wanted = value.astype(np.float32) if field == "potentials" else value
            np.testing.assert_array_equal(ours[name], wanted, err_msg=f"{field} of {name}")


def run(network, *x, steps=STEPS, record=ALL, first_sample=0, **options):
    with InisimBackend().build(network, **{"device": "cpu", **options}) as simulation:
        return simulation.run(*x, steps=steps, record=record, first_sample=first_sample)


@pytest.mark.parametrize("chunk", [0, 1, 4])
@pytest.mark.parametrize("name", NETWORKS)
def test_network_runs_as_interpreted(name, chunk):
    network = built(name)
    x = samples(network)
    expected = interpret(network, *x, steps=STEPS, record=ALL)
    assert all(c.sum() > 0 for c in expected.counts.values())
    assert_same(run(network, *x, chunk=chunk), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", NEURONS.values(), ids=NEURONS)
@pytest.mark.parametrize("name", ["mlp", "convolutions"])
def test_neurons_run_as_interpreted(name, options, dtype):
    network = built(name).with_neurons(**options)
    x = samples(network)
    expected = interpret(network, *x, steps=STEPS, record=ALL)
    assert all(c.sum() > 0 for c in expected.counts.values())
    assert_same(run(network, *x, chunk=3, dtype=dtype), expected)


def test_options_change_what_the_neurons_do():
    """So that the cases above tell the options apart."""
    network = built("mlp")
    x = samples(network)
    cases = [interpret(network.with_neurons(**o), *x, steps=STEPS, record=ALL) for o in NEURONS.values()]
    traces = {r.potentials["population1"].tobytes() for r in cases}
    assert len(traces) == len(NEURONS)


@pytest.mark.parametrize("reset", Reset)
@pytest.mark.parametrize("refractory", [0, 2])
def test_every_neuron_may_have_its_own_threshold_and_start(reset, refractory):
    draft = Draft(5)
    convolutions(draft)
    for i, population in enumerate(draft.populations):
        threshold = draft.random.choice(THRESHOLDS, size=population.shape)
        initial = draft.numbers(*population.shape)
        neuron = IF(threshold=threshold, initial=initial, reset=reset, refractory=refractory)
        draft.populations[i] = replace(population, neuron=neuron)
    network = draft.network()
    x = samples(network)
    assert_same(run(network, *x, chunk=4), interpret(network, *x, steps=STEPS, record=ALL))


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_alone_are_the_last_of_those_per_step(name):
    network = built(name)
    x = samples(network)
    found = run(network, *x, record=Record(outputs_per_step=False), chunk=4)
    expected = interpret(network, *x, steps=STEPS)
    assert found.outputs_per_step == found.spikes == found.potentials == {}
    for output, value in expected.outputs.items():
        np.testing.assert_array_equal(found.outputs[output], value)
    for population, value in expected.counts.items():
        np.testing.assert_array_equal(found.counts[population], value)


@pytest.mark.parametrize("name", ["residual", "several ends", "gate, overlapping"])
def test_batch_equals_singles(name):
    network = built(name)
    x = samples(network)
    whole = run(network, *x, first_sample=10)
    for i in range(len(x[0])):
        single = run(network, *(a[i : i + 1] for a in x), first_sample=10 + i)
        for population, count in single.counts.items():
            np.testing.assert_array_equal(count[0], whole.counts[population][i])
        for output, value in single.outputs.items():
            np.testing.assert_array_equal(value[0], whole.outputs[output][i])


def test_poisson_spikes_depend_on_the_sample_number():
    network = built("signed poisson")
    x = samples(network)
    first, later = (run(network, *x, first_sample=n) for n in (0, 100))
    assert_same(later, interpret(network, *x, steps=STEPS, record=ALL, first_sample=100))
    assert any((first.counts[p] != later.counts[p]).any() for p in first.counts)


def test_only_what_is_asked_for_is_recorded():
    network = built("convolutions")
    record = Record(spikes=frozenset({"population1"}), potentials=frozenset({"population0"}))
    found = run(network, *samples(network), record=record)
    assert set(found.spikes) == {"population1"}
    assert found.spikes["population1"].dtype == bool
    assert set(found.potentials) == {"population0"}
    assert found.potentials["population0"].dtype == np.float32


@pytest.mark.parametrize("name", ["mlp", "convolutions", "residual", "signed poisson", "gate"])
def test_float_weights_come_close(name):
    """Spikes may differ where a potential meets its threshold by less than rounding: rarely."""
    network = built(name, exact=False)
    x = samples(network, count=20, exact=False)
    found, expected = run(network, *x, steps=24), interpret(network, *x, steps=24, record=ALL)
    for population, spikes in expected.spikes.items():
        assert (found.spikes[population] == spikes).mean() > 0.999
    for output, value in expected.outputs.items():
        assert np.median(np.abs(found.outputs[output] - value)) < 1e-5


def on_grid(weight, growth):
    """One hidden layer of integers; the input's current is not whole before it is rounded."""
    draft = Draft(8)
    source = draft.input((6,), ConstantCurrent())
    current = draft.node(Dense, source, weight=draft.random.normal(size=(9, 6)) * weight)
    neuron = IF(threshold=np.full(9, float(weight)), initial=np.full(9, float(weight // 2)))
    first = draft.neurons(current, neuron=neuron, bias=False)
    second = draft.node(Dense, first, weight=draft.random.integers(-weight, weight + 1, size=(7, 9)).astype(float))
    last = draft.neurons(second, neuron=replace(neuron, threshold=float(weight), initial=0.0), bias=False)
    draft.readout(draft.dense(last, 3))
    return draft.network(Grid(weight_bits=8, start=weight // 2, growth=growth))


@pytest.mark.parametrize("weight", [127, 2**24 + 1], ids=["24 bits", "more bits"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_grid_gives_identical_results(weight, dtype):
    network = on_grid(weight, growth=9 * weight)
    x = samples(network, count=50, exact=False)
    expected = interpret(network, *x, steps=20, record=ALL)
    assert all(c.sum() > 0 for c in expected.counts.values())
    assert_same(run(network, *x, steps=20, chunk=6, dtype=dtype), expected)


def test_grid_beyond_float32_needs_float64():
    """The case above with more bits would fail in float32: a grid that claims to be small shows it."""
    network = on_grid(2**24 + 1, growth=0)
    x = samples(network, count=50, exact=False)
    largest = np.abs(constant_currents(network, *x)["population0"]).max()
    x = [a * 2**24 / 22 / largest for a in x]
    expected = interpret(network, *x, steps=20, record=ALL)
    assert all(c.sum() > 0 for c in expected.counts.values())
    honest = network.replaced(grid=replace(network.grid, growth=9 * 2**24))
    assert_same(run(honest, *x, steps=20), expected)
    liar = network.replaced(grid=replace(network.grid, start=0, growth=0))
    with pytest.raises(AssertionError):
        assert_same(run(liar, *x, steps=20), expected)


@pytest.mark.parametrize("per_step", [True, False])
def test_sums_of_a_readout_are_exact_beyond_float32(per_step):
    """Each step's current fits into 24 bits, the sum over all steps does not."""
    draft = Draft()
    first = draft.neurons(draft.input((3,), ConstantCurrent()), bias=False)
    draft.readout(draft.node(Dense, first, weight=np.array([[2.0**22 + 1, 3.0, -5.0]])), scale=1.0)
    network = draft.network()
    x = np.array([[1.0, 0.5, 0.25], [0.75, 1.0, 1.0]])
    found = run(network, x, steps=50, record=Record(outputs_per_step=per_step), chunk=7)
    np.testing.assert_array_equal(found.output, interpret(network, x, steps=50).output)


def in_turn(depth, window=3):
    """Layers that fire one after the other, each of which also reads the first, in windows of so many steps."""
    draft = Draft()
    first = draft.input((4,), ConstantCurrent())
    read = draft.neurons(draft.node(Dense, first, weight=np.eye(4)), neuron=IF(window=(0, window)))
    last = read
    for k in range(1, depth):
        mixed = draft.node(Dense, last, weight=np.roll(np.eye(4), 1, axis=0) / 2)
        both = draft.node(Add, mixed, draft.node(Dense, read, weight=np.eye(4) / 4))
        waiting = IF(initial=0.5, window=(window * k, window * (k + 1)))
        last = draft.neurons(both, neuron=waiting, bias=False)
    draft.readout(last, scale=1.0)
    return draft.network()


@pytest.mark.parametrize("chunk", [1, 2, 3, 7])
@pytest.mark.parametrize("record", [ALL, Record()], ids=["all", "outputs"])
@pytest.mark.parametrize("steps", [2, 10, 21])
def test_layers_that_wait_are_as_interpreted(chunk, record, steps):
    """Also where a run ends before some of them fire."""
    network = in_turn(6)
    x = np.random.default_rng(0).integers(0, 17, (3, 4)) / 16
    found = run(network, x, steps=steps, record=record, chunk=chunk, engine="dense")
    assert_same(found, interpret(network, x, steps=steps, record=record))


def test_layers_that_wait_take_no_time(monkeypatch):
    """The work of a run grows with the layers of a network, not with layers times windows."""
    calls = []
    advance = IntegrateAndFire.advance
    monkeypatch.setattr(IntegrateAndFire, "advance", lambda self, *a: calls.append(1) or advance(self, *a))
    taken = []
    for depth in (10, 20, 40):
        calls.clear()
        run(in_turn(depth), np.ones((1, 4)), steps=3 * depth, record=Record(), engine="dense", chunk=3)
        taken.append(len(calls))
    assert taken[2] - taken[1] == 2 * (taken[1] - taken[0])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("name", NETWORKS)
def test_cuda_gives_identical_results(name):
    network = built(name)
    x = samples(network)
    assert_same(run(network, *x, device="cuda"), interpret(network, *x, steps=STEPS, record=ALL))
