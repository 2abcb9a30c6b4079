"""Random small networks with delays and loops, on the integer grid: all engines and chunks have the same spikes."""

import os

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.backends.inisim.backend import InisimBackend
from snntoolbox.backends.registry import backend_named
from snntoolbox.conversion.spiking.grid_bounds import bounded_anew
from snntoolbox.ir.encodings import ConstantCurrent, Poisson
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import Grid, Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Add, Concat, Conv, Delay, Dense, Input, Reshape, Take
from snntoolbox.ir.result import Record

SHAPE, STEPS, SAMPLES = (2, 3, 3), 24, 3
SEEDS = range(16)
WAYS = [{"chunk": chunk} for chunk in (0, 1, 2, 3, 7)] + [{"engine": e} for e in ("dense", "event", "reference")]
ALL = Record(spikes=True, potentials=True)


class Drawn:
    """A network whose populations are ranked: a way to a lower or the same rank has a delay."""

    def __init__(self, seed, least=1):
        self.random, self.least = np.random.default_rng(seed), least
        self.ranks = {f"p{i}": i + 1 for i in range(self.random.integers(2, 5))}
        self.nodes = [Input(name=n, shape=SHAPE) for n in ("image", "spikes", *self.ranks)]

    def whole(self, *shape, largest=7):
        return self.random.integers(-largest, largest + 1, size=shape).astype(float)

    def add(self, kind, *inputs, **fields):
        self.nodes.append(kind(name=f"n{len(self.nodes)}", inputs=inputs, **fields))
        return self.nodes[-1].name

    def later(self, source, least):
        steps = int(self.random.integers(least, least + (4 if self.least else 2)))
        return self.add(Delay, source, steps=steps) if steps else source

    def linear(self, source):
        """One of several maps of the shape that all have."""
        size = int(np.prod(SHAPE))
        way = self.random.integers(4)
        if way == 0:
            window = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
            return self.add(Conv, source, weight=self.whole(2, 2, 3, 3), **window)
        if way == 1:
            flat = self.add(Dense, self.add(Reshape, source, shape=(size,)), weight=self.whole(size, size))
            return self.add(Reshape, flat, shape=SHAPE)
        if way == 2:
            return self.add(Dense, source, axis=0, weight=self.whole(2, 2))
        return self.add(Take, self.add(Concat, source, source, axis=0), axis=0, indices=(3, 0))

    def way(self, source, target):
        """A map with delays before and behind it, as long together as a loop needs."""
        back = self.ranks.get(source, 0) >= self.ranks[target]
        needed = (1 + self.ranks[source] - self.ranks[target] if self.least else 1) if back else 0
        name = self.later(source, needed) if back or self.random.random() < 0.3 else source
        name = self.linear(name)
        return self.later(name, 1) if self.random.random() < 0.2 else name

    def population(self, name):
        others = [n for n in self.ranks if self.random.random() < 0.7] + ["spikes"]
        direct = self.linear("image") if self.random.random() < 0.7 else self.linear("spikes")
        ways = [direct, *(self.way(source, name) for source in others)]
        neuron = IF(
            threshold=self.random.integers(8, 25, size=(2, 1, 1)).astype(float),
            initial=self.whole(*SHAPE),
            reset=self.random.choice(["subtract", "zero", "modulo"]),
            refractory=int(self.random.choice([0, 0, 1, 2])),
        )
        current, bias = self.add(Add, *ways), self.whole(*SHAPE, largest=3)
        return Population(
            name=name, shape=SHAPE, neuron=neuron, current=current, bias=bias, scale=np.ones(1), activation=name
        )

    def network(self):
        populations = [self.population(name) for name in self.ranks]
        last = self.add(Add, *(self.way(n, list(self.ranks)[-1]) for n in self.ranks))
        readouts = [Readout(name="out", current=last, shape=SHAPE)]
        if self.random.random() < 0.5:  # one that forgets its first steps is summed step by step in any case
            readouts.append(Readout(name="late", current=last, shape=SHAPE, start=4))
        ends = [p.current for p in populations] + [last]
        encodings = {"image": ConstantCurrent(), "spikes": Poisson(seed=1)}
        network = SpikingNetwork(Graph(self.nodes, ends), encodings, populations, readouts)
        return bounded_anew(network.replaced(grid=Grid(weight_bits=8, start=0, growth=0)))

    def batch(self):
        image = self.random.integers(-16, 17, size=(SAMPLES, *SHAPE)) / 16
        return image, self.random.uniform(-1, 1, size=(SAMPLES, *SHAPE))


def assert_same(found, expected, kinds=("spikes", "potentials", "counts", "outputs", "outputs_per_step")):
    for kind in kinds:
        for name, value in getattr(expected, kind).items():
            np.testing.assert_array_equal(getattr(found, kind)[name], value, err_msg=f"{kind} of {name}")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.one_in(5)
def test_every_engine_and_chunk_has_the_same_spikes(seed):
    drawn = Drawn(seed, least=seed % 2)
    network, x = drawn.network(), drawn.batch()
    expected = interpret(network, *x, steps=STEPS, record=ALL)
    assert any(counts.any() for counts in expected.counts.values())
    for options in WAYS:
        with InisimBackend().build(network, **options) as simulation:
            assert_same(simulation.run(*x, steps=STEPS, record=ALL), expected)
            few = simulation.run(*x, steps=STEPS, record=Record(outputs_per_step=False))
            assert_same(few, expected, ("counts", "outputs"))


def test_there_are_loops_delays_and_quick_ones_among_them():
    circuits = [Drawn(seed, least=seed % 2).network().circuit for seed in SEEDS]
    assert sum(bool(c.loop) for c in circuits) > 10
    assert sum(len(c.delays) > len(c.looping) for c in circuits) > 10
    assert 2 < sum(bool(c.quick_loop) for c in circuits) < 14
    assert sum(len({(p.source, p.target) for p in c.projections}) < len(c.projections) for c in circuits) > 3


@pytest.mark.parametrize("seed", range(6))
def test_it_is_saved_summed_up_and_pickled(seed, tmp_path):
    drawn = Drawn(seed)
    network, x = drawn.network(), drawn.batch()
    again = stb.load_network(stb.save(network, tmp_path / "net"))
    expected = interpret(network, *x, steps=8, record=ALL)
    assert_same(interpret(again, *x, steps=8, record=ALL), expected)
    assert "Delay" in str(stb.summary(again))


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 3, 5])
@pytest.mark.parametrize("name", ["brian2", "nest", "pynn.brian2", "pynn.nest", "pynn.neuron"])
def test_other_simulators_have_the_same_spikes_where_no_loop_is_quick(name, seed):
    backend = backend_named(name)
    if not backend.capabilities.installed() and not os.environ.get("CI"):
        pytest.skip(f"{name} is not installed")
    drawn = Drawn(seed)
    network = drawn.network().with_neurons(reset="subtract", refractory=0)
    x = drawn.batch()
    assert network.circuit.loop
    assert backend.capabilities.missing(network) == []
    with backend.build(network) as simulation:
        expected = interpret(network, *x, steps=12, record=ALL)
        assert_same(simulation.run(*x, steps=12, record=ALL), expected)
        few = simulation.run(*x, steps=12, record=Record(outputs_per_step=False))
        assert_same(few, expected, ("counts", "outputs"))
