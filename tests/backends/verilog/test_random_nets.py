"""Random small networks on the grid, as Verilog in Icarus under stalls, against the reference interpreter."""

import os
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snntoolbox.backends.verilog.backend import VerilogBackend
from snntoolbox.ir.encodings import ConstantCurrent, Poisson
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import Grid, Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.nodes import Add, AveragePool, Concat, Conv, Dense, Input, Permute, Reshape, Take
from snntoolbox.ir.result import Record

pytestmark = pytest.mark.skipif(
    shutil.which("iverilog") is None and os.environ.get("CI") != "true", reason="iverilog is not installed"
)


class Net:
    """A network drawn at random: three to five populations, each on one or two of what is there."""

    def __init__(self, data):
        self.data = data
        self.random = np.random.default_rng(self.draw(st.integers(0, 2**32 - 1)))
        self.bits = self.draw(st.integers(2, 16))
        self.nodes, self.shapes, self.populations = [], {}, []
        coding = self.draw(st.sampled_from([ConstantCurrent(), Poisson(amplitude=1.0, seed=4)]))
        shape = (self.draw(st.integers(1, 4)), self.draw(st.integers(1, 6)), self.draw(st.integers(1, 6)))
        self.add(Input(name="x", shape=shape))
        self.encodings = {"x": coding}
        found = [self.population(self.conv("x"))]
        for _ in range(self.draw(st.integers(1, 3))):
            source = self.draw(st.sampled_from(found))
            found.append(self.population(self.joined(source, found)))
        flat = self.add(Reshape(name="flat", inputs=(found[-1],), shape=(int(np.prod(self.shapes[found[-1]])),)))
        hidden = self.population(self.dense(flat))
        self.readout = self.dense(hidden)

    def draw(self, strategy):
        return self.data.draw(strategy)

    def add(self, node):
        self.nodes.append(node)
        self.shapes[node.name] = node.output_shape(*(self.shapes[i] for i in node.inputs))
        return node.name

    def name(self, kind):
        return f"{kind}{len(self.nodes)}"

    def weights(self, *shape):
        limit = 2 ** (self.bits - 1) - 1
        kind = self.draw(st.sampled_from(["any", "largest"]))
        if kind == "largest":
            return limit * self.random.choice([-1.0, 1.0], shape)
        return self.random.integers(-limit, limit + 1, shape).astype(float)

    def conv(self, source, filters=None, keep=False):
        channels, *space = self.shapes[source]
        groups = self.draw(st.sampled_from([g for g in (1, 2, 4) if channels % g == 0]))
        filters = filters or groups * self.draw(st.integers(1, 4))
        groups = groups if filters % groups == 0 else 1
        if keep:
            window = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1)}
            kernel = (3, 3)
        else:
            dilation = tuple(self.draw(st.integers(1, 2)) for _ in space)
            kernel = tuple(self.draw(st.integers(1, 3)) for _ in space)
            padding = tuple((d * (k - 1), self.draw(st.integers(0, 2))) for k, d in zip(kernel, dilation, strict=True))
            stride = tuple(self.draw(st.integers(1, 3)) for _ in space)
            window = {"stride": stride, "padding": padding, "dilation": dilation}
        weight = self.weights(filters, channels // groups, *kernel)
        return self.add(Conv(name=self.name("conv"), inputs=(source,), weight=weight, groups=groups, **window))

    def dense(self, source):
        weight = self.weights(self.draw(st.integers(1, 9)), self.shapes[source][-1])
        return self.add(Dense(name=self.name("dense"), inputs=(source,), weight=weight))

    def joined(self, source, found):
        """A current from a source: moved or pooled, convolved, and perhaps joined with another."""
        kind = self.draw(st.sampled_from(["conv", "pool", "turn", "flip", "residual", "concat"]))
        if kind == "residual":
            total = (
                self.conv(source, self.shapes[source][0], keep=True),
                self.conv(source, self.shapes[source][0], True),
            )
            return self.add(Add(name=self.name("sum"), inputs=total))
        if kind == "concat":
            same = [f for f in found if self.shapes[f][1:] == self.shapes[source][1:]]
            parts = (source, self.draw(st.sampled_from(same)))
            return self.conv(self.add(Concat(name=self.name("concat"), inputs=parts)))
        if kind == "pool":
            kernel = tuple(min(2, n) for n in self.shapes[source][1:])
            none = ((0, 0), (0, 0))
            stride = tuple(self.draw(st.integers(1, 2)) for _ in kernel)
            pool = {"kernel": kernel, "stride": stride, "padding": none, "summed": True}
            source = self.add(AveragePool(name=self.name("pool"), inputs=(source,), **pool))
        elif kind == "turn":
            source = self.add(Permute(name=self.name("turn"), inputs=(source,), axes=(0, 2, 1)))
        elif kind == "flip":
            indices = tuple(reversed(range(self.shapes[source][2])))
            source = self.add(Take(name=self.name("flip"), inputs=(source,), axis=2, indices=indices))
        return self.conv(source)

    def population(self, current):
        shape = self.shapes[current]
        one = self.draw(st.sampled_from([shape, (shape[0], *[1] * (len(shape) - 1)), (1,) * len(shape)]))
        most = 4 * 2 ** (self.bits - 1)
        limits = (-float(self.random.integers(most, 3 * most)), float(self.random.integers(most, 3 * most)))
        neuron = IF(
            threshold=self.random.integers(1, most, one).astype(float),
            initial=self.random.integers(-most, most, one).astype(float),
            reset=self.draw(st.sampled_from([Reset.SUBTRACT, Reset.ZERO])),
            saturation=self.draw(st.sampled_from([None, None, limits])),
        )
        bias = self.random.integers(-most // 4, most // 2, one).astype(float) if self.draw(st.booleans()) else None
        name = f"population{len(self.populations)}"
        fields = {"scale": np.ones((1,) * len(shape)), "activation": name}
        self.populations.append(Population(name=name, shape=shape, neuron=neuron, current=current, bias=bias, **fields))
        return self.add(Input(name=name, shape=shape))

    def network(self):
        bias = self.weights(*self.shapes[self.readout]) if self.draw(st.booleans()) else None
        start = self.draw(st.integers(0, 4))
        readout = Readout(name="out", current=self.readout, shape=self.shapes[self.readout], bias=bias, start=start)
        ends = [p.current for p in self.populations] + [self.readout]
        wiring = Graph(self.nodes, list(dict.fromkeys(ends)))
        return SpikingNetwork(wiring, self.encodings, self.populations, [readout], grid=Grid(self.bits, 0, 0))


def check(data):
    net = Net(data).network()
    options = {
        "lanes": data.draw(st.sampled_from([1, 2, 4])),
        "queue": data.draw(st.sampled_from([1, 2, 4])),
        "stalls": data.draw(st.sampled_from([0, 3])),
    }
    steps = data.draw(st.integers(1, 8))
    extreme = data.draw(st.booleans())
    random = np.random.default_rng(1)
    x = (
        random.choice([-1.0, 1.0], (2, *net.wiring.shapes["x"]))
        if extreme
        else random.uniform(-1, 1, (2, *net.wiring.shapes["x"]))
    )
    expected = interpret(net, x, steps=steps, record=Record(spikes=True))
    with VerilogBackend().build(net, verilog_simulator="icarus", **options) as executable:
        found = executable.run(x, steps=steps, record=Record(spikes=True))
    for name, raster in expected.spikes.items():
        np.testing.assert_array_equal(found.spikes[name], raster, err_msg=name)
    np.testing.assert_array_equal(found.output, expected.output)


QUIET = {"deadline": None, "suppress_health_check": list(HealthCheck), "derandomize": True}


@pytest.mark.long
@settings(max_examples=20, **QUIET)
@given(st.data())
def test_random_networks(data):
    check(data)


@pytest.mark.long
@settings(max_examples=40, **QUIET)
@given(st.data())
def test_more_random_networks(data):
    check(data)
