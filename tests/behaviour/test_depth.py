"""Work grows with the number of layers and branches, not with its square, and nothing recurses as deep as a network."""

import pickle
import sys
from collections import Counter

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.backends.checking import simulators_for
from snntoolbox.conversion.load import simplify
from snntoolbox.engine.executor import Executor
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Add, Concat, Conv, Input, MaxPool, Permute, ReLU, Scale

RANDOM = np.random.default_rng(0)
SHAPE = (2, 4, 4)


class Net:
    """A network that grows node by node."""

    def __init__(self):
        self.nodes = [Input(name="x", shape=SHAPE)]

    def add(self, kind, *inputs, **fields):
        name = f"{kind.__name__}{len(self.nodes)}"
        self.nodes.append(kind(name=name, inputs=inputs, **fields))
        return name

    def conv(self, source, channels=2):
        weight = np.abs(RANDOM.normal(size=(2, channels, 1, 1))) / channels
        padding, ones = ((0, 0), (0, 0)), (1, 1)
        conv = self.add(Conv, source, weight=weight, stride=ones, padding=padding, dilation=ones)
        return self.add(Scale, conv, gain=RANDOM.uniform(0.9, 1.1, (2, 1, 1)), bias=RANDOM.normal(size=(2, 1, 1)) / 50)

    def relu(self, source):
        return self.add(ReLU, source)

    def graph(self, end):
        return Graph(self.nodes, [end])


def _ends(net, last):
    """Two outputs that read everything."""
    shape = Graph(net.nodes, [last]).shapes[last]
    pads, ones = ((0, 0),) * 2, (1, 1)
    weight = np.abs(RANDOM.normal(size=(2, *shape))) / np.prod(shape)
    return net.graph(net.add(Conv, last, weight=weight, stride=ones, padding=pads, dilation=ones))


def chain(n):
    net, last = Net(), "x"
    for _ in range(n):
        last = net.relu(net.conv(last))
    return _ends(net, last)


def residual(n):
    net, last = Net(), "x"
    for _ in range(n):
        last = net.relu(net.add(Add, last, net.conv(net.relu(net.conv(last))), coefficients=(1.0, 1 / n)))
    return _ends(net, last)


def turned(n):
    """Permutations to and fro around every layer, as exporters write them."""
    net, last = Net(), "x"
    for _ in range(n):
        inner = net.add(Permute, net.conv(last), axes=(1, 2, 0))
        last = net.add(Permute, net.relu(inner), axes=(2, 0, 1))
    return _ends(net, last)


def pooled(n):
    """A rectifier behind each max pool of one row, so that both are exchanged and the pool becomes a tree."""
    net, last = Net(), "x"
    for _ in range(n):
        window = {"kernel": (1, 3), "stride": (1, 1), "dilation": (1, 1), "padding": ((0, 0), (1, 1))}
        last = net.relu(net.add(MaxPool, net.conv(last), **window))
    return _ends(net, last)


def total(n):
    net = Net()
    return _ends(net, net.add(Add, *[net.relu(net.conv("x")) for _ in range(n)]))


def total_of_scales(n):
    """A sum of branches of two kinds: those whose scales go up, and those whose scales stay."""
    net = Net()
    branches = [net.conv("x") for _ in range(n)]
    gain = RANDOM.uniform(1, 2, (2, 1, 1))
    branches[::2] = [net.add(Scale, net.relu(branch), gain=gain) for branch in branches[::2]]
    return _ends(net, net.relu(net.add(Add, *branches)))


def joined(n):
    net = Net()
    return _ends(net, net.add(Concat, *[net.relu(net.conv("x")) for _ in range(n)], axis=0))


def readers(n):
    """One rectifier that all branches read, and one input."""
    net = Net()
    first = net.relu(net.conv("x"))
    return _ends(net, net.add(Add, *[net.relu(net.conv(first)) for _ in range(n)]))


NETS = [chain, residual, turned, pooled, total, total_of_scales, joined, readers]


def calls(work, *args):
    """The number of calls that `work` takes, of Python's functions and of others."""
    count = 0

    def counted(frame, event, arg):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        work(*args)
    finally:
        sys.setprofile(None)
    return count


def sample(graph, n=2):
    return RANDOM.random((n, *graph.shapes["x"])).astype(np.float32)


WORK = {
    "simplify": lambda graph: simplify(graph, check=True),
    "convert": lambda graph: stb.convert(graph, sample(graph)),
    "corrected": lambda graph: stb.convert(graph, sample(graph), duration=4, layer_correction="bias"),
    "quantised": lambda graph: stb.convert(graph, sample(graph), weight_bits=8),
    "fired": lambda graph: stb.simulate(stb.convert(graph, sample(graph)), sample(graph), duration=2),
    "summary": lambda graph: stb.convert(graph, sample(graph)).summary(),
    "projections": lambda graph: stb.convert(graph, sample(graph)).projections,
    "supported": lambda graph: simulators_for(stb.convert(graph, sample(graph))),
    "pickled": lambda graph: pickle.loads(pickle.dumps(stb.convert(graph, sample(graph)))),
}  # fmt: skip


QUICK = {(work, net) for work in ("simplify", "quantised", "summary") for net in NETS} - {("quantised", pooled)}
"""What is tried at once; the other pairs take as long again."""

PAIRS = [
    pytest.param(WORK[work], net, id=f"{work}-{net.__name__}", marks=() if (work, net) in QUICK else pytest.mark.long)
    for work in WORK
    for net in NETS
]


@pytest.mark.parametrize(("work", "net"), PAIRS)
def test_work_grows_linearly(work, net):
    """Twice as many layers more make twice as many calls more, not four times; what is done once cancels."""
    work(net(2))
    few, some, many = (calls(work, net(n)) for n in (4, 8, 16))
    assert many - some < 2.4 * (some - few)


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_a_pass_builds_the_graph_once(net, monkeypatch):
    """Simplifying and converting build as many graphs whatever the depth."""
    built = Counter()
    init = Graph.__init__
    monkeypatch.setattr(Graph, "__init__", lambda self, *a, **k: (built.update(("graph",)), init(self, *a, **k))[1])
    counts = []
    for n in (4, 16):
        graph = net(n)
        built.clear()
        stb.convert(simplify(graph), sample(graph))
        counts.append(built["graph"])
    assert counts[0] == counts[1]


@pytest.mark.parametrize("net", [chain, *(pytest.param(net, marks=pytest.mark.long) for net in NETS[1:])])
def test_nothing_recurses_as_deep_as_a_network(net, tmp_path):
    """From a graph to a summary, a file and a result under a limit that no recursion over layers would pass."""
    graph = net(300)
    stb.simulate(stb.convert(net(2), sample(graph)), sample(graph), duration=2)
    depth, frame = 0, sys._getframe()
    while frame is not None:
        depth, frame = depth + 1, frame.f_back
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 150)
    try:
        network = stb.convert(simplify(graph, check=True), sample(graph))
        network.summary()
        stb.save(network, tmp_path / "net.npz")
        stb.load_network(tmp_path / "net.npz")
        stb.simulate(pickle.loads(pickle.dumps(network)), sample(graph), duration=2)
        assert len(Executor(graph).run(sample(graph))) == 2
    finally:
        sys.setrecursionlimit(before)
